"""The real DAG in a real Airflow against the local AWS: what a run judges, costs, publishes, and never does twice."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from chatcensus.publication import SHOWN
from demo.outcome import Outcome
from demo.progress import LocalAirflow
from tests.aws.examined import set_faults
from tests.conftest import LocalAwsForTests
from tests.dags.running import Census, deploy
from tests.report_file import report_inside

pytestmark = pytest.mark.airflow


@dataclass(frozen=True)
class Nightly:
    """A run that was repeated after its end."""

    first: Outcome
    published: dict[str, str]
    cost: tuple[int, int, int]
    state_of_repeat: str
    repeated: Outcome
    cost_of_both: tuple[int, int, int]


@pytest.fixture(scope="module")
def nightly(local_aws_server: LocalAwsForTests, airflow: LocalAirflow, deployed: Path) -> Nightly:
    local_aws_server.reset()
    deploy(deployed)
    census = Census(local_aws_server, airflow)
    census.load(30)
    assert census.run("nightly") == "success"
    first, published, cost = census.outcome("nightly"), census.published(), census.cost()
    state = census.run("nightly")
    return Nightly(first, published, cost, state, census.outcome("nightly"), census.cost())


def test_repeating_a_finished_run_makes_no_call_no_write_and_no_export(nightly: Nightly) -> None:
    assert nightly.state_of_repeat == "success"
    assert nightly.cost[0] == 30
    assert nightly.cost_of_both == nightly.cost
    assert nightly.repeated.tables == nightly.first.tables


def test_what_is_published_is_one_report_as_a_page_as_values_and_in_short_in_both_languages(nightly: Nightly) -> None:
    published = nightly.published

    assert set(published) == {"report.html", "report.json", "summary.md", "summary.ja.md"}
    report = json.loads(published["report.json"])
    assert report_inside(published["report.html"]) == report
    assert set(report["tables"]) == SHOWN
    assert report["answered_by"] == ["stand-in"]
    assert published["summary.md"].startswith("Chat Census: 30 conversations, ")
    assert published["summary.ja.md"].startswith("Chat Census: 会話30件、")
    assert "/chatcensus/>" in published["summary.md"]


def test_many_segments_judge_each_conversation_once(census: Census) -> None:
    census.load(30)

    assert census.run("segments", conversations_per_segment=8, publish=False) == "success"

    names = [step.label for step in census.steps if step.task_id == "classify" and step.state == "success"]
    assert sorted(names) == [f"segment {number}/4 (8)" for number in (1, 2, 3, 4)]
    assert census.cost()[0] == 30
    assert census.tally("segments")["outcomes"] == {"evaluated": 30}


def test_a_run_without_budget_ends_well_and_leaves_everything_pending(census: Census) -> None:
    census.load(10)

    assert census.run("poor", max_usd=0) == "success"

    assert census.cost()[:2] == (0, 10)  # ten writes put the conversations there
    assert not any("evaluation" in item for item in census.items().values())
    [quality] = census.outcome("poor").tables["evaluation_quality"]
    assert (quality["outcome"], quality["conversations"]) == ("pending", 10)


def test_an_empty_table_ends_well_with_empty_summaries(census: Census) -> None:
    census.load(0)

    assert census.run("empty") == "success"

    assert all(rows == [] for rows in census.outcome("empty").tables.values())


def test_a_failed_classification_can_never_end_green(census: Census) -> None:
    census.load(5)
    set_faults(census.aws, {"rules": [{"fault": "access_denied"}]})

    state = census.run("red")

    assert state == "failed"
    assert census.ended("classify") == ["failed"]
    assert census.ended("settle")[-1] == "failed"
    assert census.ended("export") == []
    assert not any("evaluation" in item for item in census.items().values())
