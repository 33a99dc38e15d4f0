"""
# Chat census
Judges every conversation that nobody has judged yet, then refreshes the summary tables and the report.

    plan → classify[segment…] → settle → export → register → summarise[table…] → publish

| | |
|---|---|
| **What a run judges** | Scheduled and manual: everything pending. A backfill: what was created inside its interval. |
| **Judge again** | Another prompt or model re-judges nothing by itself; `reevaluate` does: docs/reevaluation.md. |
| **Only look** | `dry_run`: counts what is due and forecasts its cost; no call, no write, no export. |
| **Safe to rerun** | Yes. Each conversation is paid for once; repeating a finished run: 0 calls, 0 writes, 0 exports. |
| **What it costs** | `plan` logs about the most it can be. At `max_usd` a run stops cleanly; the rest waits. |
| **What readers see** | Checked tables of one snapshot; an older snapshot never replaces a newer one. |
| **When `classify` is red** | Read its last log line, then clear the failed segments only. |
| **When `settle` is red** | Segments failed, or too many answers were rejected: the message has the numbers. |
| **When `export` is red** | Clear it: it attaches to the export that it began. |
| **When `publish` is red** | Counts disagree; the old tables stay. The message names the table to clear. |

Names of tables, buckets and the model are Airflow Variables (`chatcensus_…`), see docs/operations.md.
"""

from datetime import timedelta

import pendulum
from airflow.sdk import CronDataIntervalTimetable, TaskGroup, TriggerRule, dag

from chatcensus.aws.athena import sql_string
from chatcensus.include import include_dir, read_yaml
from chatcensus.operators.classify import ClassifySegmentOperator
from chatcensus.operators.export import ExportTableOperator
from chatcensus.operators.params import PARAMS
from chatcensus.operators.plan import PlanSegmentsOperator
from chatcensus.operators.publish import PublishSummariesOperator
from chatcensus.operators.register import RegisterSnapshotOperator
from chatcensus.operators.retries import RETRY_POLICY
from chatcensus.operators.settle import SettleRunOperator
from chatcensus.operators.summarise import SummariseTableOperator
from chatcensus.taxonomy import Taxonomy

INCLUDE = include_dir(__file__)
MAPPING, MODELS = INCLUDE / "table.yaml", INCLUDE / "prompts/models.yaml"
INSTRUCTIONS, TAXONOMY = "prompts/classify.md", INCLUDE / "prompts/taxonomy.yaml"
SUMMARIES = sorted(path.stem for path in INCLUDE.glob("sql/summaries/*.sql"))
TIMEZONE = "Asia/Tokyo"  # days are cut here, and the schedule runs here

TABLE = "{{ var.value.chatcensus_table }}"
CONTROL_TABLE = "{{ var.value.chatcensus_control_table }}"
MODEL = "{{ var.value.chatcensus_model }}"
SNAPSHOT_BUCKET = "{{ var.value.chatcensus_snapshot_bucket }}"
RESULT_BUCKET = "{{ var.value.chatcensus_result_bucket }}"
ATHENA = {"database": "{{ var.value.chatcensus_database }}", "workgroup": "{{ var.value.chatcensus_workgroup }}"}
QUOTA = {name: f"{{{{ params.{name} }}}}" for name in ("requests_per_minute", "tokens_per_minute")}


@dag(
    schedule=CronDataIntervalTimetable("0 3 * * *", timezone=TIMEZONE),
    start_date=pendulum.datetime(2026, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    template_searchpath=[str(INCLUDE)],
    user_defined_macros={"taxonomy": read_yaml(TAXONOMY, Taxonomy), "timezone": TIMEZONE},
    user_defined_filters={"sql_string": sql_string},
    default_args={"owner": "chatcensus", "retries": 2, "retry_policy": RETRY_POLICY},
    params=PARAMS,
    tags=["chatcensus"],
    doc_md=__doc__,
)
def chat_census():
    plan = PlanSegmentsOperator(
        task_id="plan", table=TABLE, model=MODEL, instructions=INSTRUCTIONS, mapping=MAPPING, models=MODELS,
        prices=INCLUDE / "prices.yaml", conversations_per_segment="{{ params.conversations_per_segment }}",
        max_conversations="{{ params.max_conversations }}", quota=QUOTA, reevaluate="{{ params.reevaluate }}",
        created_from="{{ params.created_from }}", created_before="{{ params.created_before }}", timezone=TIMEZONE,
    )
    classify = ClassifySegmentOperator.partial(
        task_id="classify", table=TABLE, control_table=CONTROL_TABLE, model=MODEL, mapping=MAPPING, models=MODELS,
        instructions=INSTRUCTIONS, taxonomy=TAXONOMY,
        max_usd="{{ params.max_usd }}", max_conversations="{{ params.max_conversations }}",
        in_flight="{{ params.in_flight }}", quota=QUOTA, reevaluate="{{ params.reevaluate }}",
        is_dry_run="{{ params.dry_run }}", execution_timeout=timedelta(hours=6),
        max_active_tis_per_dagrun=4, map_index_template="{{ task.segment['name'] }}",
    ).expand(segment=plan.output)
    settle = SettleRunOperator(
        task_id="settle", segments=plan.output, tallies=classify.output, control_table=CONTROL_TABLE,
        max_rejection_percent="{{ params.max_rejection_percent }}", is_dry_run="{{ params.dry_run }}",
        trigger_rule=TriggerRule.ALL_DONE,
    )
    export = ExportTableOperator(
        task_id="export", dynamodb_table_name=TABLE, s3_bucket_name=SNAPSHOT_BUCKET, s3_key_prefix="exports",
        control_table=CONTROL_TABLE, database=ATHENA["database"], mapping=MAPPING,
        publish="{{ params.publish and not params.dry_run }}", full_export="{{ params.full_export }}",
    )
    register = RegisterSnapshotOperator(
        task_id="register", snapshot=export.output, layer="sql/layers/layer.sql", view="sql/views/evaluations.sql",
        control_table=CONTROL_TABLE, result_bucket=RESULT_BUCKET, mapping=MAPPING, **ATHENA,
    )
    with TaskGroup("summarise") as summarise:
        written = [
            SummariseTableOperator(
                task_id=table, query=f"sql/summaries/{table}.sql", export_id=register.output,
                result_bucket=RESULT_BUCKET, deferrable=True, **ATHENA,
            ).output
            for table in SUMMARIES
        ]
    publish = PublishSummariesOperator(
        task_id="publish", snapshot=export.output, written=written, control_table=CONTROL_TABLE,
        result_bucket=RESULT_BUCKET, timezone=TIMEZONE, summaries=INCLUDE / "sql/summaries.yaml", taxonomy=TAXONOMY,
        **ATHENA,
    )

    plan >> classify >> settle >> export >> register >> summarise >> publish


chat_census()
