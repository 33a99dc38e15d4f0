"""What the report shows and does in a browser, as the one file in S3; the page in Airflow is the same code."""

import base64
import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from chatcensus.csv_file import csv_bytes
from chatcensus.publication import rows_of
from chatcensus.summaries import POOLED
from tests.browser.chromium import Watched
from tests.browser.reports import HOSTILE, TINY, report

Open = Callable[..., Watched]

SECTIONS = ["use", "scores", "people", "when", "cost", "certainty", "custody"]
BOTH = pytest.mark.parametrize("language", ["en", "ja"])
# What a program says where a person should read something.
SLIPS = re.compile(r"\bundefined\b|\bNaN\b|\[object|\bnull\b|\bInfinity\b|\{\w+\}")


# The page draws itself in the same event, before this listener is called.
CHANGE_FRAGMENT = """(settings) => new Promise((resolve) => {
  addEventListener("hashchange", resolve, { once: true });
  location.hash = settings;
})"""


def shown(page: Watched) -> str:
    """Every text of the page, that of closed tables too."""
    text: str = page.page.locator("#page").text_content() or ""
    return text


def figure(page: Watched, name: str) -> Locator:
    return page.page.locator(f"article#{name}")


def table(page: Watched, name: str) -> list[list[str]]:
    """The cells of a figure's table, as a reader sees them."""
    read = "(table) => [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.textContent))"
    cells: list[list[str]] = figure(page, name).locator("table").evaluate(read)
    return cells


def choose(page: Watched, name: str, value: str) -> None:
    page.redraw(lambda: page.page.locator(f"select#{name}").select_option(value))


def chosen(page: Watched) -> dict[str, str]:
    """What each filter shows now."""
    names = ("period", "department", "language", "model")
    return {name: page.page.locator(f"select#{name}").input_value() for name in names}


def saved(page: Watched, button: str) -> bytes:
    """The bytes of the file that a button gives."""
    with page.page.expect_download() as download:
        page.page.locator(f"button#{button}").click()
    return Path(download.value.path()).read_bytes()


def latest(name: str, dimension: str, value: str) -> tuple[str, list[dict[str, Any]]]:
    """The latest month told of a group, and its rows, most used first."""
    cells = [
        r for r in rows_of(report(name), "category_by_group") if (r["dimension"], r["value"]) == (dimension, value)
    ]
    month = max(row["month"] for row in cells)
    return month, sorted((r for r in cells if r["month"] == month), key=lambda r: -r["conversations"])


@BOTH
def test_every_section_is_drawn_in_each_language_and_theme(open_report: Open, language: str) -> None:
    page = open_report("plain", language)

    for theme in ("light", "dark"):
        page.page.emulate_media(color_scheme=theme)

        assert page.page.locator("section.section").evaluate_all("(all) => all.map((each) => each.id)") == SECTIONS
        assert page.page.locator("html").get_attribute("lang") == language
        assert page.page.locator("h1").count() == 1
        charts = page.page.locator(".chart")
        assert charts.count() == charts.locator("svg").count() >= 10
        assert SLIPS.findall(shown(page)) == []
        paper = page.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", paper)[:3])) < 200) == (theme == "dark"), paper


@pytest.mark.parametrize(
    ("name", "languages"),
    [("large", ["en"]), *((name, ["en", "ja"]) for name in ("small", "empty", "one_day", "no_weeks_told"))],
)
def test_much_little_and_nothing_are_told_without_a_slip(open_report: Open, name: str, languages: list[str]) -> None:
    page = open_report(name)

    for language in languages:
        page.speak(language)
        text = shown(page)

        assert SLIPS.findall(text) == []
        assert f"{report(name)['totals']['conversations']:,}" in text
        assert [each for each in page.texts("h2, h3, caption, th, button") if not each] == []


