"""
The rules of `read_answer` as cases: what a model said, how its reply ended, and what that means.

To add a case, add a line to the group of its outcome. An answer that is no text stands for the input of the tool.
"""

from dataclasses import dataclass

from chatcensus.answer import Judgement, Reason


@dataclass(frozen=True)
class Case:
    """One answer and what it means."""

    id: str
    answer: object
    expected: Judgement | Reason
    stop_reason: str | None = "end_turn"


def says(category: str, inquiry_score: int) -> str:
    """The text of a well-formed answer."""
    return f'{{"category": "{category}", "inquiry_score": {inquiry_score}}}'


GOOD = says("office", 2)
FENCE = "```"

ACCEPTED = [
    Case("plain", GOOD, Judgement("office", 2)),
    Case("no-white-space", '{"category":"office","inquiry_score":2}', Judgement("office", 2)),
    Case("score-first", '{"inquiry_score": 5, "category": "learning"}', Judgement("learning", 5)),
    Case("over-several-lines", '{\r\n\t"category" :\n"learning" ,\t"inquiry_score"\n: 5 }', Judgement("learning", 5)),
    Case("tool-input", {"category": "coding", "inquiry_score": 1}, Judgement("coding", 1), "tool_use"),
    Case("tool-input-as-text", says("coding", 1), Judgement("coding", 1), "tool_use"),
    Case("tool-input-in-capitals", {"category": "Coding", "inquiry_score": 1}, Judgement("coding", 1), "tool_use"),
    Case("lowest-score", says("translation", 1), Judgement("translation", 1)),
    Case("highest-score", says("translation", 5), Judgement("translation", 5)),
    Case("other-when-the-model-says-so", says("other", 3), Judgement("other", 3)),
    Case("no-stop-reason", GOOD, Judgement("office", 2), None),
    Case("stop-reason-of-the-future", GOOD, Judgement("office", 2), "ended_gracefully"),
    Case("malformed-says-bedrock-yet-it-is-whole", GOOD, Judgement("office", 2), "malformed_model_output"),
    Case("empty-stop-reason", GOOD, Judgement("office", 2), ""),
    Case("capitals", says("RESEARCH", 4), Judgement("research", 4)),
    Case("mixed-case-with-underscore", says("Data_Analysis", 4), Judgement("data_analysis", 4)),
    Case("full-width-letters", says("ｗｒｉｔｉｎｇ", 4), Judgement("writing", 4)),
    Case("long-s-is-an-s", says("re\u017fearch", 4), Judgement("research", 4)),
    Case("circled-letters", says("ⓒⓞⓓⓘⓝⓖ", 4), Judgement("coding", 4)),
    Case("escaped-name-and-value", r'{"\u0063ategory": "offi\u0063e", "inquiry_score": 2}', Judgement("office", 2)),
    Case("byte-order-mark", "\ufeff" + GOOD, Judgement("office", 2)),
    Case("byte-order-mark-then-space", "\ufeff \n" + GOOD, Judgement("office", 2)),
    Case("white-space-of-unicode", "\u2003\u3000\xa0\x85" + GOOD + "\u2028\u2029\v\f", Judgement("office", 2)),
    Case("fenced", f"{FENCE}json\n{GOOD}\n{FENCE}", Judgement("office", 2)),
    Case("fenced-without-a-language", f"{FENCE}\n{GOOD}\n{FENCE}", Judgement("office", 2)),
    Case("fenced-in-capitals", f"{FENCE}JSON\n{GOOD}\n{FENCE}", Judgement("office", 2)),
    Case("fenced-in-one-line", f"{FENCE}json{GOOD}{FENCE}", Judgement("office", 2)),
    Case("fenced-with-white-space", f" \n{FENCE}json \n\n {GOOD}\u3000\n{FENCE}\n\n", Judgement("office", 2)),
]  # fmt: skip

TRUNCATED = [
    Case("whole-but-out-of-room", GOOD, Reason.TRUNCATED, "max_tokens"),
    Case("cut", '{"category": "off', Reason.TRUNCATED, "max_tokens"),
    Case("cut-tool-input", {"category": "office", "inquiry_score": 2}, Reason.TRUNCATED, "max_tokens"),
    Case("context-window", "", Reason.TRUNCATED, "model_context_window_exceeded"),
]

