"""Gold rows: what a file of them may hold, our own set, and what is imported from others."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from chatcensus.__main__ import app
from chatcensus.conversation import Turn
from chatcensus.crosswalk import Crosswalk
from chatcensus.errors import SetupError
from chatcensus.gold_import import imported, taxonomy_of
from chatcensus.gold_rows import GoldRow, GoldRows, gold_version, read_gold_rows, write_gold_rows
from chatcensus.include import read_yaml
from chatcensus.taxonomy import Taxonomy
from tests.fakes import INCLUDE, TAXONOMY

CANARY = "canary-0815"
DAY = date(2026, 11, 1)
SHARED = Path(__file__).parents[3] / "shared/data/conversations.jsonl"


def row(name: str = "g1", **changes: Any) -> GoldRow:
    plain = {"id": name, "language": "en", "turns": [{"role": "user", "text": f"Fix it {CANARY}"}],
             "category": "coding", "inquiry_score": 2, "taxonomy_version": TAXONOMY.version,
             "labelled_by": "the tests", "labelled_on": DAY}  # fmt: skip
    return GoldRow.model_validate(plain | changes)


# The files


def test_rows_are_read_as_they_were_written_whatever_their_text_holds(tmp_path: Path):
    rows = [
        row("g1", turns=[Turn("user", 'one\u2028two\x85three\n"four"')]),
        row("g2", turns=None, content_hash="0" * 32),
    ]

    write_gold_rows(tmp_path / "a.jsonl", rows)

    assert read_gold_rows(tmp_path, TAXONOMY, Crosswalk()) == GoldRows(rows)


def test_rows_of_another_taxonomy_are_left_out_and_counted(tmp_path: Path):
    write_gold_rows(tmp_path / "a.jsonl", [row("g1", taxonomy_version="f" * 12, category="gone"), row("g2")])

    found = read_gold_rows(tmp_path, TAXONOMY, Crosswalk())

    assert ([each.id for each in found.rows], found.foreign) == (["g2"], 1)
    assert list(found.left_out()) == [
        "left out: 1 of another taxonomy, from which no step of crosswalk.yaml leads here"
    ]


def test_no_folder_has_no_rows(tmp_path: Path):
    assert read_gold_rows(tmp_path / "none", TAXONOMY, Crosswalk()) == GoldRows()


def crosswalk(to: str = TAXONOMY.version) -> Crosswalk:
    """What was `programming` is `coding`; then `other` was split, and `office` was one of its parts."""
    steps = [
        {"from": "1" * 12, "to": "2" * 12, "since": DAY, "renamed": {"programming": "coding"}},
        {"from": "2" * 12, "to": to, "since": DAY, "split": {"other": ["other", "office"]}},
    ]
    return Crosswalk.model_validate({"steps": steps})


def test_older_rows_are_taken_by_their_name_of_today_and_those_of_a_split_category_wait_for_a_person(tmp_path: Path):
    older = [row("g1", category="programming"), row("g2", category="other"), row("g3", category="writing")]
    rows = [each.model_copy(update={"taxonomy_version": "1" * 12}) for each in older]
    write_gold_rows(tmp_path / "a.jsonl", [*rows, row("g4", category="other"), row("g5", taxonomy_version="3" * 12)])

    found = read_gold_rows(tmp_path, TAXONOMY, crosswalk())

    assert [(each.id, each.category, each.taxonomy_version) for each in found.rows] == [
        ("g1", "coding", TAXONOMY.version),
        ("g3", "writing", TAXONOMY.version),
        ("g4", "other", TAXONOMY.version),
    ]
    assert (found.split, found.foreign) == (["g2"], 1)
    assert next(found.left_out()) == "left out: 1 whose category was split, to be labelled again: g2"


def test_steps_that_lead_to_another_taxonomy_take_no_row_with_them(tmp_path: Path):
    write_gold_rows(tmp_path / "a.jsonl", [row("g1", taxonomy_version="1" * 12)])

    assert read_gold_rows(tmp_path, TAXONOMY, crosswalk(to="4" * 12)) == GoldRows(foreign=1)


def test_an_id_stands_once_also_where_one_of_the_two_waits_for_a_person(tmp_path: Path):
    old = row("g1", category="other", taxonomy_version="2" * 12)
    write_gold_rows(tmp_path / "a.jsonl", [old, row("g1", category="office")])

    with pytest.raises(SetupError, match="line 2 has an id that another gold row has"):
        read_gold_rows(tmp_path, TAXONOMY, crosswalk())


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        pytest.param([f"not JSON {CANARY}"], "line 1 is no gold row", id="not JSON"),
        pytest.param([json.dumps({"id": CANARY})], "line 1 is no gold row", id="fields that are missing"),
        pytest.param([row().model_dump_json().replace('"inquiry_score":2', '"inquiry_score":6')], "line 1", id="score"),
        pytest.param(
            [row().model_dump_json().replace('"content_hash":null', '"content_hash":"0"')], "line 1", id="both"
        ),
        pytest.param(
            [row(category=CANARY).model_dump_json()], "line 1 has a category", id="a category that is not there"
        ),
        pytest.param(["", row().model_dump_json(), row().model_dump_json()], "line 3 has an id", id="an id twice"),
    ],
)
def test_a_line_that_is_no_gold_row_is_named_and_not_quoted(tmp_path: Path, lines: list[str], told: str):
    (tmp_path / "a.jsonl").write_text("\n".join(lines))

    with pytest.raises(SetupError, match=told) as refused:
        read_gold_rows(tmp_path, TAXONOMY, Crosswalk())

    assert CANARY not in str(refused.value)


def test_other_rows_have_another_version_and_another_order_has_not():
    first, second = row("g1"), row("g2")

    assert gold_version([first, second]) == gold_version([second, first])
    others = [row("g1", category="writing"), row("g1", inquiry_score=3), row("g1", turns=[Turn("user", "Fix")])]
    assert len({gold_version([each, second]) for each in [first, *others]}) == 4


def test_a_file_that_is_not_utf_8_is_named_and_not_quoted(tmp_path: Path):
    (tmp_path / "a.jsonl").write_bytes(b"\xff" + CANARY.encode())

    with pytest.raises(SetupError, match=r"a\.jsonl: cannot be read \(UnicodeDecodeError\)") as refused:
        read_gold_rows(tmp_path, TAXONOMY, Crosswalk())

    assert CANARY not in str(refused.value)


# Our own set


CROSSWALK = read_yaml(INCLUDE / "prompts/crosswalk.yaml", Crosswalk)
OURS = read_gold_rows(INCLUDE / "gold", TAXONOMY, CROSSWALK).rows


def test_our_set_has_each_category_that_no_split_has_touched_three_times_in_each_language():
    found = Counter((each.language, each.category) for each in OURS if each.turns)
    parts = {
        CROSSWALK.today(step.after, key) for step in CROSSWALK.steps for keys in step.split.values() for key in keys
    }

    assert len(OURS) >= 60
    assert {(language, key): count for language in ("en", "ja") for key in TAXONOMY.keys - parts
            if (count := found[language, key]) < 3} == {}  # fmt: skip


def test_no_row_of_ours_is_of_a_taxonomy_from_which_no_step_leads_here():
    assert read_gold_rows(INCLUDE / "gold", TAXONOMY, CROSSWALK).foreign == 0


def test_no_text_of_ours_stands_in_the_prompt_whose_examples_the_model_has_before_it():
    prompt = (INCLUDE / "prompts/classify.md").read_text() + (INCLUDE / "prompts/taxonomy.yaml").read_text()

    assert [each.id for each in OURS for turn in each.turns or () if turn.role == "user" and len(turn.text) > 1
            and turn.text.rstrip("?？。") in prompt] == []  # fmt: skip


def test_our_set_has_every_score_in_each_language_and_conversations_of_several_turns():
    scores = Counter((each.language, each.inquiry_score) for each in OURS)

    assert all(scores[language, score] >= 4 for language in ("en", "ja") for score in range(1, 6))
    assert sum(len(each.turns or ()) > 1 for each in OURS) >= 8


def test_our_set_is_small_beside_what_is_deployed():
    assert sum(path.stat().st_size for path in (INCLUDE / "gold").iterdir()) < 100_000


# Imports


def labelled(name: str = "c1", label: str | None = "code", **changes: Any) -> str:
    turns = [{"role": "user", "content": f"Fix {name} {CANARY}"}, {"role": "assistant", "content": "Done"}]
    return json.dumps({"id": name, "language": "en", "label": label, "turns": turns, "source": "x"} | changes)


def of(*lines: str, labels: Mapping[str, str | None] | None = None) -> tuple[list[GoldRow], dict[str, list[int]]]:
    found = imported(lines, labels or {"code": "coding", "fun": None}, TAXONOMY, "others", DAY)
    assert CANARY not in "\n".join(found.lines())
    return found.rows, found.refused


def test_a_labelled_conversation_becomes_a_row_in_our_words():
    (found,), refused = of(labelled())

    assert found == row("c1", turns=[Turn("user", f"Fix c1 {CANARY}"), Turn("assistant", "Done")],
                        inquiry_score=None, labelled_by="others")  # fmt: skip
    assert refused == {}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param(f"not JSON {CANARY}", "not_a_row", id="not JSON"),
        pytest.param("[" * 100_000, "not_a_row", id="too deep"),
        pytest.param(json.dumps([CANARY]), "not_a_row", id="no object"),
        pytest.param(labelled("c2", id=7), "not_a_row", id="an id that is a number"),
        pytest.param(labelled("c2", id=f"a sentence {CANARY}"), "not_a_row", id="a text as its id"),
        pytest.param(labelled("c2", id="c\u202e2"), "not_a_row", id="a mark of direction in its id"),
        pytest.param(labelled("c2", id="c" * 129), "not_a_row", id="a long id"),
        pytest.param(labelled("c2", language=f"en {CANARY}"), "not_a_row", id="a text as its language"),
        pytest.param(labelled("c2", id=f"\ud800{CANARY}"), "not_a_row", id="half a character in its id"),
        pytest.param(labelled("c2", None), "unlabelled", id="no label"),
        pytest.param(labelled("c2", CANARY), "unmapped", id="a label that the map does not have"),
        pytest.param(labelled("c2", "fun"), "left_out", id="a label that the map leaves out"),
        pytest.param(labelled("c2", turns=[{"role": "user", "content": " \n"}]), "empty", id="nothing said"),
        pytest.param(labelled("c2", turns=[]), "empty", id="no turns"),
        pytest.param(labelled("c2", turns=[{"role": "user"}]), "unreadable", id="a turn without a text"),
        pytest.param(labelled("c2", turns=[{"role": "user", "content": "\ud800"}]), "empty", id="half a character"),
        pytest.param(labelled("c2", turns=[{"role": "user", "content": "a\ud800"}]), "unreadable", id="a half beside"),
        pytest.param(labelled("c1", turns=[{"role": "user", "content": "other"}]), "duplicate", id="an id twice"),
        pytest.param(labelled("c1").replace('"id": "c1"', '"id": "c2"'), "duplicate", id="a text twice"),
    ],
)
def test_a_line_that_cannot_be_a_row_is_counted_by_why_and_loses_no_other(line: str, reason: str):
    rows, refused = of(labelled(), line, "", labelled("c3"))

    assert [each.id for each in rows] == ["c1", "c3"]
    assert refused == {reason: [2]}


def test_labels_become_a_taxonomy_of_their_own():
    made = taxonomy_of([labelled("c1", "Stem & Math"), labelled("c2", "coding"), labelled("c3", None), "not JSON"])

    assert [category.key for category in made.categories] == ["stem_math", "coding"]


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param(["only"], id="one"),
        pytest.param([f"label{number}" for number in range(21)], id="too many"),
        pytest.param(["a b", "a-b"], id="two that are one"),
        pytest.param([f"{CANARY} {'x' * 40}", "fine"], id="a text"),
        pytest.param(["学習", "fine"], id="no Latin letter"),
    ],
)
def test_labels_that_no_taxonomy_can_be_made_of_are_refused_and_not_quoted(labels: list[str]):
    with pytest.raises(SetupError) as refused:
        taxonomy_of([labelled(f"c{at}", label) for at, label in enumerate(labels)])

    assert CANARY not in str(refused.value)


# The command


def run(*arguments: object) -> tuple[int, str]:
    ended = CliRunner().invoke(app, ["gold", "import", *map(str, arguments), "--include", str(INCLUDE)])
    if ended.exception and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    assert CANARY not in ended.output
    return ended.exit_code, ended.output


def test_the_command_says_counts_and_writes_a_new_file_only(tmp_path: Path):
    file, out, labels = tmp_path / "theirs.jsonl", tmp_path / "out.jsonl", tmp_path / "labels.yaml"
    file.write_text("\n".join([labelled("c1"), labelled("c2", CANARY), labelled("c3", None)]))
    labels.write_text("labels: {code: coding}\nlabelled_by: two people\nlabelled_on: 2026-05-01\n")

    code, shown = run(file, "--labels", labels, "--out", out)

    assert code == 0
    assert "1 rows taken, 2 not" in shown
    assert "1  unmapped, first in line 2" in shown
    kept = GoldRow.model_validate_json(out.read_text())
    assert (kept.labelled_by, kept.labelled_on) == ("two people", date(2026, 5, 1))
    with pytest.raises(SetupError, match="is there already"):
        run(file, "--labels", labels, "--out", out)


def test_a_file_without_a_row_writes_nothing_and_ends_with_1(tmp_path: Path):
    (tmp_path / "theirs.jsonl").write_text(labelled("c1", CANARY))

    code, shown = run(tmp_path / "theirs.jsonl", "--out", tmp_path / "out.jsonl")

    assert (code, shown.splitlines()[-1]) == (1, "Nothing was written")
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        pytest.param("labels: {code: programming}", "no categories of the taxonomy: 'programming'", id="no category"),
        pytest.param("code: coding", "labels: Field required", id="another form"),
        pytest.param("labels: {}", "labels: ", id="no labels"),
    ],
)
def test_a_wrong_map_is_refused_before_anything_is_written(tmp_path: Path, labels: str, told: str):
    (tmp_path / "theirs.jsonl").write_text(labelled())
    (tmp_path / "labels.yaml").write_text(labels)

    with pytest.raises(SetupError, match=told):
        run(tmp_path / "theirs.jsonl", "--labels", tmp_path / "labels.yaml", "--out", tmp_path / "out.jsonl")

    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize("content", [None, b"\xff\xfe" + CANARY.encode()], ids=["missing", "not UTF-8"])
def test_a_file_that_cannot_be_read_is_named_and_not_quoted(tmp_path: Path, content: bytes | None):
    if content:
        (tmp_path / "theirs.jsonl").write_bytes(content)

    with pytest.raises(SetupError, match="cannot be read as UTF-8 text") as refused:
        run(tmp_path / "theirs.jsonl")

    assert CANARY not in str(refused.value)


@pytest.mark.skipif(not SHARED.exists(), reason="the labelled conversations of others are not beside this repository")
def test_labelled_conversations_of_others_come_in_with_their_own_taxonomy_or_in_ours(tmp_path: Path):
    its, rows = tmp_path / "its.yaml", tmp_path / "rows"
    labels = tmp_path / "labels.yaml"
    ours = {"coding": "coding", "writing": "writing", "extraction": "data_analysis", "roleplay": "other",
            "stem": "learning", "humanities": "learning", "math": None, "reasoning": None}  # fmt: skip
    labels.write_text(yaml.safe_dump({"labels": ours}))

    assert "8 categories are in" in run(SHARED, "--taxonomy-out", its)[1]
    _, as_theirs = run(SHARED, "--taxonomy", its, "--out", rows / "theirs.jsonl")
    _, as_ours = run(SHARED, "--labels", labels, "--out", rows / "ours.jsonl")

    # Few of its conversations say the same twice; 350 carry no label.
    assert "350  unlabelled" in as_theirs
    found = read_gold_rows(rows, read_yaml(its, Taxonomy), CROSSWALK).rows
    assert len(found) == 160
    assert set(Counter(each.category for each in found).values()) == {20}
    assert "40  left_out" in as_ours
    assert len(read_gold_rows(rows, TAXONOMY, CROSSWALK).rows) == 120
