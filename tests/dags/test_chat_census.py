"""The DAG as Airflow sees it: it parses alone, says what it does, and renders from templates and files."""

import json
import os
import re
from copy import copy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.sdk import TriggerRule
from airflow.sdk.exceptions import AirflowFailException, ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization

from chatcensus.edition import Edition
from chatcensus.include import include_dir, read_yaml
from chatcensus.instructions import rendered_instructions
from chatcensus.model_catalog import ModelCatalog
from chatcensus.operators.retries import RETRY_POLICY
from chatcensus.prompt import prompt_version
from chatcensus.reevaluation import Where
from chatcensus.snapshot import Snapshot
from chatcensus.summaries import Summaries
from chatcensus.taxonomy import Taxonomy
from demo.airflow_home import VARIABLES

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
DAG_FILE, INCLUDE = REPOSITORY / "dags/chat_census.py", REPOSITORY / "include"
TABLES = sorted(path.stem for path in (INCLUDE / "sql/summaries").glob("*.sql"))
SHOWN = ["shown_pairs", "shown_periods", "shown_series", "shown_values", "told"]
STATEMENTS = [f"summarise.{table}" for table in (*SHOWN, *TABLES)]
GATES = sorted(f"check.{path.stem}" for path in (INCLUDE / "sql/gates").glob("*.sql"))
TASKS = [
    *("plan", "submit", "wait", "classify", "settle", "export", "register"),
    *(*STATEMENTS, "summarise.category_shares", *GATES, "publish"),
]
SEGMENT = {
    "name": "segment 1/1 (7)",
    "expected": 7,
    "window": {"start": None, "end": "2026-11-22T00:00:00+00:00"},
    "part": "0",
    "split": "1",
    "read": {"strategy": "scan", "segment": 0, "segments": 1},
}
TALLY = {"outcomes": {"evaluated": 7}}
EXPORT = {
    "export_id": "01604474914028-a1b2c3d4",
    "export_arn": "arn:aws:dynamodb:ap-northeast-1:123456789012:table/t/export/01604474914028-a1b2c3d4",
    "export_time": "2026-11-22T12:00:00+00:00",
    "bucket": "b",
    "data_prefix": "exports/AWSDynamoDB/01604474914028-a1b2c3d4/data/",
    "item_count": 7,
}
SNAPSHOT = {
    "export_id": EXPORT["export_id"],
    "export_time": EXPORT["export_time"],
    "key_types": {"conversation_id": "S"},
    "layers": [EXPORT],
}
EDITION = Edition.of(Snapshot.from_dict(SNAPSHOT), "Asia/Tokyo", "0a1b2c3d").as_dict()
RETURNED: dict[str, Any] = {
    "plan": [SEGMENT],
    "classify": [TALLY],
    "export": SNAPSHOT,
    "register": EDITION,
    **{
        task: {"table": task.removeprefix("summarise."), "prefix": f"s3://b/{task}/"}
        for task in TASKS
        if task.startswith("summarise.")
    },
}


@pytest.fixture(scope="module")
def dag():
    folder = DAG_FILE.parent
    bag = BundleDagBag(folder, bundle_path=folder, bundle_name="dags-folder")
    assert bag.import_errors == {}
    return bag.dags["chat_census"]


# Parsing


def test_the_dag_file_finds_the_include_folder_of_this_repository():
    assert include_dir(DAG_FILE) == INCLUDE


# What a person sees


def test_the_dag_says_what_it_is_and_who_owns_it(dag):
    assert dag.doc_md.strip().startswith("# Chat census")
    assert dag.tags == {"chatcensus"}
    assert {task.owner for task in dag.tasks} == {"chatcensus"}
    assert not dag.catchup
    assert dag.max_active_runs == 1


def test_every_task_is_tried_again_after_a_pause(dag):
    assert {task.task_id: task.retries for task in dag.tasks if task.retries < 2} == {}
    assert all(task.retry_delay >= timedelta(minutes=1) for task in dag.tasks)
    assert all(task.retry_policy.rules == RETRY_POLICY.rules for task in dag.tasks)


