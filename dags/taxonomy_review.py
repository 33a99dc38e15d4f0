"""
# Taxonomy review
Reads what lies in a category such as `other`, lets a model propose what new ones it would make, and asks a person.

    gather → propose → count → approve → adopt

| | |
|---|---|
| **When** | By hand: when `other` grows, or every half year. |
| **What it reads** | At most `conversations` of the category `category`, drawn by `seed`; their evaluations stay. |
| **What it costs** | At most `max_usd`: each conversation is sent twice, to be read and to be counted. |
| **What leaves it** | Names, definitions and counts. Every proposal is screened: none quotes a conversation. |
| **Whom it counts** | A proposal of fewer than `chatcensus_min_users` people, or of less than 1 %, is dropped. |
| **Where to approve** | *Required actions* of `approve`: choose some, or none. After 30 days: none. |
| **What `adopt` changes** | Nothing that is in force. It writes files; `chatcensus taxonomy adopt` fetches them. |
| **And then** | Commit, deploy, and judge again what `adopt` names, and only that. |
| **Safe to rerun** | Yes. A finished task repeats nothing; a cleared one that failed pays again within `max_usd`. |
| **When `gather` is red** | The files disagree: see its message. With fewer than 20 conversations it is skipped. |
| **When `propose` or `count` is red** | The money was used up, or the model cannot be used: see its message. |

Definitions become part of the instructions to the model: read them as such before you approve. docs/taxonomy.md
"""

from datetime import timedelta

import pendulum
from airflow.sdk import Param, dag

from chatcensus import operators
from chatcensus.include import include_dir
from chatcensus.operators import variables as var
from chatcensus.taxonomy import KEY

INCLUDE = include_dir(__file__)
QUOTA = ("requests_per_minute", "tokens_per_minute")
PARAMS = {
    "category": Param("other", type="string", pattern=KEY, description="The category that is looked into"),
    "conversations": Param(400, type="integer", minimum=20, maximum=5000, description="Conversations to read at most"),
    "seed": Param(1, type="integer", minimum=0, description="Another number draws other conversations"),
    "max_usd": Param(5, type="number", minimum=0, description="Budget in USD of the whole run"),
    **{name: operators.PARAMS[name] for name in ("in_flight", *QUOTA)},
}
FILES = {"include": INCLUDE, "table": var.TABLE, "result_bucket": var.RESULT_BUCKET, "category": var.param("category")}
ASKING = {"control_table": var.CONTROL_TABLE, "model": var.MODEL, "max_usd": var.param("max_usd"),
          "in_flight": var.param("in_flight"), "quota": {name: var.param(name) for name in QUOTA},
          "execution_timeout": timedelta(hours=6), **FILES}


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
def taxonomy_review():
    gather = operators.GatherCategoryOperator(
        task_id="gather", conversations=var.param("conversations"), seed=var.param("seed"), **FILES
    )
    propose = operators.ProposeCategoriesOperator(task_id="propose", **ASKING)
    count = operators.CountProposalsOperator(task_id="count", min_users=var.MIN_USERS, **ASKING)
    approve = operators.ApproveCategoriesOperator(task_id="approve", result_bucket=var.RESULT_BUCKET)
    adopt = operators.AdoptCategoriesOperator(
        task_id="adopt", approved=approve.output, timezone=var.TIMEZONE, **FILES
    )

    gather >> propose >> count >> approve >> adopt


taxonomy_review()
