import io
import re
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from chatcensus.evaluation import PREVIOUS
from chatcensus.include import read_yaml
from chatcensus.summaries import Summaries
from tests.sql.generated_items import generated_items
from tests.sql.reference import SUMMARIES, summaries
from tests.sql.warehouse import SQL, SUMMARY_FILES, Warehouse, summary_sql

SEEDS = range(50)
GIVEN, LATER = "01604474914027-aaaaaaaa", "01604474914029-bbbbbbbb"


def judged(number: int, day: str | None, **evaluation: Any) -> dict[str, Any]:
    """A conversation with an evaluation; what a test does not say is the same for all."""
    usual = {
        "outcome": "evaluated",
        "prompt_version": "p1",
        "taxonomy_version": "t1",
        "model": "haiku",
        "answered_by": "stand-in",
        "attempts": 1,
        "input_tokens": 600,
        "output_tokens": 20,
        "cost_micro_usd": 700,
        "is_clipped": False,
        "run_id": "r1",
        "evaluated_at": "2026-10-03T18:00:00Z",
    }
    item = {"conversation_id": f"c{number}", "evaluation": usual | evaluation}
    return item | ({"created_at": day} if day else {})


def before(**evaluation: Any) -> dict[str, Any]:
    """What a re-evaluation has kept of the one before it."""
    return {"previous": {"outcome": "evaluated", "prompt_version": "p0", "model": "haiku"} | evaluation}


ITEMS = [
    judged(
        1,
        "2026-10-01T14:59:59Z",
        category="coding",
        inquiry_score=4,
        user_pseudonym="u1",
        **before(category="writing", inquiry_score=1),
    ),
    judged(
        2,
        "2026-10-01T15:00:00Z",
        category="coding",
        inquiry_score=3,
        user_pseudonym="u1",
        is_clipped=True,
        **before(category="writing", inquiry_score=2),
    ),
    judged(3, "2026-10-01T15:00:00Z", category="coding", inquiry_score=3, attempts=2, cost_micro_usd=1500),
    judged(
        4,
        "2026-10-02T01:00:00Z",
        category="writing",
        inquiry_score=5,
        user_pseudonym="u2",
        model="nova",
        **before(outcome="quarantined", reason="not_json"),
    ),
    judged(5, None, outcome="quarantined", reason="refused", user_pseudonym="u2"),
    judged(6, "not a time", outcome="quarantined", reason="refused", attempts=3, user_pseudonym="u3"),
    {"conversation_id": "c7", "created_at": "2026-10-02T01:00:00Z"},
]

EXPECTED = {
    "category_counts": [
        ("category", "conversations", "users", "mean_inquiry_score", "share"),
        ("coding", 3, 1, 10 / 3, 0.75),
        ("writing", 1, 1, 5.0, 0.25),
    ],
    "score_distribution": [
        ("inquiry_score", "conversations", "share"),
        (3, 2, 0.5),
        (4, 1, 0.25),
        (5, 1, 0.25),
    ],
    "daily_usage": [
        ("day", "conversations", "evaluated", "quarantined", "pending", "users"),
        (date(2026, 10, 1), 1, 1, 0, 0, 1),
        (date(2026, 10, 2), 4, 3, 0, 1, 2),
        (None, 2, 0, 2, 0, 2),
    ],
    "usage_by_user": [
        (
            "user_pseudonym",
            "conversations",
            "mean_inquiry_score",
            "input_tokens",
            "output_tokens",
            "cost_micro_usd",
            "last_day",
        ),
        ("u1", 2, 3.5, 1200, 40, 1400, date(2026, 10, 2)),
        ("u2", 2, 5.0, 1200, 40, 1400, date(2026, 10, 2)),
        ("u3", 1, None, 600, 20, 700, None),
        ("unknown", 1, 3.0, 600, 20, 1500, date(2026, 10, 2)),
    ],
    "model_cost": [
        ("model", "answered_by", "conversations", "attempts", "input_tokens", "output_tokens", "cost_micro_usd"),
        ("haiku", "stand-in", 5, 8, 3000, 100, 4300),
        ("nova", "stand-in", 1, 1, 600, 20, 700),
    ],
    "evaluation_changes": [
        (
            *("previous_outcome", "previous_category", "previous_reason", "previous_prompt_version", "previous_model"),
            *("outcome", "category", "reason", "prompt_version", "model"),
            *("conversations", "previous_mean_inquiry_score", "mean_inquiry_score"),
        ),
        ("evaluated", "writing", None, "p0", "haiku", "evaluated", "coding", None, "p1", "haiku", 2, 1.5, 3.5),
        ("quarantined", None, "not_json", "p0", "haiku", "evaluated", "writing", None, "p1", "nova", 1, None, 5.0),
    ],
    "evaluation_quality": [
        ("model", "prompt_version", "outcome", "reason", "conversations", "first_attempt", "clipped"),
        ("haiku", "p1", "evaluated", None, 3, 2, 1),
        ("haiku", "p1", "quarantined", "refused", 2, 1, 0),
        ("nova", "p1", "evaluated", None, 1, 1, 0),
        (None, None, "pending", None, 1, 0, 0),
    ],
}


@pytest.fixture(scope="module")
def warehouse(local_aws_server) -> Warehouse:
    local_aws_server.reset()
    local_aws_server.create_stack()
    warehouse = Warehouse({name: local_aws_server.client(name) for name in ("s3", "glue", "athena")})
    warehouse.add_snapshot(GIVEN, ITEMS)
    # Another snapshot of nearly the same table: rows that leak from it would change every count.
    warehouse.add_snapshot(LATER, [*ITEMS, {"conversation_id": "c8"}])
    return warehouse