REFUSED = [
    Case("refusal", GOOD, Reason.REFUSED, "refusal"),
    Case("filtered", None, Reason.REFUSED, "content_filtered"),
    Case("guardrail", "Sorry, the model cannot answer this.", Reason.REFUSED, "guardrail_intervened"),
]

EMPTY = [
    Case("neither-text-nor-tool", None, Reason.EMPTY),
    Case("no-character", "", Reason.EMPTY),
    Case("white-space-only", " \u3000\n", Reason.EMPTY),
    Case("byte-order-mark-only", "\ufeff", Reason.EMPTY),
    Case("empty-fence", f"{FENCE}{FENCE}", Reason.EMPTY),
    Case("fence-of-white-space", f"{FENCE}json \n {FENCE}", Reason.EMPTY),
]

NOT_JSON = [
    Case("prose", "The category is office and the score is 2.", Reason.NOT_JSON),
    Case("prose-in-japanese", "カテゴリは office、スコアは 2 です。", Reason.NOT_JSON),
    Case("a-refusal-in-prose", "I cannot help with that.", Reason.NOT_JSON),
    Case("bare-key", "office", Reason.NOT_JSON),
    Case("cut-without-a-stop-reason", '{"category": "office", "inquiry', Reason.NOT_JSON),
    Case("trailing-comma", '{"category": "office", "inquiry_score": 2,}', Reason.NOT_JSON),
    Case("leading-comma", '{,"category": "office", "inquiry_score": 2}', Reason.NOT_JSON),
    Case("no-comma", '{"category": "office" "inquiry_score": 2}', Reason.NOT_JSON),
    Case("single-quotes", "{'category': 'office', 'inquiry_score': 2}", Reason.NOT_JSON),
    Case("names-without-quotes", '{category: "office", inquiry_score: 2}', Reason.NOT_JSON),
    Case("comment", '{"category": "office", /* sure */ "inquiry_score": 2}', Reason.NOT_JSON),
    Case("not-a-number", '{"category": "office", "inquiry_score": NaN}', Reason.NOT_JSON),
    Case("infinity", '{"category": "office", "inquiry_score": -Infinity}', Reason.NOT_JSON),
    Case("plus-sign", '{"category": "office", "inquiry_score": +2}', Reason.NOT_JSON),
    Case("leading-zero", '{"category": "office", "inquiry_score": 02}', Reason.NOT_JSON),
    Case("hexadecimal", '{"category": "office", "inquiry_score": 0x2}', Reason.NOT_JSON),
    Case("full-width-digit", '{"category": "office", "inquiry_score": ２}', Reason.NOT_JSON),
    Case("python-words", '{"category": None, "inquiry_score": True}', Reason.NOT_JSON),
    Case("line-break-in-a-string", '{"category": "off\nice", "inquiry_score": 2}', Reason.NOT_JSON),
    Case("nul-in-a-string", '{"category": "office\x00", "inquiry_score": 2}', Reason.NOT_JSON),
    Case("unknown-escape", r'{"category": "\office", "inquiry_score": 2}', Reason.NOT_JSON),
    Case("half-an-escape", r'{"category": "\u00", "inquiry_score": 2}', Reason.NOT_JSON),
    Case("same-name-twice", '{"category": "office", "inquiry_score": 2, "category": "office"}', Reason.NOT_JSON),
    Case("same-name-once-escaped", r'{"category": "office", "inquiry_score": 2, "\u0063ategory": 1}', Reason.NOT_JSON),
    Case("same-name-twice-inside", '{"a": [{"b": 1, "b": [[1]]}]}', Reason.NOT_JSON),
    Case("space-of-unicode-inside", '{"category":\u3000"office", "inquiry_score": 2}', Reason.NOT_JSON),
    Case("lone-surrogate-in-prose", "\ud83d", Reason.NOT_JSON),
    Case("65-levels", "[" * 65 + "]" * 65, Reason.NOT_JSON),
    Case("many-levels", "[" * 10_000, Reason.NOT_JSON),
    Case("many-levels-of-objects", '{"a":' * 10_000, Reason.NOT_JSON),
]

