"""A page that shows one report after the other: for what is said of numbers, and not for how a file is opened."""

import json
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from chatcensus.dashboard.page import report_html, static_files
from tests.browser.chromium import Watched
from tests.browser.small_report import as_published

_BLOCK = re.compile(r'<script type="application/gzip" id="report">([^<]+)</script>')
# What loading another file would do, without reading the scripts again: only the last of them knows the report.
_READ = """([block, language]) => {
  document.getElementById("report").textContent = block;
  document.documentElement.lang = language;
  (() => { %s })();
}"""
_OPEN_TABLES = "document.querySelectorAll('details').forEach((each) => { each.open = true; })"


class Reader:
    """
    Draw reports in *watched*, the first of them from the file *path*, and the others in its place.

    `.draw(report, language)` is the page, with all tables open; `.text(report, language)` what it says, on one line.
    Shape: the tables of a report are lists of rows by column. What is drawn already is not drawn again.
    """

    def __init__(self, watched: Watched, path: Path) -> None:
        self._watched, self._path = watched, path
        self._shown: str | None = None
        self._texts: dict[str, str] = {}

    def draw(self, report: dict[str, Any], language: str = "en") -> Page:
        wanted = _name(report, language)
        if self._shown != wanted:
            self._show(report_html(as_published(report), language), language)
            self._watched.page.evaluate(_OPEN_TABLES)
            self._shown = wanted
        return self._watched.page

    def _show(self, html: str, language: str) -> None:
        if self._shown is None:
            self._path.write_text(html, encoding="utf-8")
            self._watched.open(self._path.as_uri())
            return
        [block], page = _BLOCK.findall(html), self._watched.page
        script = _READ % static_files()["page.js"].text
        self._watched.redraw(lambda: page.evaluate(script, [block, language]))

    def text(self, report: dict[str, Any], language: str = "en") -> str:
        wanted = _name(report, language)
        if wanted not in self._texts:
            said = self.draw(report, language).locator("body").inner_text()
            self._texts[wanted] = " ".join(said.split())
        return self._texts[wanted]

    def assert_without_faults(self) -> None:
        faults = list(self._watched.faults)
        self._watched.faults.clear()
        assert faults == []


def _name(report: dict[str, Any], language: str) -> str:
    return f"{language} {json.dumps(report)}"
