"""Where each command that the suite cannot run is run, and which AWS operations the local AWS does not have."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Elsewhere:
    """
    A command too heavy for the suite, or one that leaves the machine.

    `run_by` is the test `path::name`, or the file and its line `path: line`, that runs the same process; `lane` is what
    `make docs-commands` runs, or None with `why_not`.
    """

    run_by: str
    lane: str | None = None
    why_not: str = ""


_DEMO = "tests/process/test_demo.py::test_a_killed_run_started_again_loses_no_conversation"
_UP = "tests/process/test_up.py::test_up_runs_the_dag_in_a_real_airflow_and_down_leaves_nothing"
_BACKFILLS = "tests/process/test_backfills.py::test_of_a_run_with_a_failed_segment_only_that_segment_runs_again"
_BACKFILL_CREATE = (
    "airflow backfill create --dag-id chat_census --from-date 2026-09-01 --to-date 2026-09-30 --max-active-runs 2 "
    """--dag-run-conf '{"publish": false}'"""
)
_REVIEW = "tests/dags/test_review.py::test_the_sheet_has_what_was_asked_for_and_nothing_of_the_judge"
_TAXONOMY = "tests/dags/test_taxonomy_review.py::test_what_is_adopted_and_nothing_else_is_judged_again"
_GOLD = "tests/aws/test_gold_command.py::"
_WEB = "tests/security/test_dashboard_routes.py::test_without_a_login_no_route_answers"
_INTO_FAB = ".venv/bin/uv pip install --python .local/fab/bin/python"
_FAB = f"{_INTO_FAB} -r requirements-dev.lock apache-airflow-providers-fab==3.8.0"
_FAB_MANAGER = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
_ONE_CONVERSATION = """echo '{"id": "c-1", "turns": [{"role": "user", "content": "Fix this loop"}]}' > mine.jsonl"""

ELSEWHERE: dict[str, Elsewhere] = {
    "make demo": Elsewhere(_DEMO, "make demo LATENCY=0"),
    "make demo DATA=mine.jsonl": Elsewhere(_DEMO, f"{_ONE_CONVERSATION} && make demo DATA=mine.jsonl"),
    "make demo DATA=conversations.jsonl": Elsewhere(
        _DEMO, why_not="the same command as in README.md, over another file"
    ),
    "chatcensus demo --latency 0": Elsewhere(_DEMO, "chatcensus demo --latency 0"),
    "make up": Elsewhere(_UP, "make up PORT=$FREE_PORT"),
    "make down": Elsewhere(_UP, "make down"),
    "make": Elsewhere(".ci/run: make test", why_not="lint, types and tests are what CI runs"),
    "make test": Elsewhere(".ci/run: make test", why_not="this test is a part of it"),
    "make lint": Elsewhere(".ci/run: make lint", why_not="CI runs it"),
    "make types": Elsewhere(".ci/run: make types", why_not="CI runs it"),
    "make docs-commands": Elsewhere(
        "Makefile: \t@PYTHONPATH=plugins:. $(BIN)/python -m tests.docs", why_not="this is it"
    ),
    "make backfills DAYS=30": Elsewhere(f"{_BACKFILLS}", "make backfills DAYS=4"),
    _BACKFILL_CREATE: Elsewhere(
        _BACKFILLS,
        f"airflow db migrate && airflow dags reserialize && {_BACKFILL_CREATE} --dry-run",
    ),
    ".venv/bin/uv venv .local/fab": Elsewhere(_WEB, ".venv/bin/uv venv .local/fab"),
    _FAB: Elsewhere(_WEB, _FAB),
    ".local/fab/bin/python -m pytest tests/security": Elsewhere(
        _WEB, f"CHATCENSUS_AUTH_MANAGER={_FAB_MANAGER} .local/fab/bin/python -m pytest -q tests/security"
    ),
    "chatcensus review fetch 3fa9c1d27b04 --to sheet.csv": Elsewhere(
        _REVIEW, why_not="it needs a review that waits for its person, as in that test"
    ),
    "chatcensus review return 3fa9c1d27b04 sheet.csv": Elsewhere(
        _REVIEW, why_not="it needs a review that waits for its person, as in that test"
    ),
    "chatcensus taxonomy adopt 3f9a0c11d2e4": Elsewhere(
        _TAXONOMY, why_not="it needs a review of which something was approved, as in that test"
    ),
    "chatcensus taxonomy adopt 3f9a0c11d2e4 --category travel --category health": Elsewhere(
        _TAXONOMY, why_not="it needs a review that proposed just these"
    ),
    "chatcensus gold check": Elsewhere(
        f"{_GOLD}test_the_gate_lets_the_same_pass_and_a_worse_model_not_and_a_later_measurement_does_not_lower_it",
        "chatcensus gold measure && chatcensus gold check",
    ),
    "chatcensus gold counts > include/gold.yaml": Elsewhere(
        f"{_GOLD}test_reviews_of_random_conversations_become_the_gold_set_of_the_shares",
        why_not="it needs a review that people have answered, as in that test",
    ),
    "make mwaa-check": Elsewhere(
        "tests/process/test_package.py::test_what_was_packed_judges_conversations_in_an_airflow_that_has_nothing_else",
        "make mwaa-check",
    ),
    "make rollback BUCKET=my-mwaa-bucket": Elsewhere(
        "tests/aws/test_upload.py::test_a_rollback_brings_the_release_before_back_byte_for_byte",
        why_not="here there is one release, and none before it",
    ),
    "make rollback BUCKET=my-mwaa-bucket RELEASE=0.1.0-f8428ad2f4a8": Elsewhere(
        "tests/aws/test_upload.py::test_a_rollback_to_a_named_release_needs_no_package",
        why_not="a release is named after its content, so that here this one does not exist",
    ),
    "make audit": Elsewhere(
        "tests/security/test_audit.py::test_a_known_fault_fails_unless_it_is_accepted", why_not="it asks osv.dev"
    ),
    "make sim SEEDS=10000": Elsewhere("tests/sim/test_sim.py::test_every_promise_is_kept", "make sim SEEDS=200"),
    ".venv/bin/python -m pytest tests/contract --live --budget-usd 0.50": Elsewhere(
        "tests/contract/test_contract_athena.py::test_the_result_says_its_types",
        None,
        why_not="it needs an AWS account, and pays",
    ),
}

# `aws <service> <operation>` as written: checked against botocore's model of the service instead, with the reason.
NOT_IN_THE_LOCAL_AWS: dict[str, str] = {
    "aws mwaa get-environment": "it is no Airflow service: there is no environment to ask about",
}


def aws_operation(command: str) -> str | None:
    """Return `aws <service> <operation>` of a *command* of the AWS CLI, None of any other."""
    words = command.split()
    return " ".join(words[:3]) if words[0] == "aws" else None


def is_checked_by_its_model(command: str) -> bool:
    """Return whether *command* is an operation of AWS that the local AWS does not have."""
    return aws_operation(command) in NOT_IN_THE_LOCAL_AWS


def is_run_here(command: str) -> bool:
    """Return whether the suite itself runs *command*."""
    return command not in ELSEWHERE and not is_checked_by_its_model(command)