EXTRA_TEXT = [
    Case("before", f"Here you are: {GOOD}", Reason.EXTRA_TEXT),
    Case("after", f"{GOOD} Is there anything else?", Reason.EXTRA_TEXT),
    Case("full-stop", f"{GOOD}.", Reason.EXTRA_TEXT),
    Case("reasoning-in-a-tag", f"<thinking>hm</thinking>{GOOD}", Reason.EXTRA_TEXT),
    Case("fence-after-prose", f"Sure!\n{FENCE}json\n{GOOD}\n{FENCE}", Reason.EXTRA_TEXT),
    Case("fence-left-open", f"{FENCE}json\n{GOOD}", Reason.EXTRA_TEXT),
    Case("fence-closed-only", f"{GOOD}\n{FENCE}", Reason.EXTRA_TEXT),
    Case("four-backquotes", f"`{FENCE}json\n{GOOD}\n{FENCE}`", Reason.EXTRA_TEXT),
    Case("fence-in-a-fence", f"{FENCE}\n{FENCE}json\n{GOOD}\n{FENCE}\n{FENCE}", Reason.EXTRA_TEXT),
    Case("language-with-a-digit", f"{FENCE}json5\n{GOOD}\n{FENCE}", Reason.EXTRA_TEXT),
    Case("two-byte-order-marks", f"\ufeff\ufeff{GOOD}", Reason.EXTRA_TEXT),
    Case("byte-order-mark-after-a-space", f" \ufeff{GOOD}", Reason.EXTRA_TEXT),
    Case("zero-width-space", f"{GOOD}\u200b", Reason.EXTRA_TEXT),
    Case("information-separator", f"{GOOD}\x1c", Reason.EXTRA_TEXT),
    Case("object-cut-out-of-a-broken-one", f'{{"answer": {GOOD}', Reason.EXTRA_TEXT),
    Case("object-in-a-broken-array", f"[{GOOD}", Reason.EXTRA_TEXT),
    Case("deep-then-whole", "[" * 65 + GOOD + "]" * 65, Reason.EXTRA_TEXT),
]

SEVERAL_OBJECTS = [
    Case("one-after-the-other", GOOD + GOOD, Reason.SEVERAL_OBJECTS),
    Case("on-two-lines", f"{GOOD}\n{says('other', 1)}", Reason.SEVERAL_OBJECTS),
    Case("example-then-answer", f"For example {GOOD}, but here {says('coding', 4)}.", Reason.SEVERAL_OBJECTS),
    Case("an-empty-one-too", f"{{}}{GOOD}", Reason.SEVERAL_OBJECTS),
    Case("hundreds", GOOD * 500, Reason.SEVERAL_OBJECTS),
]

WRONG_TYPE = [
    Case("array", f"[{GOOD}]", Reason.WRONG_TYPE),
    Case("string", '"office"', Reason.WRONG_TYPE),
    Case("number", "2", Reason.WRONG_TYPE),
    Case("null", "null", Reason.WRONG_TYPE),
    Case("json-in-a-string", r'"{\"category\": \"office\", \"inquiry_score\": 2}"', Reason.WRONG_TYPE),
    Case("tool-array", [{"category": "office", "inquiry_score": 2}], Reason.WRONG_TYPE, "tool_use"),
    Case("tool-true", True, Reason.WRONG_TYPE, "tool_use"),
    Case("tool-number", 2, Reason.WRONG_TYPE, "tool_use"),
    Case("score-with-a-fraction", '{"category": "office", "inquiry_score": 2.0}', Reason.WRONG_TYPE),
    Case("score-with-an-exponent", '{"category": "office", "inquiry_score": 2e0}', Reason.WRONG_TYPE),
    Case("score-beyond-every-float", '{"category": "office", "inquiry_score": 1e400}', Reason.WRONG_TYPE),
    Case("score-in-quotes", '{"category": "office", "inquiry_score": "2"}', Reason.WRONG_TYPE),
    Case("score-true", '{"category": "office", "inquiry_score": true}', Reason.WRONG_TYPE),
    Case("score-null", '{"category": "office", "inquiry_score": null}', Reason.WRONG_TYPE),
    Case("score-in-an-array", '{"category": "office", "inquiry_score": [2]}', Reason.WRONG_TYPE),
    Case("tool-score-a-float", {"category": "office", "inquiry_score": 2.0}, Reason.WRONG_TYPE, "tool_use"),
    Case("category-null", '{"category": null, "inquiry_score": 2}', Reason.WRONG_TYPE),
    Case("category-an-object", '{"category": {"key": "office"}, "inquiry_score": 2}', Reason.WRONG_TYPE),
    Case("type-before-range", '{"category": 1, "inquiry_score": 9}', Reason.WRONG_TYPE),
]

