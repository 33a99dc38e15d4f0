"""
# Model trial
Lets two or more contenders judge the same conversations, and says whether the dearer one is worth its price.

    sample → judge[contender…] → compare

| | |
|---|---|
| **When** | By hand: before you change the model, the prompt or the output mode. |
| **Who is tried** | `contenders`, one a line: `<model>`, or with a mode or prompt, `<model>@prompt@prompts/new.md`. |
| **On what** | A random sample of the table, stratified by language and length, and every gold row. |
| **What it costs** | At most `max_usd`, all contenders together; the sample is made as small as that asks for. |
| **What it writes** | Files in the result bucket under `trials/`, without any text. To the table, nothing. |
| **Safe to rerun** | Yes. What was judged is not paid for again; the same `seed` draws the same conversations. |
| **Where the answer is** | The log of `compare`, the page Trials beside the report, the table `model_trials`. |
| **When `sample` is red** | A contender, a prompt file or `max_usd` is wrong: see its message. |
| **When `judge` is red** | Clear it: it goes on where it ended. |
| **When `compare` is red** | No conversation was judged by all contenders: see the logs of `judge`. |

How to read it, and how large a sample has to be: docs/model-trial.md.
"""

from datetime import timedelta

import pendulum
from airflow.sdk import Param, dag

from chatcensus import operators
from chatcensus.contender import CONTENDER, FEWEST, MOST
from chatcensus.include import include_dir
from chatcensus.operators import variables as var

INCLUDE = include_dir(__file__)
FILES = {"include": INCLUDE, "table": var.TABLE, "result_bucket": var.RESULT_BUCKET}
QUOTA = ("requests_per_minute", "tokens_per_minute")
CHOSEN = {name: var.param(name) for name in ("conversations", "seed", "max_usd")}
PARAMS = {
    "contenders": Param(
        ["jp.anthropic.claude-haiku-5-5", "amazon.nova-micro-v1:0"], type="array", minItems=FEWEST, maxItems=MOST,
        uniqueItems=True, items={"type": "string", "pattern": CONTENDER},
        description="One a line: <model>, <model>@<output mode>, <model>@prompts/<file>.md or all three",
    ),
    "conversations": Param(300, type="integer", minimum=1, maximum=10_000, description="Conversations to draw at most"),
    "seed": Param(1, type="integer", minimum=0, description="Another number draws other conversations"),
    "max_usd": Param(1, type="number", minimum=0, description="Budget in USD of all contenders together"),
    **{name: operators.PARAMS[name] for name in ("in_flight", *QUOTA)},
}


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz=var.TIMEZONE),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "chatcensus", "retries": 2, "retry_policy": operators.RETRY_POLICY},
    params=PARAMS,
    tags=["chatcensus"],
    doc_md=__doc__,
)
def model_trial():
    sample = operators.SampleTrialOperator(
        task_id="sample", contenders="{{ params.contenders | tojson }}", snapshot_bucket=var.SNAPSHOT_BUCKET, **CHOSEN,
        **FILES,
    )
    judge = operators.JudgeTrialOperator.partial(
        task_id="judge", control_table=var.CONTROL_TABLE, in_flight=var.param("in_flight"),
        quota={name: var.param(name) for name in QUOTA}, execution_timeout=timedelta(hours=6),
        map_index_template="{{ task.contender['name'] }}", **FILES,
    ).expand(contender=sample.output)
    compare = operators.CompareTrialOperator(
        task_id="compare", contenders=sample.output, result_bucket=var.RESULT_BUCKET, database=var.ATHENA["database"]
    )

    sample >> judge >> compare


model_trial()
