"""What a reader sees of the report page, and does with it."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Locator

from chatcensus.publication import rows_of
from tests.browser.chromium import Watched
from tests.browser.reports import report


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


def elements(page: Watched) -> dict[str, int]:
    """How many elements there are that could load or run something, and attributes that could."""
    kinds = ("script", "img", "image", "iframe", "object", "embed", "link", "base", "form", "meta", "style", "b")
    found = {kind: page.page.locator(kind).count() for kind in kinds}
    attributes = page.page.evaluate("[...document.querySelectorAll('*')].flatMap((each) => each.getAttributeNames())")
    return found | {"handlers": sum(name.startswith("on") for name in attributes)}


def cells_of(name: str, dimension: str, value: str) -> list[dict[str, Any]]:
    """What the report called *name* tells of a group: a row for each month and category."""
    cells = rows_of(report(name), "category_by_group")
    return [row for row in cells if (row["dimension"], row["value"]) == (dimension, value)]


def latest(name: str, dimension: str, value: str) -> tuple[str, list[dict[str, Any]]]:
    """The latest month told of a group, and its rows, most used first."""
    cells = cells_of(name, dimension, value)
    month = max(row["month"] for row in cells)
    return month, sorted((r for r in cells if r["month"] == month), key=lambda r: -r["conversations"])
