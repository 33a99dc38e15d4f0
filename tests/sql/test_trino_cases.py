"""Statements whose answers Trino's documentation or source settles: answered as it says, or refused by name."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sql.athena_harness import BUCKET, Answer, Athena, running_athena

FILES = sorted(Path(__file__).parent.glob("trino_*_cases.jsonl"))
CASES: list[dict[str, Any]] = [json.loads(line) for path in FILES for line in path.read_text().splitlines()]
PLAIN = [case for case in CASES if not case["tables"] and "{scratch}" not in str(case["sql"])]
OTHERS = [case for case in CASES if case not in PLAIN]


@pytest.fixture(scope="class")
def shared_athena() -> Iterator[Athena]:
    with running_athena() as running:
        yield running


@pytest.fixture
def own_athena() -> Iterator[Athena]:
    with running_athena() as running:
        yield running


def _check(athena: Athena, case: dict[str, Any]) -> None:
    for name, table in (case["tables"] or {}).items():
        athena.put_parquet_table(name, table["columns"], table["rows"])
    statements = case["sql"] if isinstance(case["sql"], list) else [case["sql"]]

    answer = [athena.ask(sql.replace("{scratch}", f"s3://{BUCKET}/scratch/")) for sql in statements][-1]

    if "refused" in case:
        assert (answer.kind, answer.message) == ("unsupported", f"LOCAL_AWS_UNSUPPORTED: {case['refused']}")
    elif "error" in case["expect"]:
        assert answer.kind == case["expect"]["error"], answer
    else:
        assert answer.kind == "ok", answer.message
        assert _found(answer) == case["expect"]


def _found(answer: Answer) -> dict[str, Any]:
    rows = [list(row) for row in answer.rows]
    return {"columns": list(answer.columns), "types": list(answer.types), "rows": rows}


class TestStatementsWithoutTables:
    """They share one Athena, since making one takes longer than most of them."""

    @pytest.mark.parametrize("case", PLAIN, ids=[case["id"] for case in PLAIN])
    def test_a_statement_without_tables_is_answered_as_trino_would(
        self, shared_athena: Athena, case: dict[str, Any]
    ) -> None:
        _check(shared_athena, case)


@pytest.mark.parametrize("case", OTHERS, ids=[case["id"] for case in OTHERS])
def test_a_statement_over_tables_is_answered_as_trino_would(own_athena: Athena, case: dict[str, Any]) -> None:
    _check(own_athena, case)


def test_nearly_every_case_is_answered() -> None:
    refused = [case["id"] for case in CASES if "refused" in case]

    assert len(CASES) >= 100
    assert len(refused) <= 0.05 * len(CASES), refused


def test_every_case_has_its_own_id_a_reason_and_a_source() -> None:
    twice = [name for name, count in Counter(case["id"] for case in CASES).items() if count > 1]

    assert twice == []
    assert [case["id"] for case in CASES if not case["why"] or not case["source"].startswith("https://")] == []
