"""What the report says of small numbers written by hand, what it leaves out, and what it never calls zero."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from chatcensus.dashboard import page
from chatcensus.dashboard.page import LANGUAGES
from tests.browser.chromium import Watched
from tests.browser.reader import Reader
from tests.browser.small_report import FEW, REPORT, change, empty_report, period, small_report, usage

Report = dict[str, Any]
Draw = Callable[..., Page]
TEXTS: dict[str, dict[str, str]] = {
    language: json.loads((Path(page.__file__).parent / f"texts/report.{language}.json").read_text(encoding="utf-8"))
    for language in LANGUAGES
}
ENGLISH = TEXTS["en"]


@pytest.fixture(scope="module")
def reader(kept_page: Callable[..., Watched], tmp_path_factory: pytest.TempPathFactory) -> Reader:
    return Reader(kept_page("sentences"), tmp_path_factory.mktemp("sentences") / "report.html")


@pytest.fixture
def draw(reader: Reader) -> Iterator[Draw]:
    """Draw a report with all its tables open: `draw(report, language)`."""
    yield reader.draw
    reader.assert_without_faults()


@pytest.fixture
def says(reader: Reader) -> Iterator[Callable[..., str]]:
    """Return everything that a reader of a report sees, on one line: `says(report, language)`."""
    yield reader.text
    reader.assert_without_faults()


def rows_of(drawn: Page, figure: str) -> dict[str, list[str]]:
    """The rows of the table of a figure: its first cell, and the others."""
    read = "(table) => [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.textContent))"
    return {cells[0]: cells[1:] for cells in drawn.locator(f"article#{figure} table").evaluate(read)}


def with_table(name: str, rows: list[dict[str, Any]]) -> Report:
    return small_report(tables={**REPORT["tables"], name: rows})


# The top


def test_the_finding_stands_at_the_top_in_both_languages(draw):
    headings = [" ".join(draw(REPORT, language).locator("h1").inner_text().split()) for language in LANGUAGES]

    assert headings == [
        "16 conversations, 2 categories. Most used: Coding, 50%.",
        "会話16件、2カテゴリー。 最も多い用途は「コーディング」で50%。",
    ]


@pytest.mark.parametrize(
    ("answered_by", "notice"),
    [
        pytest.param(["stand-in"], "notice_all", id="only the stand-in"),
        pytest.param(["claude", "stand-in"], "notice_some", id="both"),
        pytest.param(["nobody", "stand-in"], "notice_all", id="the stand-in, and some needed no answer"),
        pytest.param(["claude"], None, id="a real model"),
        pytest.param([], None, id="nobody"),
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_stand_in_is_named_only_when_it_answered(says, answered_by, notice, language):
    said = says(small_report(answered_by=answered_by), language)

    texts = TEXTS[language]
    assert {key for key in ("notice_all", "notice_some") if texts[key] in said} == ({notice} if notice else set())


def test_a_table_without_conversations_still_gives_a_page(says):
    said = says(empty_report())

    assert ENGLISH["finding_empty"] in said
    assert ENGLISH["chain_holds"] in said


def test_a_table_where_everything_is_pending_says_so(says):
    pending = empty_report()
    pending["custody"]["items"] = 1
    pending["totals"].update(conversations=1, pending=1)
    pending["tables"]["evaluation_quality"] = [REPORT["tables"]["evaluation_quality"][2]]

    said = says(pending)

    assert "1 conversation, none evaluated yet." in said
    assert ENGLISH["chain_holds"] in said


def test_before_the_first_complete_week_the_page_says_so(says):
    assert "16 conversations, none yet in a complete week of enough people." in says(with_table("category_counts", []))


def test_where_all_categories_are_of_too_few_people_none_is_named(says):
    said = says(with_table("category_counts", usage("category", (FEW, 12, 6, 1.0))))

    assert "16 conversations, by too few people to tell what for." in said
    assert "Most used" not in said


@pytest.mark.parametrize("language", LANGUAGES)
def test_after_a_split_the_page_says_where_new_categories_are_counted_by_week_and_month(says, language):
    assert TEXTS[language]["split_lead"] in says(small_report(is_split=True), language)
    assert TEXTS[language]["split_lead"] not in says(REPORT, language)


def test_the_page_says_through_which_day_it_tells_and_below_how_many_people_it_does_not(says):
    assert "through Sep 27, 2026. Groups of fewer than 5 people are pooled or left out." in says(REPORT)
    assert "pooled or left out" not in says(small_report(min_users=0))
    assert "through Sep 27, 2026." in says(with_table("weekly_usage", []))


def test_the_page_says_that_the_last_weeks_wait_where_they_do(says):
    waiting = says(small_report(told_until="2026-10-12"))

    assert "through Sep 27, 2026. Complete weeks after it are told once enough people have asked." in waiting
    assert "Complete weeks after" not in says(small_report(told_until="2026-10-12", min_users=0))


def test_the_latest_score_says_whether_it_is_of_one_week_or_of_several(says):
    several = small_report()
    several["tables"]["weekly_usage"][1].update(weeks=2)

    assert "Mean inquiry score, week of Sep 21, 2026 3.25 of 5" in says(REPORT)
    assert "Mean inquiry score, week of Sep 21, 2026 and those counted with it" in says(several)


def test_times_are_shown_in_the_configured_zone(says):
    assert "As of Oct 2, 2026, 08:59 (Asia/Tokyo)." in says(REPORT)
    assert "2026年10月2日 08:59 (Asia/Tokyo)" in says(REPORT, "ja")


# The chain of custody


def test_the_chain_of_counts_is_shown_and_holds(says):
    said = says(REPORT)

    assert "16 items in the export = 14 evaluated + 1 quarantined + 1 pending." in said
    assert ENGLISH["chain_holds"] in said


def test_items_that_are_no_conversation_are_counted_by_kind(says):
    skipped = {"other_item": 2, "later_message": 0, "deleted": 1, "replaced": 1}

    said = says(small_report(custody={"items": 20, "skipped": skipped}))

    assert "20 items in the export = 14 evaluated + 1 quarantined + 1 pending + 4 skipped." in said
    assert "Skipped: 2 that are no conversation; 1 deleted; 1 replaced by a later export." in said
    assert "later messages" not in said
    assert ENGLISH["chain_holds"] in said


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda r: r["custody"].update(items=17), id="an item that nobody judged"),
        pytest.param(lambda r: r.update(custody={"items": 20, "skipped": {"deleted": 3}}), id="an item nobody knows"),
        pytest.param(lambda r: r["totals"].update(pending=0), id="totals"),
        pytest.param(lambda r: r["tables"]["evaluation_quality"].pop(), id="outcomes"),
        pytest.param(lambda r: r["tables"]["category_counts"][0].update(conversations=99), id="categories"),
        pytest.param(lambda r: r["tables"]["score_distribution"][0].update(conversations=99), id="scores"),
    ],
)
def test_counts_that_do_not_add_up_are_called_out(says, spoil):
    wrong = small_report()
    spoil(wrong)

    said = says(wrong)

    assert ENGLISH["chain_broken"] in said
    assert ENGLISH["chain_holds"] not in said


# Categories, and how they change


def test_what_is_pooled_comes_last_and_is_named_in_both_languages(draw):
    names = {language: list(rows_of(draw(REPORT, language), "categories")) for language in LANGUAGES}

    assert names["en"] == ["Coding", "Writing", "Pooled for privacy"]
    assert names["ja"] == ["コーディング", "文章作成", "少人数保護のためまとめたもの"]


def test_the_share_is_shown_with_its_coverage_and_is_not_called_corrected_without_a_gold_set(says):
    said = says(REPORT)

    assert "80.0% of all conversations are evaluated." in said
    assert ENGLISH["corrected_share"] not in said


def test_the_corrected_share_stands_beside_the_counted_one_with_its_interval(draw):
    rows = [
        {
            "category": category, "conversations": count, "users": 8, "share": share, "corrected_share": estimate,
            "corrected_low": low, "corrected_high": high, "gold_size": 300,
        }
        for category, count, share, estimate, low, high in [
            ("coding", 6, 0.5, 0.43, 0.38, 0.48), ("writing", 3, 0.25, 0.27, 0.22, 0.33),
            ("translation", 0, 0.0, 0.04, 0.01, 0.09),
        ]
    ]  # fmt: skip

    drawn = draw(with_table("category_shares", rows))

    assert "known from 300 conversations labelled by hand" in drawn.locator("article#corrected").inner_text()
    assert rows_of(drawn, "corrected") == {
        "Coding": ["6", "50.0%", "43.0%", "38.0%", "48.0%"],
        "Writing": ["3", "25.0%", "27.0%", "22.0%", "33.0%"],
        "translation": ["0", "0.0%", "4.0%", "1.0%", "9.0%"],
    }


def test_the_latest_week_is_compared_with_the_one_before_and_a_word_says_what_is_noise(draw):
    drawn = draw(REPORT)

    wanted = {"label": "Coding", "before": "30.0%", "share": "42.1%", "when": "the week of Sep 21, 2026"}
    assert ENGLISH["change_up"].format(**wanted) in drawn.locator("article#changes").inner_text()
    rows = rows_of(drawn, "changes")
    assert [rows["Coding"][-1], rows["Writing"][-1]] == ["More than noise", "Within noise"]
    assert {"30.0%", "42.1%", "+12.1"} <= set(rows["Coding"])
    assert {"40.0%", "39.0%", "−1.0"} <= set(rows["Writing"])


def test_trends_are_of_months_where_these_tell_more_categories_apart(says):
    rows = [
        change(FEW, 1.0, 1.0, -0.1, 0.1),
        change("coding", 0.2, 0.7, 0.1, 0.9, grain="month", period="2026-09-01"),
        change(FEW, 0.8, 0.3, -0.9, -0.1, grain="month", period="2026-09-01"),
    ]

    wanted = ENGLISH["change_up"].format(label="Coding", before="20.0%", share="70.0%", when="Sep 2026")
    assert wanted in says(with_table("category_trends", rows))


def test_a_trend_of_what_is_pooled_alone_is_not_shown(says):
    assert "than noise" not in says(with_table("category_trends", [change(FEW, 1.0, 1.0, -0.1, 0.1)]))


def test_the_first_week_is_compared_with_nothing(says):
    first = says(with_table("category_trends", [change("coding", None, 0.3, 0, 0)]))

    assert ENGLISH["trend_first_week"].format(when="the week of Sep 21, 2026") in first


# Scores


def test_a_score_that_nobody_has_is_a_zero_only_where_nothing_is_pooled_or_left_out(draw):
    pooled = with_table("score_distribution", usage("inquiry_score", (3, 6, 8, 0.5), (None, 6, 7, 0.5)))
    partial = with_table("score_distribution", usage("inquiry_score", (3, 6, 8, 0.6), (5, 2, 5, 0.2)))

    assert [row[0] for row in rows_of(draw(REPORT), "score-distribution").values()] == ["6", "0", "6", "0", "0"]
    assert [row[0] for row in rows_of(draw(pooled), "score-distribution").values()] == ["6", "6"]
    assert ENGLISH["pooled_scores"] in rows_of(draw(pooled), "score-distribution")
    assert [row[0] for row in rows_of(draw(partial), "score-distribution").values()] == ["2", "6"]


# People


def test_a_table_of_values_is_shown_only_when_it_tells_a_known_one_apart(draw):
    drawn = draw(REPORT)

    figures = ("by-department", "by-language", "by-user-group", "by-app-model")
    assert [drawn.locator(f"article#{name}").count() for name in figures] == [1, 1, 0, 0]


def test_concentration_is_a_sentence(says):
    assert "Half of the use is by 7 of 42 people" in says(REPORT)
    assert "利用の半分は、42人のうち7人によるものです" in says(REPORT, "ja")


def test_where_half_of_the_use_is_by_too_few_people_that_is_said_and_the_next_part_is_told(says):
    few = small_report()
    few["tables"]["concentration"][1].update(users=None, share_of_users=None)

    said = says(few)

    assert "Half of the use is by fewer than 5 people" in said
    assert "90% of the use is by 30 of 42 people" in said


def test_people_are_listed_only_when_the_table_has_them(says):
    assert ENGLISH["users_lead"] in says(REPORT)
    anonymous = says(with_table("usage_by_user", []))
    assert ENGLISH["users_lead"] not in anonymous
    assert ENGLISH["unknown_user"] not in anonymous


def test_only_the_first_twenty_users_are_listed_and_the_unknown_ones_are_one_row(draw):
    user, unknown = REPORT["tables"]["usage_by_user"]
    many = [unknown, *(dict(user, user_pseudonym=f"user-{n:02}") for n in range(25))]

    drawn = draw(with_table("usage_by_user", many))

    assert "20 of 25 users" in drawn.locator("article#users").inner_text()
    shown = list(rows_of(drawn, "users"))
    assert shown == [*(f"user-{n:02}" for n in range(20)), ENGLISH["unknown_user"]]


# Time


def test_days_without_a_conversation_and_what_is_in_no_column_are_said(says):
    said = says(REPORT)

    assert "Sep 14, 2026 was the busiest day, with 4 conversations" in said
    assert ENGLISH["days_together"] in said
    assert "In weeks that are not told by day: 3 conversations." in said


def test_where_every_day_is_told_alone_nothing_is_said_of_others(says):
    alone = says(with_table("daily_usage", [period(4, 6, week="2026-09-14", day="2026-09-14", days=1)]))

    assert ENGLISH["days_together"] not in alone
    assert "not told by day" not in alone
    assert ENGLISH["weekdays_lead"] not in alone
    assert ENGLISH["weekdays_lead"] in says(REPORT)


def test_a_long_time_is_charted_by_week_then_by_month_as_the_tables_have_them(says):
    long = small_report()
    long["tables"]["daily_usage"][0]["day"] = "2026-02-23"
    long["tables"]["weekly_usage"][0]["week"] = "2026-02-23"
    by_week = says(long)
    long["tables"]["weekly_usage"][0]["week"] = "1970-01-05"
    by_month = says(long)

    wanted = {"busiest": "the week of Feb 23, 2026 (with 1 week of few people)", "conversations": "5 conversations"}
    assert ENGLISH["busiest_week"].format(**wanted) in by_week
    assert ENGLISH["weeks_together"] in by_week
    wanted = {"busiest": "Sep 2026", "conversations": "8 conversations"}
    assert ENGLISH["busiest_month"].format(**wanted) in by_month
    assert ENGLISH["months_together"] in by_month


def test_a_row_of_several_days_says_so_and_a_week_without_days_is_a_row_too(draw):
    drawn = draw(REPORT)

    assert list(rows_of(drawn, "usage")) == [
        "Sep 14, 2026",
        "Sep 16, 2026 (with 2 days of few people)",
        "Week of Sep 21, 2026, not told by day",
    ]


def test_what_is_of_no_known_hour_is_said_and_weekdays_are_compared_by_their_mean(says, draw):
    assert "Not told apart or of an unknown time, in sum: 4 conversations." in says(REPORT)
    assert "4.5" in rows_of(draw(REPORT), "weekdays")["Monday"]


# The judging


def test_what_could_not_be_judged_is_told_with_what_judges_it_again(draw, says):
    shown = draw(REPORT).locator("article#failures code").all_inner_texts()

    assert "reason=refused;model=haiku;prompt_version=abc" in shown
    assert ENGLISH["failures_lead"] not in says(with_table("failures", []))


def test_rows_are_shown_in_the_same_order_however_they_come(says):
    turned = small_report()
    for rows in turned["tables"].values():
        rows.reverse()

    assert says(turned) == says(REPORT)


@pytest.mark.parametrize("label", ["{0.__class__} {{ 7 * 7 }}", "{label} {share}", "$& $1 {b|x}"])
def test_braces_and_dollars_in_a_label_are_text(says, label):
    assert f"Most used: {label}, 50%." in says(small_report(labels={"coding": {"en": label, "ja": label}}))


@pytest.mark.parametrize("tag", ["en-abc", "zh-min", "toki-pona", "en-U"])
def test_a_language_that_intl_refuses_is_shown_as_it_is(draw, tag):
    drawn = draw(with_table("language_usage", usage("language", (tag, 12, 9, 1.0))))

    assert tag in rows_of(drawn, "by-language")


def test_a_department_does_not_turn_the_digits_of_its_share_around(says):
    said = says(with_table("department_usage", usage("department", ("Sales \u202e", 12, 9, 0.8))))

    assert "Sales asks most: 80.0% of the conversations" in said


def test_the_most_frequent_reason_counts_all_its_prompts(says):
    failed = REPORT["tables"]["failures"][0]
    counts = (("b", 12, "1"), ("a", 10, "1"), ("a", 11, "2"))
    rows = [dict(failed, reason=reason, conversations=n, prompt_version=prompt) for reason, n, prompt in counts]

    assert "most for the reason a" in says(with_table("failures", rows))


def test_categories_that_lie_apart_are_named_though_rarer_ones_have_wider_intervals(says):
    means = (("rare", 4.5, 3, 5), ("coding", 4.4, 4.3, 4.5), ("writing", 2.5, 2.4, 2.6), ("odd", 2, 1, 4))
    rows = [
        {"category": category, "conversations": 9, "mean_inquiry_score": mean, "mean_low": low, "mean_high": high}
        for category, mean, low, high in means
    ]

    assert "People ask better about Coding (4.40) than about Writing (2.50)" in says(
        with_table("score_by_category", rows)
    )


# Figures


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        ("percent(null)", "–"), ("percent(0)", "0.0%"), ("percent(0.0004)", "<0.1%"), ("percent(0.001)", "0.1%"),
        ("percent(0.99951)", ">99.9%"), ("percent(1)", "100.0%"), ("percent(0.996, 0)", ">99%"),
        ("points(null)", "–"), ("points(0.1234)", "+12.3"), ("points(-0.05)", "−5.0"), ("points(-0.0004)", "0.0"),
        ("usd(0)", "0.000000"), ("usd(49)", "0.000049"), ("usd(1234567890)", "1,234.567890"), ("usd(null)", "–"),
        ("usdRounded(49)", "0.0000"), ("usdRounded(50)", "0.0001"), ("usdRounded(999949)", "0.9999"),
        ("usdRounded(1000000)", "1.00"), ("usdRounded(1234995000)", "1,235.00"), ("score(3.456)", "3.46"),
    ],
)  # fmt: skip
def test_no_number_is_rounded_to_nothing_or_to_all_and_money_adds_up_by_eye(figures, call, shown):
    assert figures.evaluate(f"words.{call}") == shown


@pytest.fixture
def figures(draw):
    """A page whose words can be asked, in English."""
    return draw(REPORT)
