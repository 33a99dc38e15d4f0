"""What the filters of the report do, and the links that hold them."""

from collections.abc import Callable

from playwright.sync_api import expect

from chatcensus.publication import rows_of
from tests.browser.chromium import Watched
from tests.browser.reading import choose, chosen, elements, figure, latest, table
from tests.browser.reports import HOSTILE, report

Open = Callable[..., Watched]

# The page draws itself in the same event, before this listener is called.
CHANGE_FRAGMENT = """(settings) => new Promise((resolve) => {
  addEventListener("hashchange", resolve, { once: true });
  location.hash = settings;
})"""


def test_a_group_is_told_by_month_and_in_its_own_numbers(read_report: Open) -> None:
    month, wanted = latest("plain", "department", "Sales")
    page = read_report("plain")

    choose(page, "department", "Sales")

    assert chosen(page) == {"period": month[:7], "department": "Sales", "language": "", "model": ""}
    assert "Sales" in figure(page, "categories").locator("h3").inner_text()
    found = [(int(row[1].replace(",", "")), row[3]) for row in table(page, "categories")]
    assert found == [(row["conversations"], str(row["users"])) for row in wanted]
    expect(page.page.get_by_role("status")).not_to_be_empty()


def test_only_one_group_is_told_at_a_time_and_the_reader_hears_why(read_report: Open) -> None:
    page = read_report("plain", fragment="#department=Sales&period=2026-08")

    choose(page, "language", "en")

    assert chosen(page) == {"period": "2026-08", "department": "", "language": "en", "model": ""}
    expect(page.page.get_by_role("status")).not_to_be_empty()


def test_a_week_ends_the_choice_of_a_group(read_report: Open) -> None:
    week = max(row["period"] for row in rows_of(report("plain"), "category_trends") if row["grain"] == "week")
    page = read_report("plain", fragment="#department=Sales&period=2026-08")

    choose(page, "period", week)

    assert chosen(page) == {"period": week, "department": "", "language": "", "model": ""}
    of_week = [r for r in rows_of(report("plain"), "category_trends") if (r["grain"], r["period"]) == ("week", week)]
    found = sorted(int(row[1].replace(",", "")) for row in table(page, "categories"))
    assert found == sorted(row["conversations"] for row in of_week)
    expect(page.page.get_by_role("status")).not_to_be_empty()


def test_filters_and_language_outlive_each_other_and_a_reload(read_report: Open) -> None:
    page = read_report("plain")
    choose(page, "model", "gpt-5-mini")
    wanted = chosen(page)

    page.speak("ja")

    assert chosen(page) == wanted
    page.page.reload()
    page.wait_until_drawn()
    assert page.page.locator("html").get_attribute("lang") == "ja"
    assert chosen(page) == wanted


def test_a_link_to_what_is_not_told_shows_everything(read_report: Open) -> None:
    page = read_report("small")
    everything = page.texts("h3")

    for settings in ("period=2099-01", "department=<img src=x onerror=alert(1)>", "lang=xx&period=2026-10-05x", "%"):
        page.page.evaluate(CHANGE_FRAGMENT, settings)

        assert chosen(page) == {"period": "", "department": "", "language": "", "model": ""}
        assert page.texts("h3") == everything


def test_a_hostile_department_can_be_chosen_and_linked_to(read_report: Open) -> None:
    page = read_report("hostile")
    for value in (HOSTILE[0], HOSTILE[5], HOSTILE[7]):
        choose(page, "department", value)

        assert chosen(page)["department"] == value
        assert elements(page)["img"] == 0
    page.page.reload()
    page.wait_until_drawn()
    assert chosen(page)["department"] == HOSTILE[7]
