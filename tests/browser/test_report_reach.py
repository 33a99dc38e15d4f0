"""Who can read the report: with a keyboard, a screen reader, a phone, on paper, without colours."""

from collections.abc import Callable
from itertools import product

import pytest
from playwright.sync_api import expect

from tests.browser.axe import findings
from tests.browser.chromium import DESKTOP, PHONE, Watched
from tests.browser.keyboard import focused, walk

Open = Callable[..., Watched]


@pytest.mark.parametrize("language", ["en", "ja"])
def test_axe_finds_nothing_serious_in_the_report(read_report: Open, language: str) -> None:
    page = read_report("small")
    page.speak(language)

    for theme, viewport in product(("light", "dark"), (DESKTOP, PHONE)):
        page.page.emulate_media(color_scheme=theme)
        page.page.set_viewport_size(viewport)

        assert findings(page.page) == [], f"{language} {theme} {viewport['width']} px"


def test_tab_reaches_every_control_in_order_with_a_visible_focus(read_report: Open) -> None:
    page = read_report("small").page

    wanted, walked = walk(page)

    assert len(wanted) > 50
    assert [each["step"] for each in walked] == wanted
    assert [each["name"] for each in walked if not (each["isMarked"] and each["isSeen"])] == []
    for _ in range(3):  # no trap at the end: the focus goes back to the browser, and comes around
        page.keyboard.press("Tab")
    assert focused(page)["step"] != wanted[-1]


def test_enter_and_space_work_and_the_focus_stays_where_it_was(read_report: Open) -> None:
    watched = read_report("small")
    page = watched.page

    page.locator("#language-ja").focus()
    page.keyboard.press("Enter")
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    assert page.evaluate("document.activeElement.id") == "language-ja"

    page.locator("#theme-dark").focus()
    page.keyboard.press("Space")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert page.locator("#theme-dark").get_attribute("aria-pressed") == "true"

    page.locator("#categories summary").focus()
    is_open = page.locator("#categories details").evaluate("(each) => each.open")
    page.keyboard.press("Enter")
    assert page.locator("#categories details").evaluate("(each) => each.open") != is_open

    before = watched.texts("#categories h3")
    page.locator("select#department").focus()
    watched.redraw(lambda: page.keyboard.press("ArrowDown"))
    expect(page.locator("select#department")).not_to_have_value("")
    assert watched.texts("#categories h3") != before
    assert page.evaluate("document.activeElement.id") == "department"


def test_the_skip_link_leads_past_the_header(read_report: Open) -> None:
    page = read_report("small").page

    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    assert page.evaluate("document.activeElement.localName") == "main"


@pytest.mark.parametrize("name", ["plain", "hostile", "empty"])
def test_a_page_of_320_pixels_never_scrolls_sideways(read_report: Open, name: str) -> None:
    page = read_report(name, viewport={"width": 320, "height": 640})

    for language in ("ja", "en"):
        page.speak(language)
        page.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")

        assert page.page.evaluate("document.documentElement.scrollWidth") <= 320


def test_print_shows_all_sections_and_their_tables(read_report: Open) -> None:
    page = read_report("small", theme="dark").page
    page.emulate_media(media="print")
    tables = page.locator("details:not([open]) table")

    are_shown = tables.evaluate_all("(all) => all.map((each) => each.checkVisibility() && each.offsetHeight > 30)")

    assert len(are_shown) > 10
    assert all(are_shown)
    assert page.locator("section.section").evaluate_all("(all) => all.every((each) => each.checkVisibility())")
    look = "() => { window.paper = getComputedStyle(document.body).backgroundColor; }"
    page.evaluate(f"addEventListener('beforeprint', {look})")
    assert page.pdf(format="A4").startswith(b"%PDF")
    assert page.evaluate("window.paper") == "rgb(255, 255, 255)"


def test_without_scripts_the_page_says_what_it_needs(new_page: Open, report_file: Callable[..., str]) -> None:
    page = new_page(java_script_enabled=False).page

    page.goto(report_file("small", "ja"))

    assert len(page.locator("noscript").inner_text()) > 20
