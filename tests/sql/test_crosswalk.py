"""The view `evaluations` over a change of the taxonomy: names of today, and what can be compared over the change."""

from collections import Counter
from typing import Any

import pytest

from chatcensus.crosswalk import Crosswalk
from tests.sql.test_evaluation_changes import item, judged
from tests.sql.warehouse import Warehouse

GIVEN = "01604474914028-c4a9e003"
FIRST, SECOND, THIRD = "a" * 12, "b" * 12, "c" * 12
CROSSWALK = Crosswalk.model_validate(
    {
        "steps": [
            {"from": FIRST, "to": SECOND, "since": "2026-10-01", "split": {"other": ["travel", "other"]}},
            {
                "from": SECOND,
                "to": THIRD,
                "since": "2026-11-01",
                "renamed": {"travel": "trips"},
                "merged": {"faq": "office"},
            },
        ]
    }
)


def of(name: str, category: str, version: str) -> dict[str, Any]:
    return item(name, judged(category, 3, taxonomy_version=version, prompt_version="p1", model="haiku"))


ITEMS = [
    of("c1", "other", FIRST),
    of("c2", "other", THIRD),
    of("c3", "travel", SECOND),
    of("c4", "trips", THIRD),
    of("c5", "faq", FIRST),
    of("c6", "travel", THIRD),  # a category of that name is none of those that were renamed
    item("c7", None),
]


@pytest.fixture(scope="module")
def clients(local_aws_server) -> dict[str, Any]:
    local_aws_server.reset()
    local_aws_server.create_stack()
    return {name: local_aws_server.client(name) for name in ("s3", "glue", "athena")}


@pytest.mark.parametrize(
    ("crosswalk", "expected"),
    [
        pytest.param(
            CROSSWALK,
            [
                *[("other", "other", FIRST), ("other", "other", THIRD), ("trips", "other", SECOND)],
                *[("trips", "other", THIRD), ("office", "office", FIRST), ("travel", "travel", THIRD)],
                (None, None, None),
            ],
            id="renamed, merged and split",
        ),
        pytest.param(
            Crosswalk(),
            [
                (each["evaluation"]["category"], each["evaluation"]["category"], each["evaluation"]["taxonomy_version"])
                for each in ITEMS[:-1]
            ]
            + [(None, None, None)],
            id="nothing has changed",
        ),
    ],
)
def test_a_category_has_its_name_of_today_and_the_one_it_is_compared_by(
    clients: dict[str, Any], crosswalk: Crosswalk, expected: list[tuple[str | None, ...]]
) -> None:
    warehouse = Warehouse(clients, crosswalk=crosswalk)
    warehouse.add_snapshot(GIVEN, ITEMS)

    rows = warehouse.rows("select category, category_before, taxonomy_version from evaluations")

    assert Counter(tuple(row.values()) for row in rows) == Counter(expected)
