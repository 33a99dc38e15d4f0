"""How the DAG `review` waits for its person: Airflow asks where it can, and elsewhere the answers themselves are it."""

import importlib.util
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk.exceptions import AirflowFailException

from chatcensus.aws.reviews import ANSWERS, Reviews
from chatcensus.operators import AskReviewerOperator, ask_reviewer
from tests.conftest import SNAPSHOT_BUCKET, LocalAwsForTests

NAME = "3fa9c1d27b04"
HANDED_OUT = {"review": NAME, "place": f"s3://{SNAPSHOT_BUCKET}/reviews/{NAME}/", "rows": 7, "drawn": 8}
GIVEN = {"task_id": "answered", "handed_out": HANDED_OUT, "snapshot_bucket": SNAPSHOT_BUCKET}


@pytest.fixture
def without_people(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module as an Airflow imports it that has no operator for asking people."""
    monkeypatch.setitem(sys.modules, HITLOperator.__module__, None)
    spec = importlib.util.find_spec(ask_reviewer.__name__)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_where_airflow_can_ask_people_it_does():
    assert issubclass(AskReviewerOperator, HITLOperator)


def test_what_is_asked_is_a_place_a_count_and_what_to_do():
    asked = ask_reviewer.question(HANDED_OUT)

    assert f"s3://{SNAPSHOT_BUCKET}/reviews/{NAME}/sheet.csv" in asked
    assert "7 conversations" in asked
    assert f"chatcensus review return {NAME} sheet.csv" in asked


def test_where_airflow_cannot_ask_people_the_task_waits_for_the_answers(
    without_people: ModuleType, local_aws: LocalAwsForTests
):
    local_aws.create_stack()
    task: Any = without_people.AskReviewerOperator(**GIVEN)
    context: Any = SimpleNamespace()

    before = task.poke(context)
    Reviews(local_aws.client("s3"), SNAPSHOT_BUCKET, NAME).write(ANSWERS, b"row\r\n")

    assert (before, task.poke(context)) == (False, True)
    assert task.reschedule


def test_where_nobody_answers_the_task_fails_for_good():
    task: Any = AskReviewerOperator(**GIVEN)
    nobody = {"error": "The timeout has passed.", "error_type": "timeout"}

    with pytest.raises(AirflowFailException, match="nobody has answered within 30 days"):
        task.execute_complete({}, nobody)
