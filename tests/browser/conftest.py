"""One Chromium for all browser tests, a new profile for each; a page that did what it must not do fails its test."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from chatcensus.dashboard.page import report_html
from tests.browser.chromium import MISSING, Watched, launch, program
from tests.browser.reports import report

Open = Callable[..., Watched]
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}


@pytest.fixture(scope="session")
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
    contexts: list[BrowserContext] = []
    pages: list[Watched] = []

    def make(hosts: tuple[str, ...] = (), expected: str | None = None, **options: Any) -> Watched:
        cookies, theme = options.pop("cookies", []), options.pop("theme", "light")
        usual = {"viewport": DESKTOP, "locale": "en-US", "reduced_motion": "reduce", "timezone_id": "UTC"}
        context = chromium.new_context(**usual | {"color_scheme": theme} | options)
        contexts.append(context)
        context.add_cookies(cookies)
        pages.append(Watched(context.new_page(), hosts, expected))
        return pages[-1]

    yield make
    faults = [fault for page in pages for fault in page.faults]
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture(scope="session")
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