def test_a_group_is_told_by_month_and_in_its_own_numbers(open_report: Open) -> None:
    month, wanted = latest("plain", "department", "Sales")
    page = open_report("plain")

    choose(page, "department", "Sales")

    assert chosen(page) == {"period": month[:7], "department": "Sales", "language": "", "model": ""}
    assert "Sales" in figure(page, "categories").locator("h3").inner_text()
    found = [(int(row[1].replace(",", "")), row[3]) for row in table(page, "categories")]
    assert found == [(row["conversations"], str(row["users"])) for row in wanted]
    expect(page.page.get_by_role("status")).not_to_be_empty()


def test_only_one_group_is_told_at_a_time_and_the_reader_hears_why(open_report: Open) -> None:
    page = open_report("plain", fragment="#department=Sales&period=2026-08")

    choose(page, "language", "en")

    assert chosen(page) == {"period": "2026-08", "department": "", "language": "en", "model": ""}
    expect(page.page.get_by_role("status")).not_to_be_empty()


def test_a_week_ends_the_choice_of_a_group(open_report: Open) -> None:
    week = max(row["period"] for row in rows_of(report("plain"), "category_trends") if row["grain"] == "week")
    page = open_report("plain", fragment="#department=Sales&period=2026-08")

    choose(page, "period", week)

    assert chosen(page) == {"period": week, "department": "", "language": "", "model": ""}
    of_week = [r for r in rows_of(report("plain"), "category_trends") if (r["grain"], r["period"]) == ("week", week)]
    found = sorted(int(row[1].replace(",", "")) for row in table(page, "categories"))
    assert found == sorted(row["conversations"] for row in of_week)
    expect(page.page.get_by_role("status")).not_to_be_empty()


def test_filters_and_language_outlive_each_other_and_a_reload(open_report: Open) -> None:
    page = open_report("plain")
    choose(page, "model", "gpt-5-mini")
    wanted = chosen(page)

    page.speak("ja")

    assert chosen(page) == wanted
    page.page.reload()
    page.wait_until_drawn()
    assert page.page.locator("html").get_attribute("lang") == "ja"
    assert chosen(page) == wanted


def test_a_link_to_what_is_not_told_shows_everything(open_report: Open) -> None:
    page = open_report("small")
    everything = page.texts("h3")

    for settings in ("period=2099-01", "department=<img src=x onerror=alert(1)>", "lang=xx&period=2026-10-05x", "%"):
        page.page.evaluate(CHANGE_FRAGMENT, settings)

        assert chosen(page) == {"period": "", "department": "", "language": "", "model": ""}
        assert page.texts("h3") == everything


@pytest.mark.parametrize("name", ["plain", "hostile"])
def test_the_csv_of_a_group_is_what_python_writes_of_its_rows(open_report: Open, name: str) -> None:
    group = {"plain": "Sales", "hostile": HOSTILE[6]}[name]
    month, wanted = latest(name, "department", group)
    page = open_report(name)
    choose(page, "department", group)

    found = saved(page, "categories-csv")

    names = found.decode("utf-8-sig").splitlines()[0].split(",")
    assert {"category", "conversations", "users", "mean_inquiry_score"} <= set(names)
    before = _month_before(month)
    earlier = {r["category"]: r["conversations"] for r in _of_group(name, group) if r["month"] == before}
    absent = 0 if report(name)["min_users"] <= 1 else None
    known = [{"previous_conversations": earlier.get(row["category"], absent), **row} for row in wanted]
    assert sorted(found.split(b"\r\n")) == sorted(csv_bytes(names, known).split(b"\r\n"))


def _of_group(name: str, group: str) -> list[dict[str, Any]]:
    cells = rows_of(report(name), "category_by_group")
    return [row for row in cells if (row["dimension"], row["value"]) == ("department", group)]


def _month_before(month: str) -> str:
    year, number = int(month[:4]), int(month[5:7]) - 1
    return f"{year}-{number:02}-01" if number else f"{year - 1}-12-01"


