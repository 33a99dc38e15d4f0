"""The statements of the summary tables, and what summaries.yaml tells readers and the Glue catalog of them."""

import re

import jinja2
import pytest
import sqlglot
from sqlglot import exp

from chatcensus.aws.athena import sql_string
from chatcensus.include import read_yaml
from chatcensus.summaries import Column, Summaries, Summary
from tests.fakes import INCLUDE

SUMMARIES = read_yaml(INCLUDE / "sql/summaries.yaml", Summaries).summaries
SHOWN = {path.stem: path.read_text(encoding="utf-8") for path in (INCLUDE / "sql/shown").glob("*.sql")}
TABLES = {path.stem: path.read_text(encoding="utf-8") for path in (INCLUDE / "sql/summaries").glob("*.sql")}
FILES = SHOWN | TABLES
# The one table that is computed from the others, and not by a statement of its own.
COMPUTED = {"category_shares"}
EDITION = {
    "id": "01604474914028-a1b2c3d4-0a1b2c3d",
    "export_id": "01604474914028-a1b2c3d4",
    "counted_until": "2026-10-05T18:00:00Z",
    "open_week": "2026-10-05",
    "open_month": "2026-10-01",
}

WITH_STATEMENT = [summary for summary in SUMMARIES if summary.table not in COMPUTED]
each_summary = pytest.mark.parametrize("summary", SUMMARIES, ids=[summary.table for summary in SUMMARIES])
each_statement = pytest.mark.parametrize("summary", WITH_STATEMENT, ids=[summary.table for summary in WITH_STATEMENT])


def parsed(sql: str) -> exp.Expression:
    """A statement as it is rendered for some edition."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701 - SQL, not HTML
    environment.filters["sql_string"] = sql_string
    rendered = environment.from_string(sql).render(edition=EDITION, min_users="5", per_user_table="false")
    return sqlglot.parse_one(rendered, dialect="athena")


def selected(sql: str) -> list[str]:
    """The columns of a statement that ends in a select of everything from one named query before it."""
    statement = parsed(sql)
    [named] = [query for query in statement.ctes if query.alias == statement.find(exp.From).this.name]
    assert statement.is_star
    return [column.alias_or_name for column in named.this.selects]


def announced(sql: str) -> list[str]:
    """The columns that the header of a statement names, without what it says of them in brackets."""
    header = " ".join(line.removeprefix("--").strip() for line in sql.split("\nwith\n")[0].splitlines())
    columns = re.sub(r"\([^)]*\)", "", header.split("Columns:")[1])
    return re.findall(r"\w+", columns)


def test_the_file_describes_exactly_the_statements_there_are():
    assert sorted(summary.table for summary in SUMMARIES) == sorted(FILES.keys() | COMPUTED)


@each_statement
def test_the_columns_described_are_those_selected_in_their_order(summary: Summary):
    assert [column.name for column in summary.columns] == selected(FILES[summary.table])


@each_statement
def test_the_header_of_a_statement_names_its_table_and_its_columns(summary: Summary):
    assert FILES[summary.table].startswith(f"-- {summary.table}: ")
    assert announced(FILES[summary.table]) == [column.name for column in summary.columns]


@pytest.mark.parametrize("table", sorted(TABLES))
def test_a_statement_for_readers_reads_nothing_but_what_readers_are_told(table: str):
    [summary] = [summary for summary in SUMMARIES if summary.table == table]
    statement = parsed(FILES[table])
    named = {query.alias for query in statement.ctes}
    read = {found.name for found in statement.find_all(exp.Table)} - named - {""}

    assert read in (
        [{"told_editions"}, {"shown_pairs_editions"}] if summary.audience == "readers" else [{"evaluations"}]
    )


def test_what_is_decided_is_for_no_reader():
    assert {summary.table for summary in SUMMARIES if summary.audience == "workings"} == set(SHOWN)


@each_summary
def test_each_table_and_column_is_described_once(summary: Summary):
    names = [column.name for column in summary.columns]

    assert len(set(names)) == len(names)
    assert summary.description
    assert all(column.description for column in summary.columns)


@pytest.mark.parametrize(
    ("of_type", "text", "value"),
    [
        ("string", "7", "7"),
        ("date", "2026-10-01", "2026-10-01"),
        ("bigint", "9007199254740993", 9007199254740993),
        ("int", "-1", -1),
        ("double", "3.25", 3.25),
        ("double", "1.0E-5", 0.00001),
        ("boolean", "true", True),
        ("boolean", "false", False),
    ],
)
def test_a_value_is_read_by_the_type_of_its_column(of_type: str, text: str, value: object):
    column = Column(name="a", type=of_type, description="made up")

    assert column.read(text) == value
    assert type(column.read(text)) is type(value)
    assert column.read(None) is None


def test_rows_are_read_by_name_whatever_their_order():
    summary = Summary(
        table="t",
        description="made up",
        audience="readers",
        columns=[Column(name=n, type=t, description="x") for n, t in (("a", "int"), ("b", "string"))],
    )

    assert summary.read([{"b": "2", "a": "1"}, {"a": None, "b": None}]) == [{"a": 1, "b": "2"}, {"a": None, "b": None}]
