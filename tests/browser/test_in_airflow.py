"""The dashboard in a real Airflow: who may see it, how it opens, and a census that is watched while it runs."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from demo.up import DAG_ID
from tests.browser.airflow import Airflow, running_airflow
from tests.browser.axe import findings
from tests.browser.chromium import DESKTOP, PHONE, Watched
from tests.browser.keyboard import walk
from tests.browser.reports import report
from tests.browser.running import tell_plan, tell_segment
from tests.conftest import LocalAwsForTests

pytestmark = pytest.mark.airflow

Open = Callable[..., Watched]
# As Airflow names runs: with what a URL must escape. Each test has a run of its own.
RUN, RUN_SEEN, RUN_ON_TAB, RUN_BY_KEYS = (f"manual__2026-10-{day:02}T18:00:00+00:00" for day in (5, 6, 7, 8))
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
def new_reader(airflow: Airflow, new_page: Open) -> Open:
    """Make a page of somebody who may read: `new_reader(expected, theme=…)`."""
    return partial(new_page, (airflow.host,), cookies=airflow.cookies)


@pytest.fixture
def open_page(airflow: Airflow, new_reader: Open) -> Open:
    """Open a page of the dashboard as a reader: `open_page("run", expected, theme=…)`."""

    def opened(path: str = "", expected: str | None = None, **options: Any) -> Watched:
        page = new_reader(expected, **options)
        page.page.goto(airflow.page + path)
        return page

    return opened


# Airflow answers 404 for what is not there yet, and Chromium tells of each on the console.
NOT_THERE = r"status of 404"


def test_before_the_first_run_the_page_says_what_will_bring_it(airflow: Airflow, open_page: Open) -> None:
    airflow.withdraw()
    page = open_page(expected=NOT_THERE).page

    expect(page.locator("main .lead")).not_to_be_empty()
    expect(page.locator("main")).to_contain_text("published")


@pytest.mark.parametrize(
    ("locale", "asked", "wanted"), [("ja-JP", "", "ja"), ("de-DE", "", "en"), ("en-US", "?lang=ja", "ja")]
)
def test_the_page_opens_in_the_language_of_the_browser_or_of_the_link(
    airflow: Airflow, open_page: Open, locale: str, asked: str, wanted: str
) -> None:
    airflow.publish(report("small"))
    page = open_page(f"{asked}#period=2026-08", locale=locale)

    page.wait_until_drawn()

    assert page.page.locator("html").get_attribute("lang") == wanted
    assert page.page.locator("select#period").input_value() == "2026-08"
    assert page.page.locator("section.section").count() == 7


def test_nobody_sees_anything_without_a_log_in(airflow: Airflow, new_page: Open) -> None:
    airflow.publish(report("small"))
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

    for language, theme in (("en", "light"), ("ja", "dark")):
        page.speak(language)
        page.page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]

        assert findings(page.page) == [], f"{language} {theme}"


def test_hostile_values_are_text_in_airflow_too(airflow: Airflow, open_page: Open) -> None:
    airflow.publish(report("hostile"))
    page = open_page()
    page.wait_until_drawn()

    assert "<script>alert(1)</script>" in page.page.locator("main").inner_text()
    assert page.page.locator("img, iframe, object, embed, base").count() == 0


def test_the_page_lives_in_the_frame_that_airflow_gives_it(airflow: Airflow, new_reader: Open) -> None:
    airflow.publish(report("small"))
    # Chromium warns of the sandbox that Airflow gives to every such page.
    page = new_reader("escape its sandboxing").page

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


def address(airflow: Airflow, page: Page, destination: str) -> str:
    """Return where Airflow's frame of a view leads on the tab of RUN_ON_TAB: it fills in by encodeURIComponent."""
    address = airflow.views[destination]
    for name, value in (("{DAG_ID}", DAG_ID), ("{RUN_ID}", RUN_ON_TAB)):
        address = address.replace(name, page.evaluate("encodeURIComponent", value))
    return f"{airflow.url}/{address}"


def test_the_tab_of_the_dag_shows_the_report(airflow: Airflow, new_reader: Open) -> None:
    airflow.publish(report("small"))
    page = new_reader()

    page.open(address(airflow, page.page, "dag"))

    assert page.page.locator("section.section").count() == 7


def test_the_tab_of_a_run_shows_that_run(airflow: Airflow, new_reader: Open) -> None:
    airflow.start_run(RUN_ON_TAB)
    tell_plan(airflow, RUN_ON_TAB)
    tell_segment(airflow, RUN_ON_TAB, 2, 1234)
    page = new_reader(NOT_THERE).page

    page.goto(address(airflow, page, "dag_run"))

    assert page.url.endswith("run_id=manual__2026-10-07T18%3A00%3A00%2B00%3A00")
    expect(page.locator("main .lead code").first).to_have_text(RUN_ON_TAB)
    expect(page.locator("main")).to_contain_text("1,234")
    expect(page.locator("main table a[aria-current=page]")).to_have_attribute("title", RUN_ON_TAB)


def test_the_tabs_of_another_dag_say_which_dag_is_the_census(airflow: Airflow, new_reader: Open) -> None:
    page = new_reader(NOT_THERE).page

    for destination in ("dag", "dag_run"):
        page.goto(address(airflow, page, destination).replace(DAG_ID, "another"))

        expect(page.locator("body")).to_contain_text(DAG_ID)
        assert page.locator("section").count() == 0


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


@pytest.mark.parametrize("language", ["en", "ja"])
def test_axe_finds_nothing_serious_in_the_run_page(airflow: Airflow, open_page: Open, language: str) -> None:
    tell_plan(airflow, RUN_SEEN)
    tell_segment(airflow, RUN_SEEN, 0, 1200)
    page = open_page(f"run?run_id={quote(RUN_SEEN)}&lang={language}", NOT_THERE).page
    expect(page.locator("main table").first).to_be_visible()

    for theme, viewport in product(("light", "dark"), (DESKTOP, PHONE)):
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        page.set_viewport_size(viewport)

        assert findings(page) == [], f"{theme} {viewport['width']} px"
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


def test_the_run_page_is_walked_by_keyboard_and_news_leave_the_focus_where_it_is(
    airflow: Airflow, open_page: Open
) -> None:
    airflow.start_run(RUN_BY_KEYS)
    tell_plan(airflow, RUN_BY_KEYS)
    tell_segment(airflow, RUN_BY_KEYS, 0, 3000, is_done=True)
    tell_segment(airflow, RUN_BY_KEYS, 1, 700)
    page = open_page(f"run?run_id={quote(RUN_BY_KEYS)}", NOT_THERE).page
    expect(page.locator("main table a").first).to_be_visible()

    wanted, walked = walk(page)

    assert len(wanted) > 8  # two pages, three themes, two languages, the segments that are done, the run
    assert [each["step"] for each in walked] == wanted
    assert [each["name"] for each in walked if not (each["isMarked"] and each["isSeen"])] == []

    page.locator("main summary").focus()
    page.keyboard.press("Enter")
    tell_segment(airflow, RUN_BY_KEYS, 1, 777)
    expect(page.locator("main")).to_contain_text("777")
    assert page.evaluate("document.activeElement.localName") == "summary"
    assert page.locator("main details").evaluate("(each) => each.open")

    page.locator("#language-ja").focus()
    page.keyboard.press("Enter")
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    assert page.evaluate("document.activeElement.id") == "language-ja"
    page.locator(f"main a[title='{RUN_BY_KEYS}']").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/run?run_id=*#lang=ja")
    expect(page.locator("main .lead code").first).to_have_text(RUN_BY_KEYS)
