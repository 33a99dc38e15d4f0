"""Judging again through the real DAG: never silently, then exactly what was named, and the table that compares."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.dags.running import TABLE, Census

pytestmark = pytest.mark.airflow


def evaluations(census: Census) -> dict[str, dict[str, Any]]:
    """What each conversation carries."""
    return {name: item["evaluation"]["M"] for name, item in census.items().items() if "evaluation" in item}


def cost_of(census: Census, run_id: str, **conf: Any) -> tuple[int, ...]:
    """Run the DAG to its green end and return calls, writes and exports of that run."""
    before = census.cost()
    assert census.run(run_id, **conf) == "success"
    return tuple(after - earlier for earlier, after in zip(before, census.cost(), strict=True))


def change_prompt(deployed: Path) -> None:
    with (deployed / "include/prompts/classify.md").open("a") as prompt:
        prompt.write("\nThink of the person first.\n")


def test_a_changed_prompt_judges_again_what_is_named_and_nothing_else(census: Census, deployed: Path) -> None:
    census.load(25)
    assert census.run("first", publish=False) == "success"
    first = evaluations(census)
    [(category, count)] = Counter(each["category"]["S"] for each in first.values()).most_common(1)
    change_prompt(deployed)
    where = f"category={category}"

    silent = cost_of(census, "nightly", publish=False)
    looked = cost_of(census, "look", reevaluate=where, dry_run=True)
    again = cost_of(census, "again", reevaluate=where)
    repeated = cost_of(census, "again", reevaluate=where)

    assert silent == (0, 0, 0)
    assert looked == (0, 0, 0)
    assert again == (count, count, 1)
    assert repeated == (0, 0, 0)
    judged_again = {name for name, each in evaluations(census).items() if each["run_id"]["S"] == "again"}
    assert judged_again == {name for name, each in first.items() if each["category"]["S"] == category}
    [changes] = census.outcome("again").tables["evaluation_changes"]
    assert changes["conversations"] == count
    assert (changes["previous_category"], changes["category"]) == (category, category)
    assert changes["previous_prompt_version"] != changes["prompt_version"]
    assert changes["previous_mean_inquiry_score"] == changes["mean_inquiry_score"]


def test_a_quarantine_is_driven_again_by_its_reason(census: Census) -> None:
    census.load(12)
    assert census.run("first", publish=False) == "success"
    names = sorted(census.items())[:2]
    for name in names:
        census.aws.client("dynamodb").update_item(
            TableName=TABLE,
            Key={"conversation_id": {"S": name}},
            UpdateExpression="SET evaluation.#outcome = :quarantined, evaluation.reason = :refused "
            "REMOVE evaluation.category, evaluation.inquiry_score",
            ExpressionAttributeNames={"#outcome": "outcome"},
            ExpressionAttributeValues={":quarantined": {"S": "quarantined"}, ":refused": {"S": "refused"}},
        )

    assert cost_of(census, "again", reevaluate="reason=refused")[:2] == (2, 2)

    assert {name for name, each in evaluations(census).items() if "previous" in each} == set(names)
    rows = census.outcome("again").tables["evaluation_changes"]
    assert sum(row["conversations"] for row in rows) == 2
    assert {(row["previous_outcome"], row["previous_reason"], row["outcome"]) for row in rows} == {
        ("quarantined", "refused", "evaluated")
    }


def test_a_condition_that_cannot_be_read_ends_the_run_red_before_any_call(census: Census) -> None:
    census.load(3)

    assert census.run("typo", reevaluate="reason=bad") == "failed"

    assert census.cost()[0] == 0
    assert census.ended("export") == []
