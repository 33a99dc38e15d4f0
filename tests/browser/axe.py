"""Accessibility by axe-core, whose script comes with axe-playwright-python."""

from functools import cache
from pathlib import Path

import axe_playwright_python
from playwright.sync_api import Page

SERIOUS = ("serious", "critical")
# Axe looks at each cell, which takes minutes for all tables; the rows of one table are alike. Of what is inside a chart
# it knows nothing: for a screen reader that is one image, and axe would judge its letters by `color`, which they do not
# have.
_SHORTEN = """() => {
  for (const each of document.querySelectorAll("details")) each.open = true;
  for (const each of document.querySelectorAll("tbody tr:nth-child(n+2), select option:nth-child(n+4)")) each.remove();
  for (const each of document.querySelectorAll(".chart svg > *")) each.style.visibility = "hidden";
}"""


@cache
def _script() -> str:
    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


def findings(page: Page) -> list[str]:
    """Open all tables of *page*, shorten them, and return what axe finds serious or critical: rules and elements."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_script())  # by the debugger: the page's own policy would not let it in
    page.evaluate(_SHORTEN)
    found = page.evaluate("axe.run({resultTypes: ['violations']})")
    return [
        f"{each['id']} ({each['impact']}): {[node['html'][:200] for node in each['nodes'][:3]]}"
        for each in found["violations"]
        if each["impact"] in SERIOUS
    ]