# Airflow reads plugins/.airflowignore with a class that pathspec has renamed.
@pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")
def test_the_schedule_has_real_intervals_in_the_zone_of_the_days(dag):
    scheduled = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag)))).timetable
    run = scheduled.infer_manual_data_interval(run_after=datetime(2026, 11, 22, 12, tzinfo=UTC))

    assert scheduled.serialize()["timezone"] == dag.user_defined_macros["timezone"] == "Asia/Tokyo"
    assert (run.start, run.end) == (datetime(2026, 11, 20, 18, tzinfo=UTC), datetime(2026, 11, 21, 18, tzinfo=UTC))


@pytest.mark.parametrize(
    "text",
    ["category=coding", " category = a , b ; ;reason=refused; ", ";model=arn:aws:x/y=z", "created_from=2026-10-01\n"],
)
def test_the_form_takes_every_condition_that_the_command_takes(dag, text):
    Where.parse(text)

    assert copy(dag.params.get_param("reevaluate")).resolve(text) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [("reevaluate", "coding"), ("reevaluate", "category="), ("reevaluate", ";"), ("created_from", "2026-1-2"),
     ("created_from", "２０２６-10-01"), ("created_before", "{{ ds }}")],
)  # fmt: skip
def test_the_form_refuses_what_is_plainly_wrong(dag, name, text):
    with pytest.raises(ParamValidationError):
        copy(dag.params.get_param(name)).resolve(text)


def test_a_condition_is_never_taken_for_a_template(dag):
    where = "category={{ var.value.chatcensus_table }}.md"

    params = dag.params.dump() | {"reevaluate": where}

    assert [_rendered(dag, task, params=params)["reevaluate"] for task in ("plan", "classify")] == [where, where]


def test_a_run_without_any_choice_works_on_real_data(dag):
    assert dag.params["max_usd"] > 0


# The order of the work


def test_the_tasks_are_these(dag):
    assert sorted(dag.task_ids) == sorted(TASKS)
    assert len(TABLES) >= 1


def test_plan_submit_wait_classify_settle_export_register_summarise_publish(dag):
    tables, gates = {f"summarise.{table}" for table in TABLES}, set(GATES)
    needs_edition = {task for task in TASKS if task.startswith(("summarise.", "check.", "publish"))}

    assert {task.task_id: task.downstream_task_ids for task in dag.tasks} == {
        "plan": {"submit", "classify", "settle"},
        "submit": {"wait"},
        "wait": {"classify"},
        "classify": {"settle"},
        "settle": {"export"},
        "export": {"register"},
        "register": needs_edition,
        "summarise.shown_periods": {"summarise.shown_values", "publish"},
        "summarise.shown_values": {"summarise.shown_series", "publish"},
        "summarise.shown_series": {"summarise.shown_pairs", "publish"},
        "summarise.shown_pairs": {"summarise.told", "publish"},
        "summarise.told": tables | {"publish"},
        **{table: {"summarise.category_shares", "publish"} for table in tables},
        "summarise.category_shares": gates | {"publish"},
        **{gate: {"publish"} for gate in gates},
        "publish": set(),
    }


def test_only_settle_runs_after_a_failure(dag):
    rules = {task.task_id: task.trigger_rule for task in dag.tasks}

    assert rules.pop("settle") == TriggerRule.ALL_DONE
    assert set(rules.values()) == {TriggerRule.ALL_SUCCESS}


def test_classify_is_mapped_over_segments_and_named_by_them(dag):
    mapped = [task for task in dag.tasks if task.is_mapped]

    assert [task.task_id for task in mapped] == ["classify"]
    assert mapped[0].map_index_template == "{{ task.segment['name'] }}"
    assert mapped[0].execution_timeout < timedelta(hours=12)  # a longer task is delivered twice by SQS
    assert mapped[0].max_active_tis_per_dagrun >= 1


