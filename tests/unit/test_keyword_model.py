"""The stand-in's keyword model: sensible, repeatable, bounded; no judge of anything."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from demo.generator import shipped_conversations
from local_aws.bedrock.keyword_model import CATEGORIES, MAX_TURN_HEAD, MAX_TURNS, judge

ROOT = Path(__file__).parents[2]
REAL = ROOT / "../shared/data/conversations.jsonl"


def _judge_all(conversations):
    return [judge([(turn["role"], turn["content"]) for turn in one["turns"]]) for one in conversations]


@pytest.mark.parametrize(
    ("category", "text"),
    [
        pytest.param("coding", "このPythonの関数のバグを直して", id="coding-ja"),
        pytest.param("coding", "Write a bash script that renames all files in a folder", id="coding-en"),
        pytest.param("writing", "取引先へのお詫びメールを書いてください", id="writing-ja"),
        pytest.param("writing", "Draft a press release about our new plant", id="writing-en"),
        pytest.param("translation", "次の文を英語に翻訳してください", id="translation-ja"),
        pytest.param("summarization", "Summarize the notes below in three sentences", id="summarization-en"),
        pytest.param("data_analysis", "ライン別の不良率を集計して傾向を分析してください", id="data-ja"),
        pytest.param("research", "国内の競合の動向を調査してください", id="research-ja"),
        pytest.param("brainstorming", "Give me ideas for the name of a canteen", id="brainstorming-en"),
        pytest.param("learning", "減価償却の仕組みをわかりやすく説明してください", id="learning-ja"),
        pytest.param("office", "出張旅費の精算の手続きは？", id="office-ja"),
        pytest.param("other", "こんにちは", id="other-ja"),
        pytest.param("other", "qwertz", id="nothing-recognized"),
    ],
)
def test_a_plain_request_gets_the_category_its_words_name(category, text):
    assert judge([("user", text)])[0] == category


def test_a_short_word_is_not_found_inside_a_longer_one():
    # "code" in "decoded", "app" in "happy", "api" in "capital": none of them is a request for code
    assert judge([("user", "decoded happy capital")])[0] == "other"


def test_the_request_outweighs_what_is_pasted_below_it():
    paste = "\n\nThe email asked for code, a script, a translation, data and ideas. " * 3

    assert judge([("user", "Summarize this for me please, key points only:" + paste)])[0] == "summarization"


def test_only_the_person_counts():
    asked = [("user", "減価償却とは何ですか")]
    answered = [*asked, ("assistant", "```python\nimport code\n``` script function class"), ("tool", "sql query")]

    assert judge(answered) == judge(asked)


@pytest.mark.parametrize("turns", [[], [("assistant", "Hello")], [("user", "")], [("user", " \n\u3000")]])
def test_a_conversation_without_a_word_of_the_person_is_other_with_the_lowest_score(turns):
    assert judge(turns) == ("other", 1)


def test_the_score_rises_with_context_constraints_and_form():
    request = "Write an email about the delay of pump KX-200"
    context, constraint = "Our customer has been waiting since Monday.", "Avoid jargon and do not mention the price."
    form = "Add a subject line; three paragraphs, the last one names the two dates on which we could deliver."
    steps = ["email", request, f"{request}. {context}", f"{request}. {context} {constraint}"]
    steps.append(f"{steps[-1]} {form}")

    assert [judge([("user", step)])[1] for step in steps] == [1, 2, 3, 4, 5]


def test_long_texts_are_read_at_their_edges_only():
    head, tail = "Summarize this report. " + "a" * MAX_TURN_HEAD, "b" * 400

    short = judge([("user", head + "." * 300 + tail)])
    long = judge([("user", head + " def code(): pass" * 100_000 + tail)] * MAX_TURNS * 100)

    assert short[0] == long[0] == "summarization"


def test_the_same_text_gets_the_same_answer_in_another_process():
    rows = shipped_conversations()[:80]
    script = """if True:
        import json, sys
        from local_aws.bedrock.keyword_model import judge
        print(json.dumps([judge(turns) for turns in json.load(sys.stdin)]))"""
    turns = [[(turn["role"], turn["content"]) for turn in row["turns"]] for row in rows]

    done = subprocess.run(
        [sys.executable, "-c", script], input=json.dumps(turns), capture_output=True, text=True, check=True, cwd=ROOT,
        env={"PYTHONHASHSEED": "7"},
    )  # fmt: skip

    assert [tuple(answer) for answer in json.loads(done.stdout)] == _judge_all(rows)


def test_its_categories_are_those_of_the_taxonomy():
    taxonomy = yaml.safe_load((ROOT / "include/prompts/taxonomy.yaml").read_text(encoding="utf-8"))

    assert [category["key"] for category in taxonomy["categories"]] == list(CATEGORIES)


def test_over_the_shipped_conversations_every_category_and_score_occurs_and_none_swallows_the_rest():
    answers = _judge_all(shipped_conversations())

    categories = Counter(category for category, _ in answers)
    assert set(categories) == set(CATEGORIES)
    assert max(categories.values()) < 0.3 * len(answers)
    assert {score for _, score in answers} == {1, 2, 3, 4, 5}


@pytest.mark.skipif(not REAL.exists(), reason="the real conversations are not part of the repository")
def test_on_real_conversations_it_mostly_agrees_with_labels_that_mean_the_same():
    rows = [json.loads(line) for line in REAL.read_text(encoding="utf-8").splitlines()]

    answers = _judge_all(rows)

    agreeing = Counter(
        row["label"] for row, (category, _) in zip(rows, answers, strict=True) if row["label"] == category
    )
    labelled = Counter(row["label"] for row in rows)
    assert agreeing["coding"] / labelled["coding"] >= 0.9
    assert agreeing["writing"] / labelled["writing"] >= 0.75
    assert {category for category, _ in answers} == set(CATEGORIES)
    assert {score for _, score in answers} == {1, 2, 3, 4, 5}
