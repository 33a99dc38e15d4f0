"""The summary of re-evaluations: given conversations that were judged again, and the rows expected of them."""

import random
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.sql.reference import summaries
from tests.sql.reference.conversations import Telling
from tests.sql.rows import difference
from tests.sql.warehouse import Warehouse, edition_of, statement

GIVEN, GENERATED = "01604474914028-c4a9e001", "01604474914028-c4a9e002"
TELLING = Telling("2026-10-05T00:00:00Z", date(2026, 10, 5), date(2026, 10, 1), 0)
OLD, NEW = {"prompt_version": "p1", "model": "haiku"}, {"prompt_version": "p2", "model": "nova"}
PAID: dict[str, Any] = {
    **dict.fromkeys(("attempts", "input_tokens", "output_tokens", "cost_micro_usd"), Decimal(1)),
    "answered_by": "stand-in",
}
TIME = {"evaluated_at": "2026-10-02T00:00:00Z"}


def judged(category: str, score: int, **provenance: str) -> dict[str, Any]:
    return {"outcome": "evaluated", "category": category, "inquiry_score": Decimal(score), **provenance, **TIME}


def refused(reason: str = "refused", **provenance: str) -> dict[str, Any]:
    return {"outcome": "quarantined", "reason": reason, **provenance, **TIME}


def item(name: str, evaluation: dict[str, Any] | None, previous: dict[str, Any] | None = None) -> dict[str, Any]:
    attributes = {"evaluation": PAID | evaluation | ({"previous": previous} if previous else {})} if evaluation else {}
    return {"conversation_id": name, "created_at": "2026-10-01T00:00:00Z", **attributes}


ITEMS = [
    item("c1", judged("writing", 4, **NEW), judged("coding", 2, **OLD)),
    item("c2", judged("writing", 5, **NEW), judged("coding", 4, **OLD)),
    item("c3", judged("coding", 1, **NEW), judged("coding", 3, **OLD)),
    item("c4", judged("coding", 3, **OLD), refused(**OLD)),
    item("c5", refused("truncated", **NEW), judged("office", 5, **OLD)),
    item("c6", judged("coding", 3, **OLD)),
    item("c7", None),
]
COLUMNS = (
    *("previous_outcome", "previous_category", "previous_reason", "previous_prompt_version", "previous_model"),
    *("outcome", "category", "reason", "prompt_version", "model"),
    *("conversations", "previous_mean_inquiry_score", "mean_inquiry_score"),
)
EXPECTED = [
    ("evaluated", "coding", None, "p1", "haiku", "evaluated", "writing", None, "p2", "nova", 2, 3.0, 4.5),
    ("evaluated", "coding", None, "p1", "haiku", "evaluated", "coding", None, "p2", "nova", 1, 3.0, 1.0),
    ("evaluated", "office", None, "p1", "haiku", "quarantined", None, "truncated", "p2", "nova", 1, 5.0, None),
    ("quarantined", None, "refused", "p1", "haiku", "evaluated", "coding", None, "p1", "haiku", 1, None, 3.0),
]


@pytest.fixture(scope="module")
def warehouse(local_aws_server) -> Warehouse:
    local_aws_server.reset()
    local_aws_server.create_stack()
    warehouse = Warehouse({name: local_aws_server.client(name) for name in ("s3", "glue", "athena")})
    warehouse.add_snapshot(GIVEN, ITEMS)
    warehouse.add_snapshot(GENERATED, generated(7))
    return warehouse


def generated(seed: int) -> list[dict[str, Any]]:
    """Conversations of which half were judged again, with every kind of change."""
    chance = random.Random(seed)

    def any_evaluation() -> dict[str, Any]:
        provenance = chance.choice((OLD, NEW))
        if chance.random() < 0.3:
            return refused(chance.choice(("refused", "truncated")), **provenance)
        return judged(chance.choice(("coding", "writing")), chance.randint(1, 5), **provenance)

    return [
        item(f"g{number}", any_evaluation(), any_evaluation() if chance.random() < 0.5 else None)
        for number in range(200)
    ]


def test_each_kind_of_change_is_a_row_with_the_scores_before_and_after(warehouse):
    rows = warehouse.rows(statement("evaluation_changes", edition_of(GIVEN, TELLING)))

    assert difference(rows, [dict(zip(COLUMNS, row, strict=True)) for row in EXPECTED]) is None
    assert difference(rows, summaries(ITEMS, TELLING)["evaluation_changes"]) is None


def test_the_changes_of_a_generated_table_equal_the_recomputation_in_python(warehouse):
    rows = warehouse.rows(statement("evaluation_changes", edition_of(GENERATED, TELLING)))

    assert len(rows) > 40
    assert difference(rows, summaries(generated(7), TELLING)["evaluation_changes"]) is None
