"""
DELETE, UPDATE and MERGE as a query over the target's numbered rows, and what that query says is to change.

Source: Trino's grammar and documentation of the three statements; its planner of MERGE (QueryPlanner.plan(Merge)): a
right join, the first WHEN clause that holds, and at most one source row for a target row and clause.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.iceberg.fields import ROW, Target
from local_aws.athena.iceberg.writing import picked
from local_aws.athena.language.casts import coerce
from local_aws.athena.language.scope import Expression
from local_aws.athena.language.trino_types import BIGINT, INTEGER, Type

if TYPE_CHECKING:
    import pyarrow as pa

    from local_aws.athena.execution import Run
    from local_aws.athena.language.relation import Relation


@dataclass(frozen=True)
class Clause:
    """What happens to rows of one kind: new values by column name, or none of them for a deletion."""

    is_insert: bool
    condition: exp.Expression | None
    values: dict[str, exp.Expression] | None


@dataclass(frozen=True)
class Written:
    """
    New rows of one clause: cells by column name.

    *old* are the rows that they replace and that keep what is not among the cells; None for an INSERT.
    """

    old: list[int] | None
    cells: dict[str, pa.ChunkedArray]
    count: int


@dataclass(frozen=True)
class Change:
    """Rows of the target that go, by number, and the rows that come; a row that is updated goes and comes."""

    deleted: list[int]
    written: list[Written]

    @property
    def row_count(self) -> int:
        """Return how many rows are deleted, updated or inserted."""
        return len(self.deleted) + sum(part.count for part in self.written if part.old is None)


def of_delete(run: Run, tree: exp.Delete) -> Change:
    """Return what DELETE FROM table [WHERE condition] changes."""
    rows = _rows(run, _filtered(tree, [_row()]), [BIGINT])
    return Change(rows.column(0).to_pylist(), [])


def of_update(run: Run, tree: exp.Update, kinds: dict[str, Type]) -> Change:
    """Return what UPDATE table SET column = value, … [WHERE condition] changes."""
    values = _assigned(tree.expressions, kinds)
    rows = _rows(run, _filtered(tree, [_row(), *values.values()]), [BIGINT, *(kinds[name] for name in values)])
    old = rows.column(0).to_pylist()
    cells = {name: rows.column(index + 1) for index, name in enumerate(values)}
    return Change(old, [Written(old, cells, len(old))])


def of_merge(run: Run, tree: exp.Merge, kinds: dict[str, Type]) -> Change:
    """
    Return what MERGE INTO changes.

    Raises: StatementError MERGE_TARGET_ROW_MULTIPLE_MATCHES; Unsupported when several source rows match one target row
    and take different clauses (documented as an error, carried out by Trino's planner).
    """
    clauses = [_clause(when, kinds) for when in tree.args["whens"].expressions]
    chosen = exp.Case(ifs=[_if(_holds(clause), number) for number, clause in enumerate(clauses)], default=_number(-1))
    outputs = [_row(), chosen]
    wanted = [BIGINT, INTEGER]
    for number, clause in enumerate(clauses):
        for name, value in (clause.values or {}).items():
            # An expression must not be evaluated for rows of another clause: it may fail there.
            taken = exp.Case(ifs=[exp.If(this=_is(chosen, number), true=value)])
            outputs.append(taken)
            wanted.append(kinds[name])
    query = (
        exp.select(*outputs).from_(tree.args["using"]).join(_target(tree.this), on=tree.args["on"], join_type="left")
    )
    rows = _rows(run, query, wanted)
    numbers, choices = rows.column(0).to_pylist(), rows.column(1).to_pylist()
    _check_matches(numbers, choices)
    return _merged(clauses, rows, numbers, choices)


def _merged(clauses: list[Clause], rows: pa.Table, numbers: list[int | None], choices: list[int]) -> Change:
    deleted: list[int] = []
    written: list[Written] = []
    column = 2
    for number, clause in enumerate(clauses):
        places = [place for place, choice in enumerate(choices) if choice == number]
        names = list(clause.values or {})
        cells = {name: picked(rows.column(column + index), places) for index, name in enumerate(names)}
        column += len(names)
        old = None if clause.is_insert else [numbers[place] for place in places]
        deleted += old or []
        if clause.values is not None and places:
            written.append(Written(old, cells, len(places)))
    return Change(deleted, written)


def _check_matches(numbers: list[int | None], choices: list[int]) -> None:
    pairs = Counter((row, choice) for row, choice in zip(numbers, choices, strict=True) if row is not None)
    if any(count > 1 for count in pairs.values()):
        raise StatementError(
            "MERGE_TARGET_ROW_MULTIPLE_MATCHES", "One MERGE target table row matched more than one source row"
        )
    changed = Counter(row for row, choice in pairs if choice >= 0)
    if any(count > 1 for count in changed.values()):
        raise Unsupported("MERGE in which several source rows change one target row by different WHEN clauses")


def _clause(when: exp.When, kinds: dict[str, Type]) -> Clause:
    then, condition = when.args["then"], when.args.get("condition")
    if isinstance(then, exp.Update):
        return Clause(False, condition, _assigned(then.expressions, kinds))
    if isinstance(then, exp.Insert):
        names = [part.name.lower() for part in then.this.expressions] if then.this else list(kinds)
        values = then.expression.expressions
        if len(names) != len(values):
            raise StatementError(
                "TYPE_MISMATCH", f"MERGE INSERT names {len(names)} columns and gives {len(values)} values"
            )
        return Clause(True, condition, _by_name(names, values, kinds))
    return Clause(False, condition, None)


def _assigned(pairs: list[exp.Expression], kinds: dict[str, Type]) -> dict[str, exp.Expression]:
    names = [pair.this.name.lower() for pair in pairs]
    missing = next((name for name in names if name not in kinds), None)
    if missing:
        raise StatementError("COLUMN_NOT_FOUND", f"The UPDATE SET target column {missing} doesn't exist")
    return _by_name(names, [pair.expression for pair in pairs], kinds)


def _by_name(names: list[str], values: list[exp.Expression], kinds: dict[str, Type]) -> dict[str, exp.Expression]:
    for name in names:
        if name not in kinds:
            raise StatementError("COLUMN_NOT_FOUND", f"Insert column name does not exist in target table: {name}")
        if names.count(name) > 1:
            raise StatementError("DUPLICATE_COLUMN_NAME", f"Column name is specified more than once: {name}")
    return dict(zip(names, values, strict=True))


def _holds(clause: Clause) -> exp.Expression:
    is_missing = exp.Is(this=_row(), expression=exp.Null())
    matched = is_missing if clause.is_insert else exp.Not(this=is_missing)
    return exp.and_(matched, clause.condition.copy()) if clause.condition is not None else matched


def _rows(run: Run, query: exp.Select, kinds: list[Type]) -> pa.Table:
    """Return the rows of a query in the types of the columns that will take them."""
    relation = run.translate(query)
    return run.execute(_coerced(relation, kinds), kinds, as_arrow=True)


def _coerced(relation: Relation, kinds: list[Type]) -> str:
    cells = (
        f"{coerce(Expression(f'q.c{index}', column.type), kind).sql} AS c{index}"
        for index, (column, kind) in enumerate(zip(relation.columns, kinds, strict=True))
    )
    return f"SELECT {', '.join(cells)} FROM ({relation.sql}) AS q"


def _filtered(tree: exp.Delete | exp.Update, outputs: list[exp.Expression]) -> exp.Select:
    query = exp.select(*outputs).from_(_target(tree.this))
    if tree.args.get("where"):
        query.set("where", tree.args["where"].copy())
    return query


def _target(table: exp.Table) -> Target:
    return Target(**{name: node.copy() for name, node in table.args.items() if isinstance(node, exp.Expression)})


def _row() -> exp.Column:
    return exp.column(exp.to_identifier(ROW, quoted=True))


def _number(value: int) -> exp.Expression:
    literal = exp.Literal.number(abs(value))
    return exp.Neg(this=literal) if value < 0 else literal


def _if(condition: exp.Expression, number: int) -> exp.If:
    return exp.If(this=condition, true=_number(number))


def _is(chosen: exp.Expression, number: int) -> exp.Expression:
    return exp.EQ(this=chosen.copy(), expression=_number(number))
