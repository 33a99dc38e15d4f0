"""
# Review
Puts conversations before a person, and makes gold rows of what the person says of them.

    draw → hand_out → answered (a person) → collect

| | |
|---|---|
| **When** | By hand: before the first report is believed, after a new prompt or model, and every few months. |
| **Who is drawn** | A random sample of all evaluated; changed, quarantined, and disputed ones of a trial. |
| **What you do** | Fetch the sheet, fill it in, return it, say *collect*: `answered` shows the commands. |
| **What comes of it** | Gold rows, `gold/` of the snapshot bucket; the log of `collect` says how far you agree. |
| **What it costs** | A read of the whole table; no model call. It writes nothing to the table. |
| **Private text** | Only in `reviews/` of the snapshot bucket, which is deleted after 30 days, and in your copy. |
| **When `collect` is red** | Its message names the rows: correct the sheet, return it again, clear `collect`. |
| **Safe to rerun** | Yes: what was drawn and handed out stays, and the same answers give the same gold rows. |

Everything is explained in docs/review.md.
"""

from datetime import timedelta

import pendulum
from airflow.sdk import dag

from chatcensus import operators
from chatcensus.include import include_dir
from chatcensus.operators import variables as var
from chatcensus.review import WHYS

INCLUDE = include_dir(__file__)
TAXONOMY = INCLUDE / "prompts/taxonomy.yaml"
OF_A_REVIEW = {"table": var.TABLE, "snapshot_bucket": var.SNAPSHOT_BUCKET, "mapping": INCLUDE / "table.yaml"}


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz=var.TIMEZONE),
    catchup=False,
    default_args={"owner": "chatcensus", "retries": 2, "retry_delay": timedelta(minutes=5)},
    params=operators.REVIEW_PARAMS,
    tags=["chatcensus"],
    doc_md=__doc__,
)
def review():
    draw = operators.DrawReviewOperator(
        task_id="draw", sizes={why: var.param(why) for why in WHYS}, seed=var.param("seed"), trial=var.param("trial"),
        result_bucket=var.RESULT_BUCKET, **OF_A_REVIEW,
    )
    hand_out = operators.HandOutReviewOperator(task_id="hand_out", taxonomy=TAXONOMY, **OF_A_REVIEW)
    answered = operators.AskReviewerOperator(
        task_id="answered", handed_out=hand_out.output, snapshot_bucket=var.SNAPSHOT_BUCKET,
    )
    collect = operators.CollectReviewOperator(task_id="collect", handed_out=hand_out.output, **OF_A_REVIEW)

    draw >> hand_out >> answered >> collect


review()
