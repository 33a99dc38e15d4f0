"""What people who build charts are told: every table for readers, with every column, and no other."""

import re

from chatcensus.include import read_yaml
from chatcensus.summaries import Summaries
from tests.fakes import INCLUDE

DOCUMENT = (INCLUDE.parent / "docs/reading-the-tables.md").read_text(encoding="utf-8")
SUMMARIES = read_yaml(INCLUDE / "sql/summaries.yaml", Summaries).summaries


def told() -> dict[str, list[str]]:
    """The columns of each table that the document lists."""
    rows = re.findall(r"^\| `(\w+)` \| .* \| (.*) \|$", DOCUMENT, re.MULTILINE)
    return {table: re.findall(r"`(\w+)`", columns) for table, columns in rows}


def test_every_table_for_readers_is_listed_with_its_columns_in_their_order():
    tables = {summary.table: [column.name for column in summary.columns] for summary in SUMMARIES}

    assert told() == {summary.table: tables[summary.table] for summary in SUMMARIES if summary.audience == "readers"}


def test_every_table_for_operators_is_named_as_one():
    operators = [summary.table for summary in SUMMARIES if summary.audience == "operators"]

    assert [table for table in operators if f"`{table}`" not in DOCUMENT] == []
