"""Charts in a real browser, under the policy that Airflow's answers carry."""

import struct
from itertools import pairwise

import pytest
from playwright.sync_api import expect

from tests.browser.chart_page import (
    DARK,
    HOSTILE,
    LIGHT,
    POINTS,
    SPECS,
    draw,
    drawn_texts,
    fills,
    first_pixel,
    png,
    tooltip,
)
from tests.browser.chromium import Watched


@pytest.mark.parametrize("kind", SPECS)
def test_a_chart_is_drawn_under_the_policy_and_named_for_screen_readers(chart_page: Watched, kind: str):
    draw(chart_page, kind)

    assert chart_page.page.get_by_role("img", name="What is shown. Two numbers.").count() == 1
    assert chart_page.page.locator("#place svg path").count() > 2
    assert chart_page.page.locator("#place [tabindex]").count() == 0


@pytest.mark.parametrize("kind", ["bars", "intervals"])
def test_a_label_with_html_or_markup_in_it_is_drawn_as_the_text_it_is(chart_page: Watched, kind: str):
    draw(
        chart_page,
        kind,
        {"rows": [{"label": label, "value": 1, "note": label} for label in HOSTILE], "axis": HOSTILE[0]},
    )

    assert set(HOSTILE) <= set(drawn_texts(chart_page))
    assert chart_page.page.locator("#place :is(script, img, iframe, b)").count() == 0


def test_a_tooltip_says_a_hostile_label_as_the_text_it_is(chart_page: Watched):

    for label in HOSTILE:
        draw(chart_page, "bars", {"rows": [{"label": label, "value": 1, "details": [label]}] * 4})
        assert tooltip(chart_page, 700, 40) == [label, "1 u", label]
        chart_page.page.mouse.move(0, 890)
    assert chart_page.page.locator("#place :is(script, img, iframe, b)").count() == 0


def test_a_long_label_is_cut_at_the_axis_and_whole_in_the_tooltip(chart_page: Watched):
    label = " ".join(["department"] * 18)
    draw(chart_page, "bars", {"rows": [{"label": label, "value": 1}] * 6})

    [cut] = set(drawn_texts(chart_page)) - {"1 u"}
    *whole, value = tooltip(chart_page, 700, 100)

    assert cut.endswith("…")
    assert len(cut) < len(label) / 2
    assert (" ".join(whole), value) == (label, "1 u")


def test_a_text_that_names_a_property_of_every_object_leaves_objects_as_they_are(chart_page: Watched):
    text = "__proto__"
    rows = [{"label": text, "value": 1, "low": 0, "high": 2, "note": text, "details": [text]}] * 3

    draw(chart_page, "intervals", {"rows": rows, "axis": text, "dot": text, "interval": text})
    draw(chart_page, "bars", {"rows": rows, "axis": text})
    draw(chart_page, "heat", {"rows": [text] * 2, "columns": [text] * 3, "axis": text, "untold": text})
    draw(chart_page, "line", {"points": [row | {"label": text} for row in rows], "line": text})

    assert text in tooltip(chart_page, 640, 100)
    assert chart_page.page.evaluate("Object.getOwnPropertyNames(Object.prototype).includes('next')") is False


def test_a_label_cannot_turn_the_direction_of_what_follows_or_break_its_line(chart_page: Watched):
    draw(chart_page, "bars", {"rows": [{"label": "\u202eright\nto\r\nleft\u202c", "value": 1}]})

    assert drawn_texts(chart_page)[0] == "right to left"


def test_a_chart_follows_the_theme_of_the_page_and_of_the_system(chart_page: Watched):
    draw(chart_page, "columns")
    found = [LIGHT["accent"] in fills(chart_page)]

    for change in ("document.documentElement.dataset.theme = 'dark'", "delete document.documentElement.dataset.theme"):
        chart_page.page.evaluate(change)
        found.append(DARK["accent"] in fills(chart_page))
    chart_page.page.emulate_media(color_scheme="dark")
    expect(chart_page.page.locator(f"#place svg path[fill='{DARK['accent']}']")).to_have_count(len(POINTS))

    assert found == [True, True, False]


def test_a_chart_follows_the_width_of_its_place(chart_page: Watched):
    draw(chart_page, "bars")

    chart_page.page.set_viewport_size({"width": 320, "height": 700})
    expect(chart_page.page.locator("#place svg")).to_have_attribute("width", "320")

    assert chart_page.page.evaluate("document.documentElement.scrollWidth") == 320
    assert {"Coding", "Writing"} <= set(drawn_texts(chart_page))


def test_print_is_light_and_narrow_and_leaves_the_page_as_it_was(new_chart_page: Watched):
    new_chart_page.page.evaluate("document.documentElement.dataset.theme = 'dark'")
    draw(new_chart_page, "columns")
    new_chart_page.page.evaluate("""() => {
      const state = () => [document.documentElement.dataset.theme, document.querySelector("#place svg").outerHTML];
      for (const name of ["beforeprint", "afterprint"]) addEventListener(name, () => (window[name] = state()));
    }""")

    new_chart_page.page.pdf()

    (theme, svg), (theme_after, svg_after) = new_chart_page.page.evaluate("[beforeprint, afterprint]")
    assert (theme, theme_after) == ("light", "dark")
    assert 'width="640"' in svg
    assert LIGHT["accent"] in svg
    assert 'width="1280"' in svg_after
    assert DARK["accent"] in svg_after


