"""The gold set: what its file may say, and whose judgements it measures."""

from pathlib import Path

import pytest
import yaml

from chatcensus.errors import SetupError
from chatcensus.gold import GoldSet, misfit, read_gold
from tests.fakes import TAXONOMY

CODING, WRITING = (category.key for category in TAXONOMY.categories[:2])
FILE = {
    "model": "a-model",
    "prompt_version": "0123456789ab",
    "taxonomy_version": TAXONOMY.version,
    "labelled_by": "two people of the data team",
    "labelled_on": "2026-11-20",
    "counts": {CODING: {CODING: 40, WRITING: 2}, WRITING: {WRITING: 58}},
}
JUDGE = ("a-model", "0123456789ab")
GOLD = GoldSet.model_validate(FILE)


def read(tmp_path: Path, **changes: object) -> GoldSet | None:
    path = tmp_path / "gold.yaml"
    path.write_text(yaml.safe_dump(FILE | changes), encoding="utf-8")
    return read_gold(path, TAXONOMY)


def test_labels_are_read_and_counted(tmp_path: Path):
    gold = read(tmp_path)

    assert gold == GOLD
    assert gold.size == 100


def test_there_may_be_no_gold_set(tmp_path: Path):
    assert read_gold(tmp_path / "gold.yaml", TAXONOMY) is None


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        pytest.param({"counts": {CODING: {"codng": 3}}}, "no categories of the taxonomy: 'codng'", id="a true one"),
        pytest.param(
            {"counts": {"(few)": {CODING: 3}}}, r"no categories of the taxonomy: '\(few\)'", id="a counted one"
        ),
        pytest.param(
            {"counts": {CODING: {CODING: -1}}}, f"counts.{CODING}.{CODING}: .*greater than or equal", id="below 0"
        ),
        pytest.param({"counts": {CODING: {CODING: 1.0}}}, f"counts.{CODING}.{CODING}: .*integer", id="no whole number"),
        pytest.param({"counts": {CODING: {CODING: True}}}, f"counts.{CODING}.{CODING}: .*integer", id="no number"),
        pytest.param({"counts": {}}, "at least one label", id="no row"),
        pytest.param({"counts": {CODING: {CODING: 0}}}, "at least one label", id="no label"),
        pytest.param({"prompt_version": "v3"}, "prompt_version: String should match", id="no prompt version"),
        pytest.param({"labelled_on": "2026-02-30"}, "labelled_on", id="no date"),
        pytest.param({"labeled_by": "us"}, "labeled_by: Extra inputs .*correct its name", id="an unknown field"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(tmp_path: Path, changes: dict[str, object], complaint: str):
    with pytest.raises(SetupError, match=rf"gold\.yaml: .*{complaint}"):
        read(tmp_path, **changes)


def test_a_gold_set_of_another_taxonomy_may_have_its_categories(tmp_path: Path):
    gold = read(tmp_path, taxonomy_version="ba9876543210", counts={"retired": {"retired": 3}})

    assert gold
    assert misfit(gold, {JUDGE: 9}, TAXONOMY) == (
        f"the gold set is of taxonomy ba9876543210, conversations are judged by {TAXONOMY.version}"
    )


@pytest.mark.parametrize(
    ("judged", "why"),
    [
        pytest.param({JUDGE: 100}, None, id="all"),
        pytest.param({JUDGE: 98, ("b-model", "0123456789ab"): 2}, None, id="nearly all"),
        pytest.param(
            {JUDGE: 97, ("b-model", "0123456789ab"): 3}, "judged 97 of 100 conversations, 98% are needed", id="most"
        ),
        pytest.param({("a-model", "ba9876543210"): 5}, "judged 0 of 5 conversations", id="by another prompt"),
        pytest.param({}, None, id="nothing is judged yet"),
    ],
)
def test_a_gold_set_measures_one_model_with_one_prompt(judged: dict[tuple[str, str], int], why: str | None):
    found = misfit(GOLD, judged, TAXONOMY)

    assert (found is None) if why is None else why in str(found)
