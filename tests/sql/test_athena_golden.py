"""The golden corpus: what real Athena answers. No case may be answered wrongly."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.sql.athena_harness import BUCKET, Answer, Athena

if TYPE_CHECKING:
    from tests.conftest import LocalAwsForTests

CORPUS = Path(__file__).parents[2] / "../shared/golden/athena_sql.jsonl"
CASES = [json.loads(line) for line in CORPUS.read_text().splitlines()] if CORPUS.exists() else []
LEAST_RIGHT = 54
pytestmark = pytest.mark.skipif(not CASES, reason="../shared/golden/athena_sql.jsonl is not here")


@pytest.fixture(scope="module")
def verdicts() -> Counter[str]:
    """Count how the cases of this module ended."""
    return Counter()


@pytest.fixture
def athena(local_aws: "LocalAwsForTests") -> Athena:
    """The real API: the server, asked by boto3."""
    return Athena(local_aws.client, over_http=True)


def _csv(athena: Athena, answer: Answer) -> list[list[str | None]]:
    """Return the rows of the result in S3, NULL told from an empty text."""
    key = answer.location.removeprefix(f"s3://{BUCKET}/")
    text = athena.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()
    rows: list[list[str | None]] = [[]]
    for quoted, value, end in re.findall(r'("((?:[^"]|"")*)")?([,\n])', text):
        rows[-1].append(value.replace('""', '"') if quoted else None)
        if end == "\n":
            rows.append([])
    return rows[1:-1]


def _verdict(case: dict[str, Any], answer: Answer) -> str:
    expected = case["expect"]
    if answer.kind == "unsupported":
        return "unsupported"
    if "error" in expected:
        return "right" if answer.kind == "user" else "wrong"
    rows = [list(row) for row in answer.rows]
    found = {"columns": list(answer.columns), "types": list(answer.types), "rows": rows}
    return "right" if answer.kind == "ok" and found == expected else "wrong"


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_a_golden_statement_is_answered_rightly_or_refused(
    athena: Athena, verdicts: Counter[str], case: dict[str, Any]
) -> None:
    for name, table in (case["tables"] or {}).items():
        athena.put_parquet_table(name, table["columns"], table["rows"])
    statements = case["sql"] if isinstance(case["sql"], list) else [case["sql"]]

    answers = [athena.ask(sql.replace("{scratch}", f"s3://{BUCKET}/scratch/")) for sql in statements]

    verdict = _verdict(case, answers[-1])
    verdicts[verdict] += 1
    assert verdict != "wrong", (answers[-1], case["expect"])
    if verdict == "right" and "rows" in case["expect"]:
        assert _csv(athena, answers[-1]) == case["expect"]["rows"]


def test_the_share_of_right_answers_does_not_fall(verdicts: Counter[str]) -> None:
    if sum(verdicts.values()) < len(CASES):
        pytest.skip("needs the whole corpus in this process")

    assert verdicts["right"] >= LEAST_RIGHT, verdicts
