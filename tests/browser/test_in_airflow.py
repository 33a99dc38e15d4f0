"""The dashboard in a real Airflow: who may see it, how it opens, and a census that is watched while it runs."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from tests.browser.airflow import Airflow, running_airflow
from tests.browser.axe import findings
from tests.browser.chromium import Watched
from tests.browser.conftest import DESKTOP, PHONE
from tests.browser.reports import report
from tests.browser.running import tell_plan, tell_segment
from tests.conftest import LocalAwsForTests

pytestmark = pytest.mark.airflow

Open = Callable[..., Watched]
RUN = "manual__2026-10-05T18:00:00+00:00"  # as Airflow names runs: with what a URL must escape
ROUTES = (
    "", "run", f"run?run_id={quote(RUN)}", "report.json", f"run.json?run_id={quote(RUN)}",
    f"runs.json?run_id={quote(RUN)}", "static/page.js", "static/page.css", "static/echarts.common.min.js",
)  # fmt: skip


@pytest.fixture(scope="module")
def airflow(local_aws_server: LocalAwsForTests, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    local_aws_server.reset()
    with running_airflow(tmp_path_factory.mktemp("airflow"), local_aws_server) as started:
        yield started


@pytest.fixture
def open_page(airflow: Airflow, new_page: Open) -> Open:
    """Open a page of the dashboard as a reader: `open_page("run", fragment…)`."""

    def opened(path: str = "", expected: str | None = None, **options: Any) -> Watched:
        page = new_page((airflow.host,), expected, cookies=airflow.cookies, **options)
        page.page.goto(airflow.page + path)
        return page

    return opened


# Airflow answers 404 for what is not there yet, and Chromium tells of each on the console.
NOT_THERE = r"status of 404"


def test_before_the_first_run_the_page_says_what_will_bring_it(open_page: Open) -> None:
    page = open_page(expected=NOT_THERE).page

    expect(page.locator("main .lead")).not_to_be_empty()
    expect(page.locator("main")).to_contain_text("published")


@pytest.mark.parametrize(
    ("locale", "asked", "wanted"), [("ja-JP", "", "ja"), ("de-DE", "", "en"), ("en-US", "?lang=ja", "ja")]
)
def test_the_page_opens_in_the_language_of_the_browser_or_of_the_link(
    airflow: Airflow, open_page: Open, locale: str, asked: str, wanted: str
) -> None:
    airflow.publish(report("plain"))
    page = open_page(f"{asked}#period=2026-08", locale=locale)

    page.wait_until_drawn()

    assert page.page.locator("html").get_attribute("lang") == wanted
    assert page.page.locator("select#period").input_value() == "2026-08"
    assert page.page.locator("section.section").count() == 7


def test_nobody_sees_anything_without_a_log_in(airflow: Airflow, new_page: Open) -> None:
    airflow.publish(report("plain"))
    page = new_page((airflow.host,), "status of 40[13]").page

    for path in ROUTES:
        answer = page.goto(airflow.page + path)

        assert answer is not None
        assert answer.status in (401, 403), path
        assert "ategor" not in page.content(), path


def test_axe_finds_nothing_serious_in_the_page_in_airflow(airflow: Airflow, open_page: Open) -> None:
    airflow.publish(report("small"))
    page = open_page()
    page.wait_until_drawn()

    assert findings(page.page) == []


def test_hostile_values_are_text_in_airflow_too(airflow: Airflow, open_page: Open) -> None:
    airflow.publish(report("hostile"))
    page = open_page()
    page.wait_until_drawn()

    assert "<script>alert(1)</script>" in page.page.locator("main").inner_text()
    assert page.page.locator("img, iframe, object, embed, base").count() == 0


def test_the_page_lives_in_the_frame_that_airflow_gives_it(airflow: Airflow, new_page: Open) -> None:
    airflow.publish(report("plain"))
    # Chromium warns of the sandbox that Airflow gives to every such page.
    page = new_page((airflow.host,), "escape its sandboxing", cookies=airflow.cookies).page

    page.goto(f"{airflow.url}/plugin/chatcensus")

    frame = page.frame_locator("iframe")
    expect(frame.locator("section.section")).to_have_count(7)
    assert "allow-scripts" in (page.locator("iframe").get_attribute("sandbox") or "")
    frame.locator("select#department").select_option("Sales")
    expect(frame.locator("#categories h3")).to_contain_text("Sales")
    _check_download(page, frame)


def _check_download(page: Page, frame: FrameLocator) -> None:
    for button, begins in (("#categories-csv", b"\xef\xbb\xbf"), ("#categories-png", b"\x89PNG")):
        with page.expect_download() as download:
            frame.locator(button).click()
        assert download.value.path().read_bytes().startswith(begins)


def test_a_census_is_watched_while_it_runs_without_a_reload(airflow: Airflow, open_page: Open) -> None:
    airflow.start_run(RUN)
    tell_plan(airflow, RUN)
    tell_segment(airflow, RUN, 0, 120)
    page = open_page(f"run?run_id={quote(RUN)}", NOT_THERE)
    body = page.page.locator("main")
    expect(body).to_contain_text("120")
    page.page.evaluate("window.isTheSame = true")

    tell_segment(airflow, RUN, 0, 377)
    tell_segment(airflow, RUN, 1, 2345)

    expect(body).to_contain_text("377")
    expect(body).to_contain_text("2,345")
    expect(body).to_contain_text("2,722")
    assert page.page.evaluate("window.isTheSame")


@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("ja", "dark")])
def test_axe_finds_nothing_serious_in_the_run_page(
    airflow: Airflow, open_page: Open, language: str, theme: str
) -> None:
    tell_plan(airflow, RUN)
    tell_segment(airflow, RUN, 0, 1200)
    page = open_page(f"run?run_id={quote(RUN)}&lang={language}", NOT_THERE, theme=theme).page
    expect(page.locator("main table").first).to_be_visible()

    for viewport in (DESKTOP, PHONE):
        page.set_viewport_size(viewport)

        assert findings(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_the_history_of_runs_links_to_each(airflow: Airflow, open_page: Open) -> None:
    good, bad = "manual__2026-10-03T18:00:00+00:00", "manual__2026-10-04T09:30:00+00:00"
    for run_id, state in ((good, "success"), (bad, "failed")):
        airflow.start_run(run_id)
        airflow.end_run(run_id, state)

    page = open_page("run", NOT_THERE).page

    link = page.locator(f"a[href$='{quote(bad, safe='')}']")
    expect(link).to_be_visible()
    link.click()
    expect(page.locator("main")).to_contain_text(bad)
    assert f"run_id={quote(bad, safe='')}" in page.url
