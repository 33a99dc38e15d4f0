"""What is published of a snapshot: the checks its numbers must pass, and the report that is made of them."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from chatcensus.crosswalk import Crosswalk
from chatcensus.custody import OUTCOMES, Counted, Custody
from chatcensus.edition import Edition
from chatcensus.errors import SnapshotIncomplete
from chatcensus.summaries import POOLED, Summary, Value
from chatcensus.taxonomy import Taxonomy

Rows = Sequence[Mapping[str, Value]]
Tables = Mapping[str, Rows]

# The tables of the report: those for readers, and of those for operators what the census itself did.
SHOWN = frozenset(
    {
        "category_counts", "category_shares", "category_trends", "category_by_group", "score_by_category",
        "score_distribution", "department_usage", "user_group_usage", "app_model_usage", "language_usage", "hour_usage",
        "weekday_usage", "hour_by_weekday", "daily_usage", "weekly_usage", "monthly_usage", "concentration",
        "usage_by_user", "model_cost", "evaluation_quality", "failures",
    }
)  # fmt: skip

# One row a value: their conversations are the evaluated ones that readers are told of.
_BY_VALUE = {
    "category_counts": "category",
    "score_distribution": "inquiry_score",
    "department_usage": "department",
    "user_group_usage": "user_group",
    "app_model_usage": "app_model",
    "language_usage": "language",
    "hour_usage": "hour",
}
# Which outcomes the `conversations` of a table for operators must add up to: they hide nothing.
_COVERS = {
    "model_cost": ("evaluated", "quarantined"),
    "judging_cost": ("evaluated", "quarantined"),
    "failures": ("quarantined",),
    "evaluation_quality": OUTCOMES,
}


def check_tables(tables: Tables, counted: Counted, edition: Edition, written: Mapping[str, int]) -> None:
    """
    Raise SnapshotIncomplete that names the table unless all tables are whole and say the same as the snapshot.

    Shape: *written* is how many rows of this edition Athena finds in each table. A table of values has no row for what
    is pooled where that is of too few people; days, weeks and months leave out nothing that is told.
    """
    for table, rows in tables.items():
        _expect(table, "rows read", len(rows), written[table], "its partition")
    for table, outcomes in _COVERS.items():
        found = _sum(tables[table], "conversations")
        _expect(table, "conversations", found, counted.of(*outcomes), f"the snapshot ({' + '.join(outcomes)})")
    for table, column in _BY_VALUE.items():
        _expect_told(table, tables[table], column, counted.evaluated_told, "the snapshot (evaluated, of told weeks)")
    _check_periods(tables, counted, edition)
    _check_cells(tables)
    costs = {table: _sum(tables[table], "cost_micro_usd") for table in ("model_cost", "judging_cost")}
    _expect("judging_cost", "micro-USD", costs["judging_cost"], costs["model_cost"], "model_cost")
    changed = _sum(tables["evaluation_changes"], "conversations")
    _expect("evaluation_changes", "conversations", changed, counted.judged_again, "the snapshot (judged again)")


def _check_periods(tables: Tables, counted: Counted, edition: Edition) -> None:
    """Compare days, weeks and months with the snapshot and each other; monthly_usage has no row of the open month."""
    told = {
        "monthly_usage": (counted.months_told, "the snapshot (of complete months)"),
        "weekly_usage": (counted.dated_told, "the snapshot (of told weeks)"),
        "daily_usage": (counted.dated_told, "the snapshot (of told weeks)"),
    }
    for table, (wanted, where) in told.items():
        _expect(table, "conversations", _sum(tables[table], "conversations"), wanted, where)
    days, weeks, months = (tables[table] for table in ("daily_usage", "weekly_usage", "monthly_usage"))
    _check_parts("daily_usage", days, "week", weeks)
    _check_parts("weekly_usage", [row for row in weeks if row["month"] != edition.open_month], "month", months)


def _check_cells(tables: Tables) -> None:
    """Refuse more in the cells of months than longer tables have; how much less is told depends on who is too few."""
    trends = {
        (row["period"], row["category"]): int(row["conversations"] or 0)
        for row in tables["category_trends"]
        if row["grain"] == "month"
    }
    sums: Counter[tuple[Value, Value, Value]] = Counter()
    for row in tables["category_by_group"]:
        sums[row["dimension"], row["month"], row["category"]] += int(row["conversations"] or 0)
    for (_, month, category), found in sums.items():
        if found > (most := trends.get((month, category), 0)):
            _expect("category_by_group", "conversations", found, most, f"category_trends in its month of {month}")
    alone = [row for row in tables["daily_usage"] if row["days"] == 1]
    found = _sum(tables["hour_by_weekday"], "conversations")
    if found > (most := _sum(alone, "evaluated")):
        _expect("hour_by_weekday", "conversations", found, most, "daily_usage (evaluated, of days alone)")


def _check_parts(table: str, rows: Rows, longer: str, wholes: Rows) -> None:
    """Compare each longer period with the sum of what lies in it: no part of a told period is left out."""
    for period in sorted({str(row[longer]) for row in [*rows, *wholes]}):
        parts, whole = (
            sum(int(row["conversations"] or 0) for row in each if str(row[longer]) == period) for each in (rows, wholes)
        )
        _expect(table, "conversations", parts, whole, f"the {longer} of {period} in its own summary")


def _expect_told(table: str, rows: Rows, column: str, wanted: int, where: str) -> None:
    """Compare a sum for readers: less is right only where what is pooled is of too few people to be a row."""
    found = _sum(rows, "conversations")
    is_whole = any(row[column] in (None, POOLED) for row in rows)
    if is_whole or found > wanted:
        _expect(table, "conversations", found, wanted, where)


def _expect(table: str, what: str, found: int, wanted: int, where: str) -> None:
    if found != wanted:
        raise SnapshotIncomplete(
            f"summary {table} has {found} {what}, {where} has {wanted}: nothing is published; clear its summarise task"
        )


def report(
    *,
    run_id: str,
    now: datetime,
    edition: Edition,
    timezone: str,
    min_users: int,
    custody: Custody,
    tables: Tables,
    summaries: Sequence[Summary],
    taxonomy: Taxonomy,
    crosswalk: Crosswalk,
) -> dict[str, Any]:
    """
    Return everything the report shows, as plain values (`report.json`).

    Shape: a table is {columns: [name], rows: [[value]]}, its columns as *summaries* has them, its rows in any order.
    A name once a table, and not once a row, halves the file. Days are ISO texts.
    """
    return {
        "edition": edition.id,
        "run_id": run_id,
        "generated_at": now.isoformat(timespec="seconds"),
        "export_id": edition.export_id,
        "export_time": edition.export_time,
        "told_until": edition.open_week,
        "min_users": min_users,
        "timezone": timezone,
        "answered_by": sorted({str(row["answered_by"]) for row in tables["model_cost"]}),
        "totals": custody.totals,
        "custody": custody.as_dict(),
        "cost_micro_usd": _sum(tables["model_cost"], "cost_micro_usd"),
        "labels": {category.key: category.label.model_dump() for category in taxonomy.categories},
        "is_split": bool(crosswalk.comparable),
        "tables": {each.table: _columnar(each, tables[each.table]) for each in summaries if each.table in SHOWN},
    }


def _columnar(summary: Summary, rows: Rows) -> dict[str, Any]:
    columns = [column.name for column in summary.columns]
    return {"columns": columns, "rows": [[row[name] for name in columns] for row in rows]}


def rows_of(report: Mapping[str, Any], table: str) -> list[dict[str, Any]]:
    """Return the rows of a *table* of a report, by column."""
    found = report["tables"][table]
    return [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]


def compact_json(value: object) -> str:
    """Return *value* as JSON without a space; ValueError for what JSON has no word for, as NaN."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _sum(rows: Rows, column: str) -> int:
    return sum(int(row[column] or 0) for row in rows)