def test_summaries_hold_no_slot_while_athena_works(dag):
    assert {task: dag.task_dict[task].deferrable for task in STATEMENTS} == dict.fromkeys(STATEMENTS, True)


# Files and templates


def test_every_file_that_a_task_names_is_there(dag):
    classify = dag.task_dict["classify"].partial_kwargs
    paths = [
        value for task in dag.tasks for value in [*vars(task).values(), *classify.values()] if isinstance(value, Path)
    ]
    paths.remove(INCLUDE / "gold.yaml")  # there is one where people have labelled some
    templates = set(re.findall(r'"((?:prompts|sql)?/?[\w/]+\.(?:md|sql|yaml))"', DAG_FILE.read_text())) - {"gold.yaml"}

    assert {"prompts/classify.md", "prompts/taxonomy.yaml", "sql/views/evaluations.sql", "table.yaml"} <= templates
    assert [name for name in sorted(templates) if not (INCLUDE / name).is_file()] == []
    assert [path for path in paths if not path.is_file()] == []


def test_every_summary_is_described_and_every_description_has_a_summary():
    described = read_yaml(INCLUDE / "sql/summaries.yaml", Summaries).summaries

    assert sorted(summary.table for summary in described) == sorted([*SHOWN, *TABLES, "category_shares"])


def test_the_model_of_the_demo_is_in_the_catalog():
    assert read_yaml(INCLUDE / "prompts/models.yaml", ModelCatalog).model(VARIABLES["chatcensus_model"])


class TrialTask:
    """A task instance that gets what the tasks before it returned."""

    dag_id, run_id, map_index = "chat_census", "manual__1", -1
    start_date = datetime(2026, 11, 22, 12, tzinfo=UTC)

    def xcom_pull(self, task_ids: Any = None, key: str = "return_value", **_: Any) -> Any:
        assert key == "return_value"
        return RETURNED[task_ids]


def _context(dag, task, **changes):
    return {
        "dag": dag,
        "task": task,
        "ti": TrialTask(),
        "run_id": "manual__1",
        "params": dag.params.dump(),
        "var": _variables(),
        **changes,
    }


def _variables(**more: str) -> SimpleNamespace:
    values = VARIABLES | more
    return SimpleNamespace(value=SimpleNamespace(**values, get=values.get))


def _rendered(dag, task_id, **changes):
    """Return the templated fields of a task as a run would show them."""
    task = dag.task_dict[task_id]
    task = task.unmap({"segment": SEGMENT}) if task.is_mapped else task.prepare_for_execution()
    task.resolve_template_files()
    task.render_template_fields(_context(dag, task, **changes), dag.get_template_env())
    return {name: getattr(task, name) for name in task.template_fields}


@pytest.mark.parametrize("task_id", TASKS)
def test_every_field_renders_from_a_trial_context(dag, task_id):
    fields = {name: value for name, value in _rendered(dag, task_id).items() if name != "tallies"}

    assert fields
    text = "\n".join(str(value) for name, value in fields.items() if name != "instructions")
    assert not re.search(r"\{\{|\{%|\.sql\b|\.md\b|XComArg", text)


def test_the_fields_hold_the_values_of_the_variables_and_params(dag):
    var = _variables(chatcensus_table="team-chats")
    plan, classify, settle = (_rendered(dag, task_id, var=var) for task_id in ("plan", "classify", "settle"))

    assert plan["table"] == classify["table"] == "team-chats"
    assert plan["model"] == classify["model"] == VARIABLES["chatcensus_model"]
    assert (plan["conversations_per_segment"], classify["max_usd"], classify["in_flight"]) == ("5000", "5", "64")
    assert classify["segment"] == SEGMENT
    assert settle["segments"] == [SEGMENT]
    assert settle["max_rejection_percent"] == "5"


