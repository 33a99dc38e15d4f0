"""category_shares against the local AWS: what is written for readers, with a gold set and without."""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from airflow.sdk.exceptions import AirflowFailException

from chatcensus.aws.athena import Athena
from chatcensus.aws.editions import Editions
from chatcensus.edition import Edition
from chatcensus.include import read_yaml
from chatcensus.operators.correct import CorrectSharesOperator, unload_sql
from chatcensus.shares import corrected_shares
from chatcensus.summaries import Summaries
from tests.conftest import RESULT_BUCKET
from tests.fakes import INCLUDE, TAXONOMY

DATABASE = "chatcensus"
SUMMARIES = {each.table: each for each in read_yaml(INCLUDE / "sql/summaries.yaml", Summaries).summaries}
EDITION = Edition(
    "01-a-0000", "01-a", "2026-11-01T00:00:00+00:00", "2026-11-01T00:00:00Z", "2026-10-26", "2026-10-01", {}
)
CODING, WRITING, OTHER = (TAXONOMY.categories[number].key for number in (0, 1, -1))
MODEL, PROMPT = "a-model", "0123456789ab"
COUNTED = {CODING: 600, WRITING: 380, "(few)": 20}
COUNTS = {CODING: {CODING: 90, WRITING: 8, OTHER: 2}, WRITING: {WRITING: 50}, OTHER: {OTHER: 1}}


