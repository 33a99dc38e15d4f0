"""What the buttons of the report save: the numbers of each figure as CSV, its chart as PNG."""

from collections.abc import Callable

import pytest

from chatcensus.csv_file import csv_bytes
from tests.browser.chromium import Watched
from tests.browser.reading import cells_of, choose, latest, saved
from tests.browser.reports import HOSTILE, report

Open = Callable[..., Watched]


@pytest.mark.parametrize("name", ["plain", "hostile"])
def test_the_csv_of_a_group_is_what_python_writes_of_its_rows(read_report: Open, name: str) -> None:
    group = {"plain": "Sales", "hostile": HOSTILE[6]}[name]
    month, wanted = latest(name, "department", group)
    page = read_report(name)
    choose(page, "department", group)

    found = saved(page, "categories-csv")

    names = found.decode("utf-8-sig").splitlines()[0].split(",")
    assert {"category", "conversations", "users", "mean_inquiry_score"} <= set(names)
    before = _month_before(month)
    earlier = {r["category"]: r["conversations"] for r in cells_of(name, "department", group) if r["month"] == before}
    absent = 0 if report(name)["min_users"] <= 1 else None
    known = [{"previous_conversations": earlier.get(row["category"], absent), **row} for row in wanted]
    assert sorted(found.split(b"\r\n")) == sorted(csv_bytes(names, known).split(b"\r\n"))


def _month_before(month: str) -> str:
    year, number = int(month[:4]), int(month[5:7]) - 1
    return f"{year}-{number:02}-01" if number else f"{year - 1}-12-01"


def test_every_table_is_saved_as_a_csv(open_report: Open) -> None:
    page = open_report("plain")

    names = page.page.locator("article button[id$=-csv]").evaluate_all("(all) => all.map((each) => each.id)")
    files = {}
    for count, name in enumerate(names):
        if count % 9 == 8:  # Chromium lets a page save ten files at once
            page.page.reload()
            page.wait_until_drawn()
        files[name] = saved(page, name)

    assert len(names) > 10
    for name, content in files.items():
        assert content.startswith(b"\xef\xbb\xbf"), name
        assert content.count(b"\r\n") >= 2, name


def test_each_kind_of_chart_is_saved_as_a_png(read_report: Open) -> None:
    page = read_report("plain")

    for name in ("categories", "changes", "course", "usage", "hour-by-weekday"):
        content = saved(page, f"{name}-png")

        assert content.startswith(b"\x89PNG\r\n\x1a\n"), name
        assert int.from_bytes(content[16:20]) == 1920, name  # 960 CSS pixels at double density
        assert len(content) > 10_000, name
