import base64
import copy
import hashlib
import re
from datetime import date
from html.parser import HTMLParser
from string import Formatter
from typing import Any

import pytest

from chatcensus.dashboard.figures import percent, points, usd, usd_rounded
from chatcensus.dashboard.report import render_report
from chatcensus.dashboard.report_texts import TEXTS

HOSTILE = "<script>alert('x')</script><img src=https://evil.example/x onerror=alert(1)>"

FEW = "(few)"


def usage(column: str, *rows: tuple[Any, int, int, float]) -> list[dict[str, Any]]:
    """The rows of a table that tells use apart by *column*: its value, conversations, users and share."""
    return [
        {
            column: value,
            "conversations": count,
            "users": users,
            "share": share,
            "coverage": 0.8,
            "mean_inquiry_score": 3.5,
        }
        for value, count, users, share in rows
    ]


def period(conversations: int, users: int, **periods: Any) -> dict[str, Any]:
    """A row of daily_usage, weekly_usage or monthly_usage."""
    counts = {"conversations": conversations, "evaluated": conversations, "quarantined": 0, "pending": 0}
    means = {"coverage": 1.0, "mean_inquiry_score": 3.25, "cost_micro_usd": 100}
    return {**periods, **counts, "users": users, **means}


def change(category: str, previous: float | None, share: float, low: float, high: float, **more: Any) -> dict[str, Any]:
    """A row of category_trends for the week of 2026-09-21, or of what *more* says."""
    has_before = previous is not None
    return {
        "grain": "week",
        "period": "2026-09-21",
        "category": category,
        "conversations": 3,
        "users": 5,
        "share": share,
        "share_low": 0.1,
        "share_high": 0.9,
        "previous_share": previous,
        "change": share - previous if has_before else None,
        "change_low": low if has_before else None,
        "change_high": high if has_before else None,
        "is_more_than_noise": (low > 0 or high < 0) if has_before else None,
        **more,
    }


TOKENS = {"attempts": 6, "input_tokens": 8000, "output_tokens": 60, "cost_micro_usd": 1_234_567}

REPORT: dict[str, Any] = {
    "run_id": "manual__2026-10-02",
    "generated_at": "2026-10-02T00:10:00Z",
    "export_id": "01604474914028-a1b2c3d4",
    "export_time": "2026-10-01T23:59:00Z",
    "told_until": "2026-09-28",
    "min_users": 5,
    "timezone": "Asia/Tokyo",
    "answered_by": ["claude"],
    "totals": {"conversations": 16, "evaluated": 14, "quarantined": 1, "pending": 1},
    "custody": {"items": 16, "skipped": {}},
    "cost_micro_usd": 1_234_567,
    "labels": {"coding": {"en": "Coding", "ja": "コーディング"}, "writing": {"en": "Writing", "ja": "文章作成"}},
    "tables": {
        "category_counts": usage("category", ("writing", 3, 5, 0.25), (FEW, 3, 6, 0.25), ("coding", 6, 8, 0.5)),
        "category_shares": [],
        "category_trends": [
            change("writing", 0.4, 0.39, -0.05, 0.03),
            change("coding", 0.3, 0.421, 0.05, 0.192),
            change("coding", 0.9, 0.3, -0.8, -0.4, period="2026-09-14"),
            change("coding", 0.2, 0.7, 0.1, 0.9, grain="month", period="2026-10-01"),
        ],
        "score_distribution": usage("inquiry_score", (3, 6, 8, 0.5), (5, 6, 7, 0.5)),
        "score_by_category": [
            {
                "category": "coding",
                "conversations": 6,
                "mean_inquiry_score": 3.5,
                "mean_low": 3.1,
                "mean_high": 3.9,
            }
        ],
        "department_usage": usage("department", ("unknown", 4, 5, 0.33), ("Sales", 5, 6, 0.42), (FEW, 3, 5, 0.25)),
        "user_group_usage": usage("user_group", ("unknown", 12, 14, 1.0)),
        "app_model_usage": usage("app_model", ("unknown", 6, 8, 0.5), (FEW, 6, 7, 0.5)),
        "language_usage": usage("language", ("ja", 12, 14, 1.0)),
        "hour_usage": usage("hour", (None, 4, 5, 0.33), (9, 6, 8, 0.5), (23, 2, 5, 0.17)),
        "weekday_usage": [
            {"weekday": 1, "days": 2, "conversations": 9, "conversations_per_day": 4.5},
            {"weekday": 3, "days": 1, "conversations": 1, "conversations_per_day": 1.0},
        ],
        "daily_usage": [
            period(4, 6, week="2026-09-14", day=date(2026, 9, 14), days=1),
            period(1, 5, week="2026-09-14", day="2026-09-16", days=3),
            period(3, 5, week="2026-09-21", day=None, days=2),
        ],
        "weekly_usage": [
            period(5, 8, month="2026-09-01", week="2026-09-14", weeks=2),
            period(3, 5, month="2026-09-01", week="2026-09-21", weeks=1),
        ],
        "monthly_usage": [
            period(8, 9, month="2026-09-01", first_day="2026-08-31", last_day="2026-09-27", weeks=4),
        ],
        "concentration": [
            {"share_of_use": 0.25, "users": None, "share_of_users": None},
            {"share_of_use": 0.5, "users": 7, "share_of_users": 7 / 42},
            {"share_of_use": 0.9, "users": 30, "share_of_users": 30 / 42},
        ],
        "usage_by_user": [
            {
                "user_pseudonym": user,
                "conversations": count,
                "mean_inquiry_score": mean,
                "input_tokens": 4000,
                "output_tokens": 30,
                "cost_micro_usd": 617_283,
                "last_day": last_day,
            }
            for user, count, mean, last_day in [("5f3a", 4, 4.0, date(2026, 10, 2)), ("unknown", 1, None, None)]
        ],
        "model_cost": [{"model": "haiku", "answered_by": "claude", "conversations": 15, **TOKENS}],
        "evaluation_quality": [
            {
                "model": model,
                "prompt_version": version,
                "outcome": outcome,
                "reason": reason,
                "conversations": count,
                "first_attempt": first,
                "clipped": 0,
            }
            for model, version, outcome, reason, count, first in [
                ("haiku", "abc", "evaluated", None, 14, 13),
                ("haiku", "abc", "quarantined", "refused", 1, 1),
                (None, None, "pending", None, 1, 0),
            ]
        ],
        "failures": [
            {
                "reason": "refused",
                "model": "haiku",
                "prompt_version": "abc",
                "replay": "reason=refused;model=haiku;prompt_version=abc",
                "conversations": 1,
                **TOKENS,
                "first_seen": "2026-09-30T01:00:00Z",
                "last_seen": "2026-10-01T01:00:00Z",
            }
        ],
    },
}


