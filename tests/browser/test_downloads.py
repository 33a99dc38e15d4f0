"""What a reader takes along, saved by a real browser: the same bytes as in the bucket, under a harmless name."""

import json
import random
from pathlib import Path

import yaml

from chatcensus.csv_file import csv_bytes
from tests.browser.chart_page import HOSTILE, draw
from tests.browser.chromium import Watched

SUMMARIES = Path(__file__).parents[2] / "include/sql/summaries.yaml"


def test_a_csv_of_the_page_has_the_bytes_of_the_one_in_the_bucket(chart_page: Watched, tmp_path: Path):
    texts = [
        *HOSTILE,
        *"=+-@\t\r＝＋－＠",
        "  =1",
        "\u3000=1",
        "\u00a0\u200b\ufeff=1",
        "a\n=1",
        "a\r\n =1\r\nb",
        "\r=1",
        "1\n=1",
        "-1",
        "+1.50e-3",
    ]
    texts += [
        "a\x0b=1\x0c=2\x1c=3\x1d=4\x1e=5\x85=6\u2028=7\u2029=8",
        "\x85=1",
        "\x1f=1",
        'say "hi", you',
        "",
        "日本語、です",
        "😀",
        "٣",
    ]
    rows = [{"category": text, "share": 1.0, "users": 3, "is_new": True, "low": None} for text in texts]

    with chart_page.page.expect_download() as started:
        values = json.dumps([list(row.values()) for row in rows])
        chart_page.page.evaluate(
            "([columns, rows]) => downloads.csv('table', columns, JSON.parse(rows))", [list(rows[0]), values]
        )
    started.value.save_as(tmp_path / "table.csv")

    assert started.value.suggested_filename == "table.csv"
    assert (tmp_path / "table.csv").read_bytes() == csv_bytes(list(rows[0]), rows)


def test_doubles_are_written_as_in_the_bucket_to_the_last_digit(chart_page: Watched):
    drawn = random.Random(7)
    doubles = [
        0.0,
        -0.0,
        1.0,
        -2.0,
        0.1,
        1 / 3,
        1e-4,
        9.99e-5,
        1e-5,
        -1.5e-7,
        1e15,
        1e16,
        123456789012345680.0,
        1.5e300,
        5e-324,
    ]
    doubles += [drawn.uniform(0, 1) for _ in range(500)] + [
        drawn.uniform(-9, 9) * 10 ** drawn.randrange(-12, 18) for _ in range(500)
    ]

    text = chart_page.page.evaluate(
        "rows => downloads.csvText(['share'], JSON.parse(rows))", json.dumps([[double] for double in doubles])
    )

    assert text.encode() == csv_bytes(["share"], [{"share": double} for double in doubles])


def test_a_column_is_a_double_in_the_browser_where_the_catalog_says_so(chart_page: Watched):
    tables = yaml.safe_load(SUMMARIES.read_text(encoding="utf-8"))["summaries"]
    columns = {
        column["name"]: column["type"]
        for table in tables
        if table["audience"] != "workings"
        for column in table["columns"]
    }

    text = chart_page.page.evaluate("columns => downloads.csvText(columns, [columns.map(() => 1)])", list(columns))

    assert text.splitlines()[1].split(",") == ["1.0" if kind == "double" else "1" for kind in columns.values()]


def test_a_table_of_one_column_keeps_its_empty_cells(chart_page: Watched):
    text = chart_page.page.evaluate("downloads.csvText(['department'], [['a'], [null], ['']])")

    assert text.encode() == csv_bytes(["department"], [{"department": value} for value in ("a", None, "")])


def test_a_file_is_named_so_that_every_file_system_takes_it(chart_page: Watched):
    names = {
        "../../etc/passwd": "etc-passwd.png",
        "使い方 2026-10": "2026-10.png",
        "日本": "chat-census.png",
        "Café <b>": "Cafe-b.png",
    }
    draw(chart_page, "bars")

    for name, saved in names.items():
        with chart_page.page.expect_download() as started:
            chart_page.page.evaluate("name => downloads.png(name, handles.get('place'))", name)
        assert started.value.suggested_filename == saved
