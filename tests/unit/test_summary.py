import json
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from chatcensus.dashboard import summary
from chatcensus.dashboard.figures import percent, points, usd_rounded
from chatcensus.dashboard.summary import summary_markdown

TEXTS = Path(summary.__file__).parent / "texts"
PLACES = {
    "page": "https://airflow.example/chatcensus/",
    "report": "s3://results/reports/edition=01-a-1/report.html",
    "tables": "s3://results/reports/edition=01-a-1/tables/readers/",
}
LABELS = {
    "coding": {"en": "Coding", "ja": "コーディング"},
    "writing": {"en": "Writing", "ja": "文章作成"},
    "research": {"en": "Research", "ja": "調査"},
    "learning": {"en": "Learning", "ja": "学習"},
}


def change(category: str, previous: float | None, share: float, is_more: bool, **more: Any) -> dict[str, Any]:
    """A row of category_trends for the week of 2026-09-21, or of what *more* says."""
    has_before = previous is not None
    return {
        "grain": "week",
        "period": "2026-09-21",
        "category": category,
        "share": share,
        "previous_share": previous,
        "change": share - previous if has_before else None,
        "change_low": share - previous - 0.05 if has_before else None,
        "change_high": share - previous + 0.05 if has_before else None,
        "is_more_than_noise": is_more if has_before else None,
        **more,
    }


TRENDS = [
    change("coding", 0.3, 0.421, True),
    change("writing", 0.4, 0.39, False),
    change("coding", 0.9, 0.3, True, period="2026-09-14"),
    change("coding", 0.2, 0.7, True, grain="month", period="2026-09-01"),
]
COUNTS = [
    {"category": "(few)", "conversations": 9, "share": 0.45},
    {"category": "writing", "conversations": 3, "share": 0.15},
    {"category": "coding", "conversations": 8, "share": 0.4},
]


