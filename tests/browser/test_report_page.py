"""What the report shows in a browser, as the one file in S3; the page in Airflow is the same code."""

import base64
import gzip
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from chatcensus.summaries import POOLED
from tests.browser.chromium import Watched
from tests.browser.reading import elements, shown
from tests.browser.reports import TINY, report

Open = Callable[..., Watched]

SECTIONS = ["use", "scores", "people", "when", "cost", "certainty", "custody"]
# What a program says where a person should read something.
SLIPS = re.compile(r"\bundefined\b|\bNaN\b|\[object|\bnull\b|\bInfinity\b|\{\w+\}")


@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_section_is_drawn_in_each_language_and_theme(read_report: Open, language: str) -> None:
    page = read_report("plain", language)

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
def test_much_little_and_nothing_are_told_without_a_slip(read_report: Open, name: str, languages: list[str]) -> None:
    page = read_report(name)

    for language in languages:
        page.speak(language)
        text = shown(page)

        assert SLIPS.findall(text) == []
        assert f"{report(name)['totals']['conversations']:,}" in text
        assert [each for each in page.texts("h2, h3, caption, th, button") if not each] == []


def test_hostile_values_are_shown_as_text(read_report: Open) -> None:
    page, usual = read_report("hostile"), elements(read_report("small"))

    for language in ("en", "ja"):
        page.speak(language)
        text = shown(page)

        assert "<script>alert(1)</script>" in text
        assert "<img src=x onerror=alert(2)>" in text
        assert elements(page) == usual


@pytest.mark.parametrize("name", ["plain", "large"])
def test_departments_of_too_few_people_are_nowhere_in_the_file(report_file: Callable[..., str], name: str) -> None:
    text = Path(report_file(name).removeprefix("file://")).read_text()
    packed = re.search(r'id="report">([^<]+)<', text)
    assert packed
    data = gzip.decompress(base64.b64decode(packed[1])).decode()

    assert [tiny for tiny in TINY if tiny in text + data] == []
    assert POOLED in data


def test_the_file_asks_for_nothing_else(read_report: Open, report_file: Callable[..., str]) -> None:
    page = read_report("plain")

    asked = {url.partition("#")[0] for url in page.requests if not url.startswith(("data:", "blob:"))}
    assert asked == {report_file("plain")}


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