def test_a_chosen_param_reaches_its_task(dag):
    classify = _rendered(dag, "classify", params=dag.params.dump() | {"max_usd": 0.25, "in_flight": 7})

    assert (classify["max_usd"], classify["in_flight"]) == ("0.25", "7")


@pytest.mark.parametrize("task", STATEMENTS)
def test_a_statement_pins_the_edition_or_its_snapshot(dag, task):
    rendered = _rendered(dag, task)

    pinned = (f"edition = '{EDITION['id']}'", f"export_id = '{SNAPSHOT['export_id']}'")
    assert rendered["edition"] == EDITION
    assert any(pin in rendered["query"] for pin in pinned)
    assert rendered["query"].strip().startswith("--")


@pytest.mark.parametrize(
    ("variable", "value"),
    [("min_users", "5 or true"), ("min_users", "-1"), ("min_users", "٥"), ("per_user_table", "yes or 1=1")],
)
def test_a_variable_that_is_no_number_or_no_truth_reaches_no_statement(dag, variable, value):
    with pytest.raises(AirflowFailException, match=f"chatcensus_{variable} is"):
        _rendered(dag, "summarise.usage_by_user", var=_variables(**{f"chatcensus_{variable}": value}))


def test_readers_are_told_of_five_people_at_least_unless_a_variable_says_otherwise(dag):
    assert "users >= 5" in _rendered(dag, "summarise.category_counts")["query"]
    assert (
        "users >= 11" in _rendered(dag, "summarise.category_counts", var=_variables(chatcensus_min_users="11"))["query"]
    )


def test_the_view_cuts_days_in_the_zone_of_the_schedule(dag):
    view = _rendered(dag, "register")["view"]

    assert "'Asia/Tokyo'" in view
    assert "create or replace view evaluations" in view


def test_publish_gets_what_every_summary_wrote(dag):
    publish = _rendered(dag, "publish")

    assert sorted(written["table"] for written in publish["written"]) == sorted([*SHOWN, *TABLES, "category_shares"])
    assert publish["edition"] == EDITION


def test_a_hostile_export_id_is_refused_before_any_query(dag):
    with pytest.raises(Exception, match="a value for SQL is"):
        _rendered(
            dag,
            f"summarise.{TABLES[0]}",
            ti=SimpleNamespace(xcom_pull=lambda **_: EDITION | {"id": "x' or 1=1 --"}),
        )


def test_the_instructions_hold_every_category(dag):
    taxonomy = read_yaml(INCLUDE / "prompts/taxonomy.yaml", Taxonomy)

    instructions = _rendered(dag, "classify")["instructions"]

    for category in taxonomy.categories:
        assert f"- `{category.key}`: {category.definition.en} / {category.definition.ja}" in instructions
    assert "{{" not in instructions
    assert "&#39;" not in instructions  # nobody escapes a prompt for HTML


def test_the_prompt_has_one_version_whatever_run_renders_it(dag):
    instructions = [
        _rendered(dag, "classify")["instructions"],
        _rendered(dag, "classify", run_id="scheduled__2027-01-01", params=dag.params.dump() | {"max_usd": 1})[
            "instructions"
        ],
        _rendered(dag, "plan")["instructions"],
    ]

    assert len({prompt_version(text) for text in instructions}) == 1
    assert re.fullmatch(r"[0-9a-f]{12}", prompt_version(instructions[0]))


def test_the_command_reevaluate_renders_the_very_prompt_of_the_dag(dag):
    taxonomy = read_yaml(INCLUDE / "prompts/taxonomy.yaml", Taxonomy)

    assert rendered_instructions(INCLUDE, taxonomy) == _rendered(dag, "classify")["instructions"]


def test_the_ui_shows_all_of_the_prompt(dag):
    limit = int(os.environ["AIRFLOW__CORE__MAX_TEMPLATED_FIELD_LENGTH"])

    assert len(_rendered(dag, "classify")["instructions"]) < limit