MISSING_FIELD = [
    Case("no-field", "{}", Reason.MISSING_FIELD),
    Case("no-score", '{"category": "office"}', Reason.MISSING_FIELD),
    Case("no-category", '{"inquiry_score": 2}', Reason.MISSING_FIELD),
    Case("name-in-capitals", '{"Category": "office", "inquiry_score": 2}', Reason.MISSING_FIELD),
    Case("name-with-a-space", '{"category ": "office", "inquiry_score": 2}', Reason.MISSING_FIELD),
    Case("name-in-japanese", '{"カテゴリ": "office", "inquiry_score": 2}', Reason.MISSING_FIELD),
    Case("one-level-too-deep", f'{{"evaluation": {GOOD}}}', Reason.MISSING_FIELD),
    Case("tool-without-input", {}, Reason.MISSING_FIELD, "tool_use"),
]

EXTRA_FIELD = [
    Case("reasons", '{"category": "office", "inquiry_score": 2, "why": "a form"}', Reason.EXTRA_FIELD),
    Case("extra-before-type", '{"category": 1, "inquiry_score": "9", "x": 0}', Reason.EXTRA_FIELD),
    Case("tool-extra", {"category": "office", "inquiry_score": 2, "": None}, Reason.EXTRA_FIELD, "tool_use"),
]

UNKNOWN_CATEGORY = [
    Case("near-miss", says("offices", 2), Reason.UNKNOWN_CATEGORY),
    Case("label-in-japanese", says("翻訳", 2), Reason.UNKNOWN_CATEGORY),
    Case("label-in-english", says("Office work", 2), Reason.UNKNOWN_CATEGORY),
    Case("space-around", says(" office ", 2), Reason.UNKNOWN_CATEGORY),
    Case("space-for-underscore", says("data analysis", 2), Reason.UNKNOWN_CATEGORY),
    Case("two-in-one", says("office, coding", 2), Reason.UNKNOWN_CATEGORY),
    Case("empty", says("", 2), Reason.UNKNOWN_CATEGORY),
    Case("cyrillic-look-alike", says("\u043effice", 2), Reason.UNKNOWN_CATEGORY),
    Case("zero-width-joiner", says("of\u200dfice", 2), Reason.UNKNOWN_CATEGORY),
    Case("soft-hyphen", says("of\u00adfice", 2), Reason.UNKNOWN_CATEGORY),
    Case("lone-surrogate", r'{"category": "\ud800", "inquiry_score": 2}', Reason.UNKNOWN_CATEGORY),
    Case("category-before-range", says("none", 9), Reason.UNKNOWN_CATEGORY),
    Case("markup", says("<b>office</b>", 2), Reason.UNKNOWN_CATEGORY),
]

SCORE_OUT_OF_RANGE = [
    Case("zero", says("office", 0), Reason.SCORE_OUT_OF_RANGE),
    Case("six", says("office", 6), Reason.SCORE_OUT_OF_RANGE),
    Case("negative", says("office", -1), Reason.SCORE_OUT_OF_RANGE),
    Case("minus-zero", '{"category": "office", "inquiry_score": -0}', Reason.SCORE_OUT_OF_RANGE),
    Case("twenty-one-digits", f'{{"category": "office", "inquiry_score": {"1" * 21}}}', Reason.SCORE_OUT_OF_RANGE),
    Case("five-thousand-digits", f'{{"category": "office", "inquiry_score": {"9" * 5000}}}', Reason.SCORE_OUT_OF_RANGE),
    Case("tool-score", {"category": "office", "inquiry_score": 10**30}, Reason.SCORE_OUT_OF_RANGE, "tool_use"),
]

GROUPS = {
    "accepted": ACCEPTED,
    "truncated": TRUNCATED,
    "refused": REFUSED,
    "empty": EMPTY,
    "not_json": NOT_JSON,
    "extra_text": EXTRA_TEXT,
    "several_objects": SEVERAL_OBJECTS,
    "wrong_type": WRONG_TYPE,
    "missing_field": MISSING_FIELD,
    "extra_field": EXTRA_FIELD,
    "unknown_category": UNKNOWN_CATEGORY,
    "score_out_of_range": SCORE_OUT_OF_RANGE,
}