def report(**changes: object) -> dict:
    return copy.deepcopy(REPORT) | changes


def empty_report() -> dict:
    return report(
        answered_by=[],
        totals=dict.fromkeys(REPORT["totals"], 0),
        custody={"items": 0, "skipped": {}},
        cost_micro_usd=0,
        tables={name: [] for name in REPORT["tables"]},
    )


class Page(HTMLParser):
    """What a browser would see: every tag with its attributes, and the text outside <style>."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._tag = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._tag = tag

    def handle_endtag(self, _tag: str) -> None:
        self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._tag != "style":
            self.text += data

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def english(report: dict[str, Any]) -> str:
    """The text that a reader of English sees."""
    return Page(re.sub('<span lang="ja">.*?</span>', "", render_report(report))).text


def row_of(report: dict[str, Any], name: str) -> list[str]:
    """The cells of the first row of a table whose head is *name*, as a reader of English sees them."""
    html = re.sub('<span lang="ja">.*?</span>', "", render_report(report))
    [_head, row] = next(
        found
        for found in re.findall('<tr>(<th scope="row">.*?</th>)(.*?)</tr>', html, re.DOTALL)
        if Page(found[0]).text == name
    )
    return [Page(cell).text for cell in re.findall("<td[^>]*>(.*?)</td>", row, re.DOTALL)]


def test_both_languages_have_the_same_keys_and_the_same_values_to_fill_in():
    fields = {
        language: {key: {name for _, name, _, _ in Formatter().parse(words) if name} for key, words in texts.items()}
        for language, texts in TEXTS.items()
    }

    assert set(TEXTS) == {"en", "ja"}
    assert fields["en"] == fields["ja"]


def test_the_finding_stands_at_the_top_in_both_languages():
    html = render_report(REPORT)

    heading = re.search("<h1>(.*)</h1>", html)[1]
    assert "16 conversations, 2 categories.<br>Most used: Coding, 50%." in heading
    assert "会話16件、2カテゴリー。<br>最も多い用途は「コーディング」で50%。" in heading


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_page_opens_in_the_language_asked_for(language):
    page = Page(render_report(REPORT, language))

    checked = [radio["id"] for radio in page.attributes("input") if "checked" in radio]
    assert page.attributes("html") == [{"lang": language}]
    assert checked == [language]


def test_an_unknown_language_is_refused_by_name():
    with pytest.raises(ValueError, match=r"'fr'.*en, ja"):
        render_report(REPORT, "fr")


def test_there_is_no_script_no_inline_style_and_nothing_from_outside():
    page = Page(render_report(report(answered_by=["stand-in"])))

    names = {name for tag, attributes in page.tags for name in attributes}
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object", "form", "base", "a"}
    assert not {name for name in names if name.startswith("on") or name in {"style", "src", "href", "action"}}
    assert "//" not in page.text
    assert "url(" not in render_report(REPORT)


def test_the_policy_allows_the_one_style_sheet_by_its_hash_and_nothing_else():
    html = render_report(REPORT)

    css = re.search("<style>(.*)</style>", html, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = next(meta["content"] for meta in Page(html).attributes("meta") if "http-equiv" in meta)
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda r: r["labels"]["coding"].update(en=HOSTILE), id="label"),
        pytest.param(lambda r: r["tables"]["category_counts"][0].update(category=HOSTILE), id="category"),
        pytest.param(lambda r: r["tables"]["usage_by_user"][0].update(user_pseudonym=HOSTILE), id="user"),
        pytest.param(lambda r: r["tables"]["model_cost"][0].update(model=HOSTILE), id="model"),
        pytest.param(lambda r: r["tables"]["model_cost"][0].update(answered_by=HOSTILE), id="answered_by"),
        pytest.param(lambda r: r["tables"]["evaluation_quality"][1].update(reason=HOSTILE), id="reason"),
        pytest.param(lambda r: r["tables"]["department_usage"][1].update(department=HOSTILE), id="department"),
        pytest.param(lambda r: r["tables"]["failures"][0].update(replay=HOSTILE), id="replay"),
        pytest.param(lambda r: r["tables"]["category_trends"][0].update(category=HOSTILE), id="category of a trend"),
        pytest.param(lambda r: r.update(run_id=HOSTILE), id="run_id"),
        pytest.param(lambda r: r.update(export_id=HOSTILE), id="export_id"),
    ],
)
def test_text_with_html_in_it_is_shown_as_text(spoil):
    hostile = report()
    spoil(hostile)

    page = Page(render_report(hostile))

    assert HOSTILE in page.text
    assert not {tag for tag, _ in page.tags} & {"script", "img"}


def test_braces_in_a_label_are_text_too():
    braces = report(labels={"coding": {"en": "{0.__class__} {{ 7 * 7 }}", "ja": "{x}"}})

    assert "{0.__class__} {{ 7 * 7 }}" in Page(render_report(braces)).text


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
def test_the_stand_in_is_named_in_both_languages_and_only_when_it_answered(answered_by, notice):
    text = Page(render_report(report(answered_by=answered_by))).text

    shown = {key for key in ("notice_all", "notice_some") for texts in TEXTS.values() if texts[key] in text}
    assert shown == ({notice} if notice else set())
    assert notice is None or all(texts[notice] in text for texts in TEXTS.values())


def test_a_table_without_conversations_still_gives_a_page():
    page = Page(render_report(empty_report()))

    assert TEXTS["en"]["finding_empty"] in page.text
    assert TEXTS["ja"]["chain_holds"] in page.text
    assert page.attributes("table") == []


def test_a_table_where_everything_is_pending_says_so():
    pending = empty_report()
    pending["custody"]["items"] = 1
    pending["totals"].update(conversations=1, pending=1)
    pending["tables"]["evaluation_quality"] = [REPORT["tables"]["evaluation_quality"][2]]

    text = Page(render_report(pending)).text

    assert "1 conversation, none evaluated yet." in text
    assert TEXTS["en"]["chain_holds"] in text


def test_before_the_first_complete_week_the_page_says_so():
    early = report()
    early["tables"]["category_counts"].clear()

    assert "16 conversations, none yet in a complete week of enough people." in Page(render_report(early)).text


def test_where_all_categories_are_of_too_few_people_none_is_named():
    small = report()
    small["tables"]["category_counts"] = usage("category", (FEW, 12, 6, 1.0))

    text = Page(render_report(small)).text

    assert "16 conversations, by too few people to tell what for." in text
    assert "Most used" not in text


def test_the_page_says_through_which_day_it_tells_and_below_how_many_people_it_does_not():
    text = english(REPORT)

    assert "through 2026-09-27. Groups of fewer than 5 people are pooled or left out." in text
    assert "pooled or left out" not in english(report(min_users=0))
    assert "through 2026-09-27." in english(report(tables={**REPORT["tables"], "weekly_usage": []}))


def test_the_page_says_that_the_last_weeks_wait_where_they_do():
    waiting = english(report(told_until="2026-10-12"))

    assert "through 2026-09-27. Complete weeks after it are told once enough people have asked." in waiting
    assert "Complete weeks after" not in english(report(told_until="2026-10-12", min_users=0))


def test_the_latest_score_says_whether_it_is_of_one_week_or_of_several():
    several = report()
    several["tables"]["weekly_usage"][1].update(weeks=2)

    assert "Mean inquiry score, week of 2026-09-213.25" in english(REPORT)
    assert "Mean inquiry score, week of 2026-09-21 and those counted with it" in english(several)


def test_the_chain_of_counts_is_shown_and_holds():
    text = Page(render_report(REPORT)).text

    assert "16 in the export = 14 evaluated + 1 quarantined + 1 pending." in text
    assert TEXTS["en"]["chain_holds"] in text


def test_items_that_are_no_conversation_are_counted_by_kind():
    skipped = {"other_item": 2, "later_message": 0, "deleted": 1, "replaced": 1}

    text = Page(render_report(report(custody={"items": 20, "skipped": skipped}))).text

    assert "20 in the export = 14 evaluated + 1 quarantined + 1 pending + 4 skipped." in text
    assert "2 no conversation; " in english(report(custody={"items": 20, "skipped": skipped}))
    assert "later messages" not in text
    assert TEXTS["en"]["chain_holds"] in text


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
def test_counts_that_do_not_add_up_are_called_out(spoil):
    wrong = report()
    spoil(wrong)

    text = Page(render_report(wrong)).text

    assert TEXTS["en"]["chain_broken"] in text
    assert TEXTS["en"]["chain_holds"] not in text


def test_the_widest_bar_is_full_and_the_others_are_in_proportion():
    page = Page(render_report(REPORT))

    widths = [float(rect["width"].rstrip("%")) for rect in page.attributes("rect") if rect["width"].endswith("%")]
    categories, scores, weekdays = widths[:3], widths[3:8], widths[8:10]
    assert categories == [100, 50, 50]
    assert scores == [100, 0, 100, 0, 0]
    assert weekdays == [100, 22.22]


def test_what_is_pooled_comes_last_and_is_named_in_both_languages():
    html = render_report(REPORT)

    names = [Page(row).text for row in re.findall('<th scope="row">(.*?)</th>', html)]
    assert names[:3] == [
        "Codingコーディング",
        "Writing文章作成",
        "Under 5 people each, together5人未満をまとめたもの",
    ]
    assert "(few)" not in html


def test_the_share_is_shown_with_its_coverage_and_is_not_called_corrected_without_a_gold_set():
    text = english(REPORT)

    assert "80.0% of all conversations are evaluated." in text
    assert TEXTS["en"]["corrected_share"] not in text


def test_the_corrected_share_stands_beside_the_counted_one_with_its_interval():
    corrected = report()
    corrected["tables"]["category_shares"] = [
        {
            "category": category,
            "conversations": count,
            "users": 8,
            "share": share,
            "corrected_share": estimate,
            "corrected_low": low,
            "corrected_high": high,
            "gold_size": 300,
        }
        for category, count, share, estimate, low, high in [
            ("coding", 6, 0.5, 0.43, 0.38, 0.48),
            ("writing", 3, 0.25, 0.27, 0.22, 0.33),
            ("translation", 0, 0.0, 0.04, 0.01, 0.09),
        ]
    ]

    text = english(corrected)

    assert "known from 300 conversations labelled by hand" in text
    assert row_of(corrected, "Coding") == ["", "6", "50.0%", "43.0%", "38.0% to 48.0%", "8", "3.50"]
    assert row_of(corrected, "translation") == ["", "0", "0.0%", "4.0%", "1.0% to 9.0%", "8", "–"]
    assert row_of(corrected, "Under 5 people each, together")[3:5] == ["–", "–"]


def test_the_latest_week_is_compared_with_the_one_before_and_a_word_says_what_is_noise():
    trend = REPORT | {"tables": {**REPORT["tables"], "category_counts": [], "score_by_category": []}}

    assert "The latest week, of 2026-09-21, against the one told before it." in english(REPORT)
    assert row_of(trend, "Coding") == ["30.0%", "42.1%", "+12.1", "+5.0 to +19.2", "More than noise"]
    assert row_of(trend, "Writing") == ["40.0%", "39.0%", "−1.0", "−5.0 to +3.0", "Within noise"]


def test_trends_are_of_months_where_these_tell_more_categories_apart():
    small = report()
    small["tables"]["category_counts"] = small["tables"]["score_by_category"] = []
    small["tables"]["category_trends"] = [
        change(FEW, 1.0, 1.0, -0.1, 0.1),
        change("coding", 0.2, 0.7, 0.1, 0.9, grain="month", period="2026-09-01"),
        change(FEW, 0.8, 0.3, -0.9, -0.1, grain="month", period="2026-09-01"),
    ]

    assert "The latest month, 2026-09, against the one told before it." in english(small)
    assert row_of(small, "Coding") == ["20.0%", "70.0%", "+50.0", "+10.0 to +90.0", "More than noise"]


def test_a_trend_of_what_is_pooled_alone_is_not_shown():
    pooled = report()
    pooled["tables"]["category_trends"] = [change(FEW, 1.0, 1.0, -0.1, 0.1)]

    assert TEXTS["en"]["trend_title"] not in english(pooled)


def test_whether_a_change_is_noise_is_understood_as_text_too():
    texts = copy.deepcopy(REPORT)
    for row in texts["tables"]["category_trends"]:
        row["is_more_than_noise"] = str(row["is_more_than_noise"]).lower()

    assert render_report(texts) == render_report(REPORT)


def test_the_first_week_is_compared_with_nothing():
    first = report()
    first["tables"]["category_trends"] = [change("coding", None, 0.3, 0, 0)]

    assert "The week of 2026-09-21 is the first that is told" in english(first)


def test_scores_that_are_pooled_are_a_row_and_no_zeros_stand_for_them():
    pooled = report()
    pooled["tables"]["score_distribution"] = usage("inquiry_score", (3, 6, 8, 0.5), (None, 6, 7, 0.5))
    pooled["tables"]["category_counts"] = []

    assert row_of(pooled, "Not told apart")[1:] == ["6", "50.0%", "7"]
    assert '<th scope="row">5</th>' not in render_report(pooled)
    assert '<th scope="row">4</th>' in render_report(REPORT)


def test_scores_that_are_left_out_are_not_called_zero():
    partial = report()
    partial["tables"]["score_distribution"] = usage("inquiry_score", (3, 6, 8, 0.6), (5, 2, 5, 0.2))

    assert '<th scope="row">4</th>' not in render_report(partial)


def test_a_table_of_values_is_shown_only_when_it_tells_a_known_one_apart():
    text = english(REPORT)

    assert TEXTS["en"]["department"] in text
    assert TEXTS["en"]["language_column"] in text
    assert TEXTS["en"]["user_group"] not in text
    assert TEXTS["en"]["app_model"] not in text


def test_days_without_a_conversation_leave_a_gap_and_what_is_in_no_bar_is_said():
    html = render_report(REPORT)

    heights = [float(height) for height in re.findall(r'width="8" height="([\d.]+)"', html)][:3]
    assert re.findall("<title>(2026.*?)</title>", html) == ["2026-09-14: 4", "2026-09-15: 0", "2026-09-16: 1"]
    assert heights == [100, 0, 25]
    assert "Busiest day: 2026-09-14, 4 conversations. A day with few people is counted with the next" in english(REPORT)
    assert "In weeks that are not told by day: 3 conversations." in english(REPORT)


def test_where_every_day_is_told_alone_nothing_is_said_of_others():
    alone = report()
    alone["tables"]["daily_usage"] = [period(4, 6, week="2026-09-14", day="2026-09-14", days=1)]

    text = english(alone)

    assert "counted with the next, the last days" not in text
    assert "not told by day" not in text
    assert TEXTS["en"]["weekdays_lead"] not in text
    assert TEXTS["en"]["weekdays_lead"] in english(REPORT)


def test_a_long_time_is_charted_by_week_then_by_month_as_the_tables_have_them():
    long = report()
    long["tables"]["daily_usage"][0]["day"] = "2026-02-23"
    long["tables"]["weekly_usage"][0]["week"] = "2026-02-23"
    assert "<title>2026-02-23: 5</title>" in render_report(long)
    assert "<title>2026-03-02: 0</title>" in render_report(long)
    assert "Busiest: 2026-02-23, 5 conversations. A week with few people is counted with the next." in english(long)

    long["tables"]["weekly_usage"][0]["week"] = "1970-01-05"
    assert "<title>2026-09: 8</title>" in render_report(long)
    assert "A week with few people is counted with the next, in the month of that." in english(long)


def test_a_row_of_several_days_or_weeks_says_so_and_a_week_without_days_is_a_row_too():
    text = english(REPORT)

    assert "2026-09-16, with 2 days of few people" in text
    assert "2026-09-14, with 1 week of few people" in text
    assert "2026-09-14, with 1 day" not in text
    assert text.index("2026-09-16, with") < text.index("Week of 2026-09-21, not told by day")


def test_every_hour_has_its_place_in_the_chart_of_hours():
    html = render_report(REPORT)

    assert len(re.findall(r"<title>\d\d:00: ", html)) == 24
    assert "<title>09:00: 6</title>" in html
    assert "Not told apart or of an unknown time, in sum: 4 conversations." in english(REPORT)


def test_weekdays_are_compared_by_their_mean():
    assert row_of(REPORT, "Monday")[1:] == ["4.5", "9", "2"]


def test_concentration_is_a_sentence():
    text = Page(render_report(REPORT)).text

    assert "Half of the use is by 7 of 42 people." in text
    assert "利用の半分は、42人のうち7人によるものです。" in text


def test_where_half_of_the_use_is_by_too_few_people_that_is_said_and_the_next_part_is_told():
    few = report()
    few["tables"]["concentration"][1].update(users=None, share_of_users=None)

    assert "Half of the use is by fewer than 5 people. 90% of the use is by 30 of 42 people." in english(few)


def test_people_are_listed_only_when_the_table_has_them():
    anonymous = report()
    anonymous["tables"]["usage_by_user"] = []

    text = english(anonymous)

    assert "Pseudonyms" in english(REPORT)
    assert "Pseudonyms" not in text
    assert TEXTS["en"]["unknown_user"] not in text


def test_what_could_not_be_judged_is_told_with_what_judges_it_again():
    html = render_report(REPORT)

    assert "<code>reason=refused;model=haiku;prompt_version=abc</code>" in html
    assert TEXTS["en"]["failures"] in english(REPORT)
    without = report()
    without["tables"]["failures"] = []
    assert TEXTS["en"]["failures"] not in english(without)


def test_only_the_first_twenty_users_are_listed_and_the_unknown_ones_are_one_row():
    many = report()
    user, unknown = many["tables"]["usage_by_user"]
    many["tables"]["usage_by_user"] = [unknown, *(dict(user, user_pseudonym=f"user-{n:02}") for n in range(25))]

    text = Page(render_report(many)).text

    assert "20 of 25 users" in text
    assert "user-19" in text
    assert "user-20" not in text
    assert text.count(TEXTS["en"]["unknown_user"]) == 1


def test_rows_are_shown_in_the_same_order_however_they_come():
    turned = report()
    for rows in turned["tables"].values():
        rows.reverse()

    assert render_report(turned) == render_report(REPORT)


def test_times_are_shown_in_the_configured_zone():
    assert "As of 2026-10-02 08:59 (Asia/Tokyo)" in Page(render_report(REPORT)).text


@pytest.mark.parametrize(
    ("micro_usd", "exact", "rounded"),
    [
        (0, "0.000000", "0.0000"),
        (49, "0.000049", "0.0000"),
        (50, "0.000050", "0.0001"),
        (999_950, "0.999950", "1.0000"),
        (1_234_567_890, "1,234.567890", "1,234.57"),
        (1_995_000, "1.995000", "2.00"),
    ],
)
def test_money_is_exact_in_tables_and_rounded_in_the_figure(micro_usd, exact, rounded):
    assert usd(micro_usd) == exact
    assert usd_rounded(micro_usd) == rounded


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (0.0, "0.0%"),
        (0.0004, "<0.1%"),
        (0.3125, "31.2%"),
        (0.99951, ">99.9%"),
        (1.0, "100.0%"),
        (0.001, "0.1%"),
        (None, "–"),
    ],
)
def test_a_share_is_never_rounded_to_nothing_or_to_all(share, shown):
    assert percent(share) == shown


@pytest.mark.parametrize(
    ("change", "shown"), [(0.1234, "+12.3"), (-0.05, "−5.0"), (0.0, "0.0"), (-0.0004, "0.0"), (None, "–")]
)
def test_a_change_is_told_in_points_with_its_sign(change, shown):
    assert points(change) == shown
