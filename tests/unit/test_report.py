import base64
import copy
import hashlib
import re
from datetime import date
from html.parser import HTMLParser
from string import Formatter

import pytest

from chatcensus.dashboard.report import percent, render_report, usd, usd_rounded
from chatcensus.dashboard.report_texts import TEXTS

HOSTILE = "<script>alert('x')</script><img src=https://evil.example/x onerror=alert(1)>"

REPORT = {
    "run_id": "manual__2026-10-02",
    "generated_at": "2026-10-02T00:10:00Z",
    "export_id": "01604474914028-a1b2c3d4",
    "export_time": "2026-10-01T23:59:00Z",
    "item_count": 6,
    "timezone": "Asia/Tokyo",
    "answered_by": ["claude"],
    "totals": {"conversations": 6, "evaluated": 4, "quarantined": 1, "pending": 1},
    "cost_micro_usd": 1_234_567,
    "labels": {"coding": {"en": "Coding", "ja": "コーディング"}, "writing": {"en": "Writing", "ja": "文章作成"}},
    "tables": {
        "category_counts": [
            {"category": "coding", "conversations": 3, "users": 2, "mean_inquiry_score": 3.5, "share": 0.75},
            {"category": "writing", "conversations": 1, "users": 1, "mean_inquiry_score": 5.0, "share": 0.25},
        ],
        "score_distribution": [
            {"inquiry_score": 3, "conversations": 2, "share": 0.5},
            {"inquiry_score": 5, "conversations": 2, "share": 0.5},
        ],
        "daily_usage": [
            {"day": date(2026, 9, 30), "conversations": 4, "evaluated": 3, "quarantined": 1, "pending": 0, "users": 2},
            {"day": "2026-10-02", "conversations": 1, "evaluated": 1, "quarantined": 0, "pending": 0, "users": 1},
            {"day": None, "conversations": 1, "evaluated": 0, "quarantined": 0, "pending": 1, "users": 0},
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
        "model_cost": [
            {
                "model": "haiku",
                "answered_by": "claude",
                "conversations": 5,
                "attempts": 6,
                "input_tokens": 8000,
                "output_tokens": 60,
                "cost_micro_usd": 1_234_567,
            }
        ],
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
                ("haiku", "abc", "evaluated", None, 4, 3),
                ("haiku", "abc", "quarantined", "refused", 1, 1),
                (None, None, "pending", None, 1, 0),
            ]
        ],
    },
}


def report(**changes: object) -> dict:
    return copy.deepcopy(REPORT) | changes


def empty_report() -> dict:
    return report(
        item_count=0,
        answered_by=[],
        totals=dict.fromkeys(REPORT["totals"], 0),
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
    assert "6 conversations, 2 categories.<br>Most used: Coding, 75%." in heading
    assert "会話6件、2カテゴリー。<br>最も多い用途は「コーディング」で75%。" in heading


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
    pending = empty_report() | {"item_count": 1, "totals": dict(REPORT["totals"], conversations=1, evaluated=0)}
    pending["totals"].update(quarantined=0, pending=1)
    pending["tables"]["daily_usage"] = [
        {"day": None, "conversations": 1, "evaluated": 0, "quarantined": 0, "pending": 1, "users": 0}
    ]
    pending["tables"]["evaluation_quality"] = [REPORT["tables"]["evaluation_quality"][2]]

    text = Page(render_report(pending)).text

    assert "1 conversation, none evaluated yet." in text
    assert TEXTS["en"]["chain_holds"] in text


def test_the_chain_of_counts_is_shown_and_holds():
    text = Page(render_report(REPORT)).text

    assert "6 in the export = 4 evaluated + 1 quarantined + 1 pending." in text
    assert TEXTS["en"]["chain_holds"] in text


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda r: r.update(item_count=7), id="an item that nobody judged"),
        pytest.param(lambda r: r["totals"].update(pending=0), id="totals"),
        pytest.param(lambda r: r["tables"]["category_counts"].pop(), id="categories"),
        pytest.param(lambda r: r["tables"]["daily_usage"].pop(), id="days"),
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
    categories, scores = widths[:2], widths[2:]
    assert categories == [100, 33.33]
    assert scores == [100, 0, 100, 0, 0]


def test_days_without_a_conversation_leave_a_gap_in_the_chart():
    html = render_report(REPORT)

    heights = [float(height) for height in re.findall(r'width="8" height="([\d.]+)"', html)]
    assert re.findall("<title>(2026.*?)</title>", html) == ["2026-09-30: 4", "2026-10-01: 0", "2026-10-02: 1"]
    assert heights == [100, 0, 25]


def test_a_long_time_is_charted_by_month_or_year():
    days = report()
    days["tables"]["daily_usage"][0]["day"] = "2026-02-27"
    assert "<title>2026-02: 4</title>" in render_report(days)

    days["tables"]["daily_usage"][0]["day"] = "1970-01-01"
    assert "<title>1970: 4</title>" in render_report(days)


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
    ("share", "shown"), [(0.0, "0.0%"), (0.0004, "<0.1%"), (0.3125, "31.2%"), (1.0, "100.0%"), (0.001, "0.1%")]
)
def test_a_share_is_never_rounded_down_to_nothing(share, shown):
    assert percent(share) == shown
