"""Chromium as Debian ships it, driven by Playwright: where it is, and what one page did that it must not do."""

import os
import re
import shutil
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Dialog, Error, Page, Playwright, Request, expect

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
PATIENCE_MS = 60_000  # a busy machine draws slowly, and no test waits this long for something that happens
MISSING = "there is no Chromium: apt-get install chromium fonts-noto-cjk, or set CHROMIUM to the path of one"
expect.set_options(timeout=PATIENCE_MS)

_UNTIL = """async (argument) => {
  const isSo = %s, end = performance.now() + %d;
  while (!(await isSo(argument))) {
    if (performance.now() > end) throw new Error(`it never came true: %s`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}"""


def program() -> str | None:
    """Return the path of Chromium, None where there is none."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)


def launch(playwright: Playwright) -> Browser:
    """Start Chromium, without traffic of its own. Raises: FileNotFoundError where there is none."""
    if (path := program()) is None:
        raise FileNotFoundError(MISSING)
    quiet = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"]
    return playwright.chromium.launch(executable_path=path, args=quiet)


class Watched:
    """
    A page and its faults: errors on the console (its policy's too) or in scripts, dialogs, requests to other hosts.

    Shape: *hosts* are the `host:port` that it may ask; a file may ask none, and read only itself. Messages that match
    *expected* are no fault.
    """

    def __init__(self, page: Page, hosts: Sequence[str] = (), expected: str | None = None) -> None:
        self.page, self.hosts, self.faults, self.requests = page, hosts, list[str](), list[str]()
        self._expected = re.compile(expected) if expected else None
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", self._said)
        page.on("pageerror", self._failed)
        page.on("request", self._asked)
        page.on("dialog", self._opened)

    def open(self, url: str) -> None:
        """Go to *url* and return when all sections are drawn."""
        self.page.goto(url)
        self.wait_until_drawn()

    def wait_until_drawn(self, times: int = 1) -> None:
        """Return when the page says that it is drawn, or has been drawn that many times."""
        self.until("(times) => performance.getEntriesByName('census-drawn').length >= times", times)

    def redraw(self, act: Callable[[], object]) -> None:
        """Do *act*, and return when the page has drawn itself again because of it."""
        drawn = self.page.evaluate("performance.getEntriesByName('census-drawn').length")
        act()
        self.wait_until_drawn(drawn + 1)

    def speak(self, language: str) -> None:
        """Let the page speak *language*, by its switch where it does not yet."""
        if self.page.locator("html").get_attribute("lang") == language:
            return
        self.page.locator(f"#language-{language}").click()
        expect(self.page.locator("html")).to_have_attribute("lang", language)

    def until(self, is_so: str, argument: object = None) -> None:
        """Return when the function *is_so* (it may be async) is true; Playwright's own way breaks the page's policy."""
        self.page.evaluate(_UNTIL % (is_so, PATIENCE_MS, is_so.replace("`", "'")), argument)

    def texts(self, selector: str) -> list[str]:
        """Return the text of each element that matches, shown or not."""
        return [text.strip() for text in self.page.locator(selector).all_text_contents()]

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._note(f"console {message.type}: {message.text} ({message.location.get('url')})")

    def _failed(self, error: Error) -> None:
        self._note(f"script: {error}")

    def _asked(self, request: Request) -> None:
        self.requests.append(request.url)
        place: Any = urlsplit(request.url)
        is_ours = place.scheme in ("data", "blob", "about") or place.netloc in self.hosts
        if not is_ours and not (place.scheme == "file" and request.is_navigation_request()):
            self._note(f"request: {request.url}")

    def _opened(self, dialog: Dialog) -> None:
        self._note(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _note(self, fault: str) -> None:
        if not (self._expected and self._expected.search(fault)):
            self.faults.append(fault)


def opened_in(
    chromium: Browser, hosts: Sequence[str] = (), expected: str | None = None, *, theme: str = "light", **options: Any
) -> Watched:
    """Return a blank page in a new profile of *chromium*, which ends when the context of the page is closed."""
    cookies = options.pop("cookies", [])
    usual = {"viewport": DESKTOP, "locale": "en-US", "reduced_motion": "reduce", "timezone_id": "UTC"}
    context = chromium.new_context(**{**usual, "color_scheme": theme, **options})
    context.add_cookies(cookies)
    return Watched(context.new_page(), hosts, expected)
