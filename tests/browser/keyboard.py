"""A walk through a page by keyboard."""

from typing import Any

from playwright.sync_api import Page

_FOCUSABLE = "a[href], button, select, input, summary, [tabindex='0']"
# Each element that Tab should reach in the order of the document; a closed table is not on the way.
_IN_ORDER = f"""() => [...document.querySelectorAll("{_FOCUSABLE}")]
  .filter((each) => !each.disabled && each.tabIndex >= 0 && each.checkVisibility())
  .map((each, at) => (each.dataset.step = String(at + 1)))"""
_FOCUSED = """() => {
  const each = document.activeElement;
  const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(each);
  const box = each.getBoundingClientRect();
  return {
    step: each.dataset.step ?? null,
    isMarked: (outlineStyle !== "none" && parseFloat(outlineWidth) >= 1) || boxShadow !== "none",
    isSeen: box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
    name: `${each.localName}#${each.id} ${each.textContent.slice(0, 40)}`,
  };
}"""


def walk(page: Page) -> tuple[list[str], list[dict[str, Any]]]:
    """
    Press Tab once for each control of *page*; return the steps that should be made, and where the focus was.

    Shape: of each step its number (`step`, None where nothing was to be reached), `isMarked`: the focus is visible,
    `isSeen`: the element is, and `name`.
    """
    wanted: list[str] = page.evaluate(_IN_ORDER)
    walked = []
    for _ in wanted:
        page.keyboard.press("Tab")
        walked.append(focused(page))
    return wanted, walked


def focused(page: Page) -> dict[str, Any]:
    """Return what `walk` tells of a step, of the element that has the focus now."""
    found: dict[str, Any] = page.evaluate(_FOCUSED)
    return found
