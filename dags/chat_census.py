"""
# Chat census
Judges every conversation that nobody has judged yet, then refreshes the summary tables and the report.

    plan → submit → wait → classify[segment…] → settle → export → register → summarise[table…] → check[gate…] → publish

| | |
|---|---|
| **What a run judges** | Scheduled and manual: everything pending. A backfill: what was created inside its interval. |
| **Judge again** | Another prompt or model re-judges nothing by itself; `reevaluate` does: docs/reevaluation.md. |
| **Only look** | `dry_run`: counts what is due and forecasts its cost; no call, no write, no export. |
| **Safe to rerun** | Yes. Each conversation is paid for once; repeating a finished run: 0 calls, 0 writes, 0 exports. |
| **What it costs** | `plan` logs what it will be, about, on every model. At `max_usd` a run stops; the rest waits. |
| **At half the price** | `mode` batch or auto: `submit` sends all at once, `wait` waits up to a day: docs/batch.md. |
| **What readers see** | All tables of one edition, of complete weeks; no group of fewer than five people. |
| **When `classify` is red** | Read its last log line, then clear the failed segments only. |
| **When `settle` is red** | Segments failed, or too many answers were rejected: the message has the numbers. |
| **When `submit`, `wait` or `export` is red** | Clear it: it attaches to the jobs, or the export, that it began. |
| **When a gate of `check` is red** | The numbers are not to be believed yet; the old ones stay. See its message. |
| **When `publish` is red** | Counts disagree; the old edition stays. The message names the task to clear. |

Names of tables, buckets and the model are Airflow Variables (`chatcensus_…`), see docs/operations.md.
"""

from datetime import timedelta

import pendulum
from airflow.sdk import CronDataIntervalTimetable, TaskGroup, TriggerRule, dag

from chatcensus import operators
from chatcensus.aws.athena import sql_string
from chatcensus.crosswalk import Crosswalk
from chatcensus.include import include_dir, read_yaml
from chatcensus.operators import variables as var
from chatcensus.taxonomy import Taxonomy

INCLUDE = include_dir(__file__)
MAPPING, MODELS = INCLUDE / "table.yaml", INCLUDE / "prompts/models.yaml"
INSTRUCTIONS, TAXONOMY = "prompts/classify.md", INCLUDE / "prompts/taxonomy.yaml"
SUMMARIES, GOLD = INCLUDE / "sql/summaries.yaml", INCLUDE / "gold.yaml"
TOLD = ("sql/shown/shown_periods.sql", "sql/shown/shown_values.sql", "sql/shown/shown_series.sql",
        "sql/shown/shown_pairs.sql", "sql/shown/told.sql")  # each reads those before it
TABLES = sorted(f"sql/summaries/{path.name}" for path in INCLUDE.glob("sql/summaries/*.sql"))
GATES = sorted(path.stem for path in INCLUDE.glob("sql/gates/*.sql"))
QUOTA = {name: var.param(name) for name in ("requests_per_minute", "tokens_per_minute")}
LIMITS = {name: var.param(name) for name in ("max_usd", "max_conversations", "reevaluate")}
JUDGING = {"table": var.TABLE, "control_table": var.CONTROL_TABLE, "model": var.MODEL, "mapping": MAPPING,
           "models": MODELS, "instructions": INSTRUCTIONS, "quota": QUOTA, "is_dry_run": var.param("dry_run"), **LIMITS}
ON_FAILURE = {"retries": 2, "retry_policy": operators.RETRY_POLICY, "on_failure_callback": operators.alert_of_failure}