def table(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Rows as a report holds them."""
    columns = list(rows[0]) if rows else []
    return {"columns": columns, "rows": [[row[name] for name in columns] for row in rows]}


def report(
    counts: list[dict[str, Any]] = COUNTS, trends: list[dict[str, Any]] = TRENDS, **changes: Any
) -> dict[str, Any]:
    weeks = [{"week": "2026-09-14"}, {"week": "2026-09-21"}]
    tables = {"category_counts": counts, "category_trends": trends, "weekly_usage": changes.pop("weeks", weeks)}
    return {
        "export_time": "2026-10-01T23:59:00Z",
        "told_until": "2026-10-05",
        "timezone": "Asia/Tokyo",
        "answered_by": ["claude"],
        "totals": {"conversations": 2016, "evaluated": 2014, "quarantined": 1, "pending": 1},
        "cost_micro_usd": 1_234_567,
        "labels": LABELS,
        "tables": {name: table(rows) for name, rows in tables.items()},
        **changes,
    }


def test_the_summary_tells_the_finding_the_counts_the_changes_and_where_to_read_on():
    assert summary_markdown(report(), "en", PLACES).splitlines() == [
        "Chat Census: 2,016 conversations, 2 categories. Most used: Coding, 40%.",
        "",
        "As of 2026-10-02 08:59 (Asia/Tokyo); what people use it for is told of complete weeks, through 2026-09-27.",
        "",
        "- 2,014 evaluated (>99.9% of all), 1 quarantined, 1 pending.",
        "- Judging all of them cost 1.23 USD.",
        "",
        "More than noise in the week of 2026-09-21, against the one told before it:",
        "",
        "- Coding: 30.0% to 42.1% (+12.1 points, 95% interval +7.1 to +17.1)",
        "",
        "- Dashboard: <https://airflow.example/chatcensus/>",
        "- Report: `s3://results/reports/edition=01-a-1/report.html`",
        "- Tables: `s3://results/reports/edition=01-a-1/tables/readers/`",
    ]


def test_the_summary_speaks_japanese():
    told = summary_markdown(report(), "ja", PLACES)

    assert "Chat Census: 会話2,016件、2カテゴリー。最も多い用途は「コーディング」で40%です。" in told
    assert "- コーディング: 30.0% から 42.1% へ(+12.1ポイント、95%区間 +7.1 ～ +17.1)" in told


def test_at_most_three_changes_are_told_the_largest_first_and_how_many_more_there_are():
    rows = [change(key, 0.2, share, True) for key, share in zip(LABELS, (0.25, 0.1, 0.4, 0.28), strict=True)]

    told = summary_markdown(report(trends=rows), "en", {})

    lines = [line for line in told.splitlines() if "interval" in line or "more in" in line]
    assert [line.split(":")[0] for line in lines] == [
        "- Research",
        "- Writing",
        "- Learning",
        "- and 1 more in the report",
    ]


def test_without_a_change_beyond_noise_the_summary_says_so():
    told = summary_markdown(report(trends=[change("coding", 0.3, 0.31, False)]), "en", {})

    assert "In the week of 2026-09-21 no category's share changed by more than noise." in told


def test_the_first_week_is_compared_with_nothing():
    told = summary_markdown(report(trends=[change("coding", None, 0.31, False)]), "en", {})

    assert "noise" not in told


def test_a_month_is_told_where_months_tell_more_categories_apart():
    rows = [
        change("coding", 0.3, 0.5, True),
        *(change(key, 0.2, 0.4, True, grain="month", period="2026-09-01") for key in ("coding", "writing")),
    ]

    told = summary_markdown(report(trends=rows), "en", {})

    assert "More than noise in 2026-09, against the month told before it:" in told


@pytest.mark.parametrize(
    ("counts", "totals", "told"),
    [
        pytest.param([], (0, 0), "there are no conversations in the table.", id="empty"),
        pytest.param([], (16, 0), "16 conversations, none evaluated yet.", id="unjudged"),
        pytest.param([], (16, 9), "16 conversations, none yet in a complete week of enough people.", id="early"),
        pytest.param(COUNTS[:1], (1, 1), "1 conversation, by too few people to tell what for.", id="pooled"),
    ],
)
def test_the_finding_says_why_there_is_none(counts, totals, told):
    conversations, evaluated = totals
    made = {"conversations": conversations, "evaluated": evaluated, "quarantined": 0, "pending": 0}

    written = summary_markdown(report(counts, [], totals=made, weeks=[]), "en", {})

    assert written.splitlines()[0] == f"Chat Census: {told}"
    assert "through 2026-10-04" in written
    assert ("evaluated (" in written) == (conversations > 0)


@pytest.mark.parametrize(
    ("answered_by", "notice"),
    [
        (["stand-in"], "These evaluations come from the local stand-in"),
        (["nobody", "stand-in"], "These evaluations come from the local stand-in"),
        (["claude", "stand-in"], "Some of these evaluations come from the local stand-in"),
    ],
)
def test_answers_of_the_stand_in_are_told_as_such(answered_by, notice):
    assert notice in summary_markdown(report(answered_by=answered_by), "en", {})
    assert "stand-in" not in summary_markdown(report(), "en", {})


@pytest.mark.parametrize(
    "hostile",
    [
        "<!channel>",
        "@here",
        "[a](http://evil.example)",
        "*bold* _it_ ~no~ `code`",
        "|a|b|",
        "# a\n- b\r\nc",
        "&lt;b&gt;",
        r"\*",
    ],
)
@pytest.mark.parametrize("is_label", [True, False])
def test_nothing_in_a_label_or_a_key_is_taken_for_markup_or_a_mention(hostile, is_label):
    key = "coding" if is_label else hostile
    labels = {"coding": {"en": hostile, "ja": hostile}} if is_label else {}
    rows = [change(key, 0.2, 0.4, True)]
    counts = [{"category": key, "conversations": 3, "share": 0.5}]

    told = summary_markdown(report(counts, rows, labels=labels), "en", {}).splitlines()
    plain = summary_markdown(report(counts, rows, labels={key: {"en": "x", "ja": "x"}}), "en", {}).splitlines()

    assert len(told) == len(plain)
    for with_label, without in zip(told, plain, strict=True):
        assert sorted(set(with_label) & set("<>*_[]`|@#~&\\")) == sorted(set(without) & set("<>*_[]`|@#~&\\"))
        assert with_label.count(":") == without.count(":")


def test_a_label_does_not_turn_the_digits_of_its_share_around():
    labels = {"coding": {"en": "\u202eCoding\u2067", "ja": "x"}}

    assert "Most used: Coding, 40%" in summary_markdown(report(labels=labels), "en", {})


def test_braces_in_a_label_are_text():
    labels = {"coding": {"en": "{0.__class__} {count}", "ja": "x"}}

    assert "Most used: {0.＿＿class＿＿} {count}, 40%" in summary_markdown(report(labels=labels), "en", {})


def test_both_languages_have_the_same_keys_and_the_same_values_to_fill_in():
    fields = [
        {key: {name for _, name, _, _ in Formatter().parse(words) if name} for key, words in json.loads(text).items()}
        for text in (path.read_text(encoding="utf-8") for path in sorted(TEXTS.glob("summary.*.json")))
    ]

    assert len(fields) == 2
    assert fields[0] == fields[1]


# Figures, which are written as the page writes them


@pytest.mark.parametrize(
    ("share", "digits", "shown"),
    [
        (None, 1, "–"), (0.0, 1, "0.0%"), (0.0004, 1, "<0.1%"), (0.001, 1, "0.1%"), (0.5, 0, "50%"), (1.0, 1, "100.0%"),
        (0.9996, 1, ">99.9%"), (0.999, 1, "99.9%"), (0.004, 0, "<1%"), (0.996, 0, ">99%"),
    ],
)  # fmt: skip
def test_a_share_is_never_rounded_to_nothing_or_to_all(share, digits, shown):
    assert percent(share, digits) == shown


@pytest.mark.parametrize(
    ("change", "shown"),
    [(None, "–"), (0.0, "0.0"), (0.0004, "0.0"), (-0.0004, "0.0"), (0.121, "+12.1"), (-0.03, "−3.0")],
)
def test_a_change_has_a_sign_unless_it_is_nothing(change, shown):
    assert points(change) == shown


@pytest.mark.parametrize(
    ("micro_usd", "shown"),
    [
        (0, "0.0000"), (49, "0.0000"), (50, "0.0001"), (999_949, "0.9999"), (1_000_000, "1.00"),
        (1_234_995_000, "1,235.00"),
    ],
)  # fmt: skip
def test_money_is_rounded_to_the_cent_and_below_a_dollar_to_a_hundredth_of_one(micro_usd, shown):
    assert usd_rounded(micro_usd) == shown
