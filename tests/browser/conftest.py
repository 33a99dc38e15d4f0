"""
One Chromium for each file of browser tests; a page that did what it must not do fails its test.

Not one for all: while Playwright is on, its event loop counts as running, and other tests of the process may need one.
A page costs more than most of what is done with it. So tests that read, or change what can be put back, share pages
that are opened once (`read_report`, `chart_page`); the others get a page and a profile of their own.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from chatcensus.dashboard.page import report_html
from tests.browser import chart_page as charts
from tests.browser.chromium import DESKTOP, MISSING, Watched, launch, opened_in, program
from tests.browser.reports import report

Open = Callable[..., Watched]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if program() is None:
        pytest.fail(MISSING) if os.environ.get("CI") else pytest.skip(MISSING)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def new_page(chromium: Browser) -> Iterator[Open]:
    """
    Make a page in a profile of its own: `new_page(hosts, expected, theme=…, viewport=…, locale=…, cookies=…)`.

    After the test each page made must be without a fault.
    """
    pages: list[Watched] = []

    def make(*hosts_and_expected: Any, **options: Any) -> Watched:
        pages.append(opened_in(chromium, *hosts_and_expected, **options))
        return pages[-1]

    yield make
    faults = [fault for page in pages for fault in page.faults]
    for page in pages:
        page.page.context.close()
    assert faults == []


@pytest.fixture(scope="module")
def kept_page(chromium: Browser) -> Iterator[Open]:
    """Return the page of a name, new at the first call: `kept_page(name, hosts)`. Who uses it asks for its faults."""
    pages: dict[str, Watched] = {}

    def kept(name: str, hosts: tuple[str, ...] = ()) -> Watched:
        if name not in pages:
            pages[name] = opened_in(chromium, hosts)
        return pages[name]

    yield kept
    for page in pages.values():
        page.page.context.close()


@pytest.fixture(scope="module")
def report_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Return the `file://` address of the report called *name*, opened in *language*."""
    folder = tmp_path_factory.mktemp("reports")

    def address(name: str, language: str = "en") -> str:
        path = folder / f"{name}-{language}.html"
        if not path.exists():
            path.write_text(report_html(report(name), language), encoding="utf-8")
        return path.as_uri()

    return address


@pytest.fixture
def open_report(new_page: Open, report_file: Callable[..., str]) -> Open:
    """Open the one-file report called *name*: `open_report(name, language, fragment, theme=…, viewport=…)`."""

    def opened(name: str, language: str = "en", fragment: str = "", **options: Any) -> Watched:
        page = new_page(**options)
        page.open(report_file(name, language) + fragment)
        return page

    return opened


@pytest.fixture
def read_report(kept_page: Open, report_file: Callable[..., str]) -> Iterator[Open]:
    """
    Give the one-file report called *name*, opened by an earlier test perhaps, and drawn anew for this one.

    `read_report(name, language, fragment, theme=…, viewport=…)`. What a test may leave behind is put back: filters,
    language, theme, open tables, the focus, the size. Who changes more than that takes `open_report`.
    """
    used: list[Watched] = []

    def read(
        name: str, language: str = "en", fragment: str = "", theme: str = "light", viewport: Any = DESKTOP
    ) -> Watched:
        watched = kept_page(f"report {name} {language}")
        used.append(watched)
        watched.page.emulate_media(color_scheme=theme, media="screen")  # type: ignore[arg-type]
        watched.page.set_viewport_size(viewport)
        if watched.page.url == "about:blank":
            watched.open(report_file(name, language) + fragment)
        else:
            watched.page.evaluate(PUT_BACK, fragment)
        return watched

    yield read
    _assert_without_faults(*used)


PUT_BACK = """(fragment) => {
  for (const each of document.querySelectorAll("details[open]")) {
    each.open = false;
    each.dispatchEvent(new Event("toggle")); // now, and not when the page is drawn again
  }
  if (document.documentElement.dataset.theme !== "auto") document.getElementById("theme-auto").click();
  document.body.tabIndex = -1;
  document.body.focus(); // so that Tab begins at the top again
  document.body.removeAttribute("tabindex");
  history.replaceState(null, "", location.href.split("#")[0] + fragment);
  frame.say("");
  frame.redraw();
  scrollTo(0, 0);
}"""


@pytest.fixture(scope="module")
def chart_host() -> Iterator[str]:
    with charts.served() as host:
        yield host


@pytest.fixture
def chart_page(kept_page: Open, chart_host: str) -> Iterator[Watched]:
    """The page of the charts, without any; tests that listen to its window take `new_chart_page`."""
    watched = kept_page("charts", (chart_host,))
    if watched.page.url == "about:blank":
        watched.page.goto(f"http://{chart_host}/")
    else:
        charts.clear(watched)
    yield watched
    _assert_without_faults(watched)


@pytest.fixture
def new_chart_page(new_page: Open, chart_host: str) -> Watched:
    watched = new_page((chart_host,))
    watched.page.goto(f"http://{chart_host}/")
    return watched


def _assert_without_faults(*pages: Watched) -> None:
    faults = [fault for page in pages for fault in page.faults]
    for page in pages:
        page.faults.clear()
    assert faults == []