@dag(
    schedule=CronDataIntervalTimetable("0 3 * * *", timezone=var.TIMEZONE),
    start_date=pendulum.datetime(2026, 1, 1, tz=var.TIMEZONE),
    catchup=False,
    max_active_runs=1,
    template_searchpath=[str(INCLUDE)],
    user_defined_macros={"taxonomy": read_yaml(TAXONOMY, Taxonomy), "timezone": var.TIMEZONE,
                         "crosswalk": read_yaml(INCLUDE / "prompts/crosswalk.yaml", Crosswalk)},
    user_defined_filters={"sql_string": sql_string},
    default_args={"owner": "chatcensus", **ON_FAILURE},
    params=operators.PARAMS,
    tags=["chatcensus"],
    doc_md=__doc__,
)
def chat_census():
    plan = operators.PlanSegmentsOperator(
        task_id="plan", prices=INCLUDE / "prices.yaml", timezone=var.TIMEZONE, **JUDGING,
        **{name: var.param(name) for name in ("created_from", "created_before", "conversations_per_segment")},
    )
    submit = operators.SubmitBatchOperator(
        task_id="submit", segments=plan.output, bucket=var.SNAPSHOT_BUCKET, role=var.BATCH_ROLE, taxonomy=TAXONOMY,
        mode=var.param("mode"), deadline_hours=var.param("deadline_hours"), **JUDGING,
    )
    wait = operators.AwaitBatchOperator(task_id="wait", control_table=var.CONTROL_TABLE, models=MODELS)
    classify = operators.ClassifySegmentOperator.partial(
        task_id="classify", taxonomy=TAXONOMY, in_flight=var.param("in_flight"), execution_timeout=timedelta(hours=6),
        max_active_tis_per_dagrun=4, map_index_template="{{ task.segment['name'] }}", **JUDGING,
    ).expand(segment=plan.output)
    settle = operators.SettleRunOperator(
        task_id="settle", segments=plan.output, tallies=classify.output, control_table=var.CONTROL_TABLE,
        max_rejection_percent=var.param("max_rejection_percent"), is_dry_run=var.param("dry_run"),
        trigger_rule=TriggerRule.ALL_DONE,
    )
    export = operators.ExportTableOperator(
        task_id="export", dynamodb_table_name=var.TABLE, s3_bucket_name=var.SNAPSHOT_BUCKET, s3_key_prefix="exports",
        control_table=var.CONTROL_TABLE, database=var.ATHENA["database"], mapping=MAPPING,
        publish="{{ params.publish and not params.dry_run }}", full_export=var.param("full_export"),
    )
    register = operators.RegisterSnapshotOperator(
        task_id="register", snapshot=export.output, layer="sql/layers/layer.sql", view="sql/views/evaluations.sql",
        control_table=var.CONTROL_TABLE, result_bucket=var.RESULT_BUCKET, mapping=MAPPING, summaries=SUMMARIES,
        timezone=var.TIMEZONE, **var.ATHENA,
    )
    edition = {"edition": register.output, "summaries": SUMMARIES, **var.ATHENA}
    files = {"result_bucket": var.RESULT_BUCKET, **edition}
    with TaskGroup("summarise") as summarise:
        periods, values, series, pairs, told, *tables = (
            operators.SummariseTableOperator(
                task_id=query.split("/")[-1].removesuffix(".sql"), query=query, deferrable=True,
                min_users=var.MIN_USERS, per_user_table=var.PER_USER, **files,
            )
            for query in (*TOLD, *TABLES)
        )
        shares = operators.CorrectSharesOperator(task_id="category_shares", gold=GOLD, taxonomy=TAXONOMY, **files)
        periods >> values >> series >> pairs >> told >> tables >> shares
    with TaskGroup("check") as check:
        for gate in GATES:
            operators.CheckEditionOperator(task_id=gate, sql=f"sql/gates/{gate}.sql", **edition)
    publish = operators.PublishSummariesOperator(
        task_id="publish", written=[task.output for task in (periods, values, series, pairs, told, *tables, shares)],
        control_table=var.CONTROL_TABLE, min_users=var.MIN_USERS, timezone=var.TIMEZONE, taxonomy=TAXONOMY,
        outlets=[operators.PUBLISHES], on_success_callback=operators.alert_of_edition, **files,
    )

    plan >> submit >> wait >> classify >> settle >> export >> register >> summarise >> check >> publish


chat_census()