def as_dicts(table: list[tuple]) -> list[dict[str, Any]]:
    columns, *rows = table
    return [dict(zip(columns, row, strict=True)) for row in rows]


def test_every_summary_has_a_file_an_expectation_and_a_reference():
    assert {path.stem for path in SUMMARY_FILES} == set(EXPECTED) == set(SUMMARIES)


@pytest.mark.parametrize("table", EXPECTED)
def test_the_summary_of_the_given_conversations_is_the_expected_one(warehouse, table):
    rows = warehouse.rows(summary_sql(table, GIVEN))

    assert rows == as_dicts(EXPECTED[table])


@pytest.mark.parametrize("table", EXPECTED)
def test_the_reference_gives_the_expected_summary_too(table):
    assert summaries(ITEMS)[table] == as_dicts(EXPECTED[table])


@pytest.mark.parametrize("seed", SEEDS)
def test_all_summaries_of_a_generated_table_equal_the_recomputation_in_python(warehouse, seed):
    items, export_id = generated_items(seed), f"01604474914028-{seed:08x}"

    with warehouse.snapshot(export_id, items):
        found = warehouse.rows_of({table: summary_sql(table, export_id) for table in SUMMARIES})

    assert found == summaries(items)


def test_the_generated_tables_hold_every_kind_of_conversation():
    tables = [generated_items(seed) for seed in SEEDS]
    items = [item for table in tables for item in table]
    outcomes = Counter(item.get("evaluation", {}).get("outcome", "pending") for item in items)

    assert {0, 1} <= {len(table) for table in tables}
    assert min(outcomes[outcome] for outcome in ("evaluated", "quarantined", "pending")) > 100
    assert any("created_at" not in item for item in items)
    assert any("user_pseudonym" not in item.get("evaluation", {"user_pseudonym": ""}) for item in items)
    assert any(sum(i.get("evaluation", {}).get("cost_micro_usd", 0) for i in table) > 2**32 for table in tables)


@pytest.mark.parametrize("table", EXPECTED)
def test_a_summary_unloaded_to_parquet_holds_the_same_rows_and_plain_types(warehouse, table):
    prefix = f"summary/{table}/export={GIVEN}/run=1/try=1/"

    warehouse.unload(summary_sql(table, GIVEN), prefix)

    files = [pq.read_table(io.BytesIO(data)) for data in warehouse.objects(prefix)]
    rows = [row for file in files for row in file.to_pylist()]
    types = {str(column.type) for file in files for column in file.schema}
    assert sorted(map(str, rows)) == sorted(map(str, as_dicts(EXPECTED[table])))
    assert types <= {"int64", "int32", "double", "string", "date32[day]"}


def test_the_view_gives_every_conversation_with_ordinary_types(warehouse):
    rows = warehouse.rows(f"select * from evaluations where export_id = '{GIVEN}' order by conversation_id")  # noqa: S608

    first, pending = rows[0], rows[-1]
    assert [row["conversation_id"] for row in rows] == [item["conversation_id"] for item in ITEMS]
    assert first == {
        **{name: value for name, value in ITEMS[0]["evaluation"].items() if name != "previous"},
        "conversation_id": "c1",
        "export_id": GIVEN,
        **dict.fromkeys(("language", "department", "app_model", "app_tokens", "reason")),
        **{f"previous_{name}": ITEMS[0]["evaluation"]["previous"].get(name) for name in PREVIOUS},
        "day": date(2026, 10, 1),
        "created_at": "2026-10-01T14:59:59Z",
    }
    assert pending["outcome"] == "pending"
    assert pending["model"] is None


def test_days_are_cut_in_the_configured_zone(warehouse):
    warehouse = Warehouse(warehouse.clients, timezone="America/New_York")

    found = warehouse.rows(summary_sql("daily_usage", GIVEN))
    Warehouse(warehouse.clients)

    assert found == summaries(ITEMS, "America/New_York")["daily_usage"]
    assert [row["day"] for row in found] == [date(2026, 10, 1), None]


def test_a_snapshot_that_is_not_there_has_no_rows(warehouse):
    assert warehouse.rows(summary_sql("category_counts", "01604474914028-ffffffff")) == []


@pytest.mark.parametrize("path", [*SUMMARY_FILES, SQL / "views/evaluations.sql"], ids=lambda path: path.stem)
def test_the_header_names_the_file_and_its_columns(warehouse, path: Path):
    header = " ".join(re.findall(r"^-- (.*)", path.read_text(encoding="utf-8"), re.MULTILINE))
    select = "select * from evaluations limit 1" if path.stem == "evaluations" else summary_sql(path.stem, GIVEN)

    described = re.sub(r"\([^)]*\)", "", header.rpartition("Columns:")[2]).rstrip(". ")

    assert header.startswith(f"{path.stem}: ")
    assert "Grain: " in header
    assert "Reads: " in header
    assert [name.strip() for name in described.split(",")] == list(warehouse.columns(select))


@pytest.mark.parametrize("summary", read_yaml(SQL / "summaries.yaml", Summaries).summaries, ids=lambda each: each.table)
def test_the_catalog_describes_the_columns_that_the_statement_returns(warehouse, summary):
    athena_types = {"string": "varchar", "int": "integer"}

    described = {column.name: athena_types.get(column.type, column.type) for column in summary.columns}

    assert described == warehouse.columns(summary_sql(summary.table, GIVEN))
    assert list(described) == list(EXPECTED[summary.table][0])