def test_a_png_is_960_wide_at_double_density_whatever_the_page_is(chart_page: Watched):
    chart_page.page.set_viewport_size({"width": 400, "height": 700})

    for kind in SPECS:
        draw(chart_page, kind, {"title": HOSTILE[0] * 8})
        image = png(chart_page)
        width, height = struct.unpack(">II", image[16:24])
        assert image.startswith(b"\x89PNG\r\n\x1a\n")
        assert width == 1920
        assert 300 < height < 1200


def test_a_png_has_the_paper_of_the_theme(chart_page: Watched):
    draw(chart_page, "line")

    light = first_pixel(chart_page, png(chart_page))
    chart_page.page.evaluate("document.documentElement.dataset.theme = 'dark'")
    dark = first_pixel(chart_page, png(chart_page))

    assert (light, dark) == ([255, 255, 255], [16, 17, 18])


def test_without_numbers_a_sentence_stands_in_the_place_of_a_chart_and_in_its_png(chart_page: Watched):
    empty = {"columns": {"points": []}, "heat": {"cells": []}, "intervals": {"rows": []}}
    untold = {
        "bars": {"rows": [{"label": "a", "value": None, "before": 1}]},
        "line": {"points": [{"label": "a", "value": None}]},
    }

    for kind, spec in (empty | untold).items():
        draw(chart_page, kind, spec)
        assert chart_page.texts("#place") == ["Nothing to show"]
        assert png(chart_page).startswith(b"\x89PNG")


@pytest.mark.parametrize("kind", ["columns", "line"])
@pytest.mark.parametrize("count", [1, 16, 500])
def test_one_day_and_five_hundred_days_have_labels_that_do_not_meet_or_leave_the_chart(
    chart_page: Watched, kind: str, count: int
):
    chart_page.page.set_viewport_size({"width": 800, "height": 600})

    points = [{"label": f"day {day} of a long time", "value": day % 7} for day in range(count)]
    draw(chart_page, kind, {"points": points, "others": None})

    boxes = chart_page.page.locator("#place svg text").evaluate_all(
        """all => all.filter((text) => text.textContent.startsWith("day"))
          .map((text) => text.getBoundingClientRect().toJSON())"""
    )
    boxes.sort(key=lambda box: box["left"])
    assert len(boxes) == 1 if count == 1 else 3 < len(boxes) < 8
    assert all(one["right"] + 8 < other["left"] for one, other in pairwise(boxes))
    assert boxes[0]["left"] >= 0
    assert boxes[-1]["right"] <= 800


def test_a_day_without_a_number_is_a_gap_in_the_line_and_not_zero(chart_page: Watched):
    draw(
        chart_page, "line", {"points": [{"label": "d", "value": value} for value in (5, 6, None, 6, 5)], "others": None}
    )

    lines = chart_page.page.locator(f"#place svg path[stroke='{LIGHT['accent']}'][fill='none']")
    shapes = lines.evaluate_all("paths => paths.map(path => path.getAttribute('d')).filter(d => d.includes('L'))")
    assert [shape.count("M") for shape in shapes] == [2]


def test_a_cell_that_may_not_be_told_is_paper_and_not_the_lowest_step(chart_page: Watched):
    draw(chart_page, "heat")

    cells = fills(chart_page)
    assert cells.count(LIGHT["paper"]) == 4 + 1  # and one in the key
    assert cells.count(LIGHT["accent"]) == 1 + 1
    assert "not told" in drawn_texts(chart_page)


def test_an_interval_reaches_from_its_low_to_its_high_end(chart_page: Watched):
    draw(chart_page, "intervals", {"rows": [{"label": "a", "value": 2, "low": -1, "high": 3}]})

    ticks = chart_page.page.locator("#place svg text").evaluate_all(
        """all => Object.fromEntries(all.map((text) => {
          const box = text.getBoundingClientRect();
          return [text.textContent, box.x + box.width / 2];
        }))"""
    )
    line = chart_page.page.locator(f"#place svg path[stroke='{LIGHT['accent']}'][stroke-width='2']").first.evaluate(
        "path => [path.getBoundingClientRect().left, path.getBoundingClientRect().right]"
    )
    assert line == pytest.approx([ticks["-1 u"], ticks["3 u"]], abs=2)


def test_a_chart_drawn_again_replaces_the_one_before_and_a_disposed_one_is_gone(chart_page: Watched):
    draw(chart_page, "bars")
    draw(chart_page, "heat")
    found = [chart_page.page.locator("#place svg").count()]

    chart_page.page.evaluate("handles.get('place').dispose()")
    chart_page.page.evaluate("document.documentElement.dataset.theme = 'dark'")
    found.append(chart_page.page.locator("#place *").count())

    assert found == [1, 0]