def test_every_table_is_saved_as_a_csv(open_report: Open) -> None:
    page = open_report("plain")

    names = page.page.locator("article button[id$=-csv]").evaluate_all("(all) => all.map((each) => each.id)")
    files = {}
    for count, name in enumerate(names):
        if count % 9 == 8:  # Chromium lets a page save ten files at once
            page = open_report("plain")
        files[name] = saved(page, name)

    assert len(names) > 10
    for name, content in files.items():
        assert content.startswith(b"\xef\xbb\xbf"), name
        assert content.count(b"\r\n") >= 2, name


def test_each_kind_of_chart_is_saved_as_a_png(open_report: Open) -> None:
    page = open_report("plain")

    for name in ("categories", "changes", "course", "usage", "hour-by-weekday"):
        content = saved(page, f"{name}-png")

        assert content.startswith(b"\x89PNG\r\n\x1a\n"), name
        assert int.from_bytes(content[16:20]) == 1920, name  # 960 CSS pixels at double density
        assert len(content) > 10_000, name


def test_hostile_values_are_shown_as_text(open_report: Open) -> None:
    page, usual = open_report("hostile"), elements(open_report("small"))

    for language in ("en", "ja"):
        page.speak(language)
        text = shown(page)

        assert "<script>alert(1)</script>" in text
        assert "<img src=x onerror=alert(2)>" in text
        assert elements(page) == usual


def test_a_hostile_department_can_be_chosen_and_linked_to(open_report: Open) -> None:
    page = open_report("hostile")
    for value in (HOSTILE[0], HOSTILE[5], HOSTILE[7]):
        choose(page, "department", value)

        assert chosen(page)["department"] == value
        assert elements(page)["img"] == 0
    page.page.reload()
    page.wait_until_drawn()
    assert chosen(page)["department"] == HOSTILE[7]


def elements(page: Watched) -> dict[str, int]:
    """How many elements there are that could load or run something, and attributes that could."""
    kinds = ("script", "img", "image", "iframe", "object", "embed", "link", "base", "form", "meta", "style", "b")
    found = {kind: page.page.locator(kind).count() for kind in kinds}
    attributes = page.page.evaluate("[...document.querySelectorAll('*')].flatMap((each) => each.getAttributeNames())")
    return found | {"handlers": sum(name.startswith("on") for name in attributes)}


@pytest.mark.parametrize("name", ["plain", "large"])
def test_departments_of_too_few_people_are_nowhere_in_the_file(report_file: Callable[..., str], name: str) -> None:
    text = Path(report_file(name).removeprefix("file://")).read_text()
    packed = re.search(r'id="report">([^<]+)<', text)
    assert packed
    data = gzip.decompress(base64.b64decode(packed[1])).decode()

    assert [tiny for tiny in TINY if tiny in text + data] == []
    assert POOLED in data


def test_the_file_asks_for_nothing_else(open_report: Open, report_file: Callable[..., str]) -> None:
    page = open_report("plain")

    assert [url for url in page.requests if not url.startswith(("data:", "blob:"))] == [report_file("plain")]


def test_the_file_is_as_small_as_promised(report_file: Callable[..., str]) -> None:
    size = Path(report_file("large").removeprefix("file://")).stat().st_size

    assert size <= 1_500_000


def test_these_tests_notice_what_a_page_must_not_do(chromium: Browser) -> None:
    context = chromium.new_context(offline=True)
    page = Watched(context.new_page(), ("127.0.0.1:1",))

    page.page.set_content(
        """<meta http-equiv="Content-Security-Policy" content="img-src 'none'; script-src 'unsafe-inline'">
        <img src="https://evil.example/x"><link rel="stylesheet" href="https://evil.example/y">
        <script>alert(1); console.error("an error"); eval("2")</script><script>throw new Error("a fault")</script>"""
    )

    told = "\n".join(page.faults)
    for fault in (
        "dialog: 1",
        "an error",
        "a fault",
        "https://evil.example/y",
        "image 'https://evil.example/x'",
        "Eval",
    ):
        assert fault in told, fault
    context.close()