@pytest.fixture
def stage(local_aws) -> Callable[..., None]:
    """Return what stages the two summaries that the shares are made of."""
    local_aws.create_stack()
    athena = Athena(local_aws.client("athena"), DATABASE, "chatcensus")
    editions = Editions(local_aws.client("glue"), local_aws.client("s3"), DATABASE, RESULT_BUCKET)
    tables = [SUMMARIES[table] for table in ("category_counts", "evaluation_quality", "category_shares")]
    editions.prepare(tables, athena)

    def write(table: str, edition: str, rows: list[dict[str, Any]]) -> None:
        columns = SUMMARIES[table].columns
        prefix = f"s3://{RESULT_BUCKET}/{SUMMARIES[table].folder}edition={edition}/try=000000000000/"
        athena.rows(unload_sql(columns, [{c.name: None for c in columns} | row for row in rows], prefix))
        editions.stage(SUMMARIES[table], edition, prefix)

    def stage(counted: dict[str, int], judged: dict[str, int], edition: str = EDITION.id, told: float = 1.0) -> None:
        total = sum(counted.values()) / told
        counts = [
            {"category": category, "conversations": n, "users": n // 2, "share": n / total}
            for category, n in counted.items()
        ]
        quality = [
            {"model": MODEL, "prompt_version": prompt, "outcome": "evaluated", "conversations": n}
            for prompt, n in judged.items()
        ]
        pending = {"model": None, "prompt_version": None, "outcome": "pending", "conversations": 10_000}
        write("category_counts", edition, counts)
        write("evaluation_quality", edition, [*quality, pending])

    return stage


@pytest.fixture
def gold(tmp_path: Path) -> Callable[..., Path]:
    """Return what writes a gold set and returns its file."""

    def write(**changes: Any) -> Path:
        plain = {
            "model": MODEL,
            "prompt_version": PROMPT,
            "taxonomy_version": TAXONOMY.version,
            "labelled_by": "two people",
            "labelled_on": "2026-10-20",
            "counts": COUNTS,
        }
        (tmp_path / "gold.yaml").write_text(yaml.safe_dump(plain | changes), encoding="utf-8")
        return tmp_path / "gold.yaml"

    return write


def correct(gold: Path) -> dict[str, str]:
    operator = CorrectSharesOperator(
        task_id="category_shares", edition=EDITION.as_dict(), result_bucket=RESULT_BUCKET, database=DATABASE,
        workgroup="chatcensus", summaries=INCLUDE / "sql/summaries.yaml", gold=gold,
        taxonomy=INCLUDE / "prompts/taxonomy.yaml",
    )  # fmt: skip
    return operator.execute({"task": SimpleNamespace(task_id="summarise.category_shares")})  # type: ignore[typeddict-item]


def written(local_aws: Any, prefix: str) -> list[dict[str, Any]]:
    editions = Editions(local_aws.client("glue"), local_aws.client("s3"), DATABASE, RESULT_BUCKET)
    athena = Athena(local_aws.client("athena"), DATABASE, "chatcensus")
    rows = editions.rows(SUMMARIES["category_shares"], EDITION.id, prefix, athena)
    return sorted((dict(row) for row in rows), key=lambda row: -row["conversations"])


def test_corrected_shares_stand_beside_those_counted(local_aws, stage, gold):
    stage(COUNTED, {PROMPT: 1000})
    stage({CODING: 5}, {PROMPT: 5}, edition="00-older-0000")

    summary = correct(gold())

    assert (summary["table"], summary["base"]) == ("category_shares", None)
    folder = f"s3://{RESULT_BUCKET}/summaries/readers/category_shares/edition={EDITION.id}/"
    assert re.fullmatch(rf"{folder}try=[0-9a-f]{{12}}/", summary["prefix"])
    expected = corrected_shares(COUNTED, COUNTS)
    assert written(local_aws, summary["prefix"]) == [
        {
            "category": category,
            "conversations": count,
            "users": count // 2,
            "share": count / 1000,
            "corrected_share": expected[category].estimate,
            "corrected_low": expected[category].low,
            "corrected_high": expected[category].high,
            "gold_size": 151,
        }
        for category, count in COUNTED.items()
    ]


def test_what_the_judge_never_says_has_a_row_of_nobody(local_aws, stage, gold):
    stage({CODING: 600, WRITING: 400}, {PROMPT: 1000})

    rows = written(local_aws, correct(gold())["prefix"])

    assert [(row["category"], row["conversations"], row["users"], row["share"]) for row in rows] == [
        (CODING, 600, 300, 0.6),
        (WRITING, 400, 200, 0.4),
        ("(few)", 0, 0, 0.0),
    ]
    assert rows[2]["corrected_share"] == pytest.approx(0.6 * 0.02)
    assert sum(row["corrected_share"] for row in rows) == pytest.approx(1)


@pytest.mark.parametrize(
    ("counted", "judged", "told", "changes", "why"),
    [
        pytest.param(COUNTED, {PROMPT: 1000}, 1, None, "there is no gold.yaml", id="no gold set"),
        pytest.param(
            COUNTED, {PROMPT: 970, "ba9876543210": 30}, 1, {}, "judged 970 of 1000 conversations", id="another prompt"
        ),
        pytest.param(
            COUNTED, {PROMPT: 1000}, 1, {"taxonomy_version": "ba9876543210"}, "of taxonomy", id="another taxonomy"
        ),
        pytest.param(COUNTED, {PROMPT: 1000}, 1, {"counts": {CODING: {CODING: 9}}}, "400 of 1000", id="too few labels"),
        pytest.param(COUNTED, {PROMPT: 1000}, 0.9, {}, "hold 90.0% of the conversations", id="not all are told"),
    ],
)
def test_without_a_fitting_gold_set_shares_stay_as_counted_and_the_log_says_why(
    local_aws, stage, gold, capsys, counted, judged, told, changes, why
):
    stage(counted, judged, told=told)
    path = gold(**changes or {})
    if changes is None:
        path.unlink()

    rows = written(local_aws, correct(path)["prefix"])

    assert [(row["category"], row["conversations"]) for row in rows] == list(counted.items())
    assert [row["share"] for row in rows] == pytest.approx([count / 1000 * told for count in counted.values()])
    for column in ("corrected_share", "corrected_low", "corrected_high", "gold_size"):
        assert [row[column] for row in rows] == [None] * 3
    [line] = [line for line in capsys.readouterr().out.splitlines() if "none is corrected" in line]
    assert why in line


def test_where_nothing_is_counted_there_is_no_row(local_aws, stage, gold):
    stage({}, {})

    assert written(local_aws, correct(gold())["prefix"]) == []


def test_a_wrong_gold_set_is_no_matter_of_retries(stage, gold):
    stage(COUNTED, {PROMPT: 1000})

    with pytest.raises(AirflowFailException, match="no categories of the taxonomy: 'codng'"):
        correct(gold(counts={CODING: {"codng": 3}}))


def test_another_try_writes_to_a_prefix_of_its_own_and_is_the_one_that_counts(local_aws, stage, gold):
    stage(COUNTED, {PROMPT: 1000})

    first, second = correct(gold()), correct(gold())

    assert first["prefix"] != second["prefix"]
    assert len(written(local_aws, second["prefix"])) == 3
