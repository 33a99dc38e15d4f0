"""
Queries: SELECT, VALUES, set operations, WITH and subqueries, with names resolved as Trino resolves them.

Every translated relation has columns c0, c1, … and an alias of ours, so no name of the statement reaches DuckDB.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from sqlglot import exp

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.iceberg.fields import check_read
from local_aws.athena.language import pruning, relations, windows
from local_aws.athena.language.calls import sort_text
from local_aws.athena.language.casts import coerce
from local_aws.athena.language.coercion import boolean, compare, meet, ordered
from local_aws.athena.language.expressions import ExpressionCompiler, only
from local_aws.athena.language.grouping import group_by
from local_aws.athena.language.nested_comparison import check_groupable
from local_aws.athena.language.relation import Column, Relation
from local_aws.athena.language.scope import Block, Expression, Field, Origin, Scope
from local_aws.athena.language.select_parts import (
    assemble,
    converted,
    distinct_key,
    expand,
    limited,
    output_index,
    own_name,
    star,
    with_outputs,
)
from local_aws.athena.language.trino_types import (
    BOOLEAN,
    DATE,
    TIME,
    TIMESTAMP,
    UTC_TIMESTAMP,
    VARCHAR,
    duckdb_name,
    is_nested,
    trino_name,
)

if TYPE_CHECKING:
    from local_aws.athena.tables.partitions import Condition


class Tables(Protocol):
    """What the compiler asks the catalog."""

    def relation(self, compiler: QueryCompiler, parts: list[str], node: exp.Table) -> Relation:
        """Return the table or view of that name, at the version that *node* asks for."""


@dataclass
class Context:
    """What all parts of one statement share."""

    tables: Tables
    helpers: object
    now: str  # the statement's one moment, UTC, to the millisecond
    conditions: dict[Origin, list[Condition]] = field(default_factory=dict)  # what WHERE asks of partition keys
    texts: dict[int, str] = field(default_factory=dict)  # id of a subquery that gives one text -> DuckDB text
    aliases: int = 0
    mentions: dict[int, list[str]] = field(default_factory=dict)  # scan -> aliases under which it is read


_QUERY_PARTS = (
    "with_",
    "expressions",
    "from_",
    "joins",
    "where",
    "group",
    "having",
    "order",
    "limit",
    "offset",
    "distinct",
    "windows",
)


class QueryCompiler:
    """Translate one query; *ctes* are the names that WITH has defined around it."""

    def __init__(self, context: Context, ctes: dict[str, Relation] | None = None) -> None:
        self.context = context
        self.ctes = ctes or {}
        self.expressions = ExpressionCompiler(self)

    @property
    def helpers(self):
        """Return the makers of helper functions for one statement."""
        return self.context.helpers

    def alias(self) -> str:
        """Return a name that no other relation of the statement has."""
        self.context.aliases += 1
        return f"t{self.context.aliases}"

    def moment(self, node: exp.Expression, name: str) -> Expression:
        """Return current_date, now(), localtime or localtimestamp: one moment for the whole statement."""
        only(node, *(("this",) if isinstance(node, exp.Anonymous) else ()))
        kind = {"date": DATE, "now": UTC_TIMESTAMP, "localtimestamp": TIMESTAMP, "localtime": TIME}[name]
        text = f"CAST('{self.context.now}' AS TIMESTAMP)"
        return Expression(text if duckdb_name(kind) == "TIMESTAMP" else f"CAST({text} AS {duckdb_name(kind)})", kind)

    def compile(self, node: exp.Expression, outer: Scope | None = None) -> Relation:
        """Return a query as a relation; *outer* is the scope around a subquery."""
        if isinstance(node, exp.Subquery):
            only(node, "this", "alias", "with_")
            return self._with(node).compile(node.this, outer)
        if isinstance(node, exp.Select):
            only(node, *_QUERY_PARTS)
            return self._with(node).select(node, outer)
        if isinstance(node, exp.SetOperation):
            only(node, "with_", "this", "expression", "distinct", "order", "limit", "offset")
            return self._with(node).set_operation(node, outer)
        if isinstance(node, exp.Values):
            only(node, "with_", "expressions", "alias", "order", "limit", "offset")
            return self._with(node).values(node, outer)
        if isinstance(node, exp.Table):
            return check_read(relations.table(self, node))
        raise Unsupported(f"query {node.key.upper()}")

    def _with(self, node: exp.Expression) -> QueryCompiler:
        clause = node.args.get("with_")
        if clause is None:
            return self
        only(clause, "expressions")
        names = [cte.alias.lower() for cte in clause.expressions]
        for name in names:
            if names.count(name) > 1:
                raise StatementError("DUPLICATE_NAMED_QUERY", f"WITH query name '{name}' specified more than once")
        ctes = dict(self.ctes)
        for cte in clause.expressions:
            only(cte, "this", "alias")
            relation = QueryCompiler(self.context, ctes).compile(cte.this)
            ctes[cte.alias.lower()] = relations.renamed(relation, cte.args["alias"])
        return QueryCompiler(self.context, ctes)

    def select(self, node: exp.Select, outer: Scope | None) -> Relation:
        """Return a SELECT whose WITH is already known."""
        block = Block(windows=windows.named(node))
        source, fields = relations.from_clause(self, node, outer)
        scope = Scope(fields=tuple(fields), parent=outer, block=block, outer_used=outer.outer_used if outer else [])
        where = self._where(node, scope)
        items = self._items(node, scope)
        group = group_by(self.expressions, node.args.get("group"), scope, items)
        having = node.args.get("having")
        having_sql = boolean(self.expressions.compile(having.this, scope), "HAVING") if having else None
        if having or group:
            block.has_aggregate = True
        keys = self._sort_keys(node, scope, items)
        distinct = node.args.get("distinct")
        if distinct is not None:
            only(distinct)
            for _, value in items:
                check_groupable(value.type, "DISTINCT")
        is_plain = not (block.has_aggregate or block.has_window or node.args.get("limit") or node.args.get("offset"))
        columns = tuple(Column(name, value.type, value.origin if is_plain else None) for name, value in items)
        return Relation(assemble(node, source, where, items, group, having_sql, keys), columns)

    def _where(self, node: exp.Select, scope: Scope) -> str | None:
        where = node.args.get("where")
        if where is None:
            return None
        condition = boolean(self.expressions.compile(where.this, scope.with_clause("WHERE clause")), "WHERE clause")
        pruning.note_conditions(self.context.conditions, where.this, scope, self.context.texts)
        return condition

    def _items(self, node: exp.Select, scope: Scope) -> list[tuple[str | None, Expression]]:
        items: list[tuple[str | None, Expression]] = []
        for part in node.expressions:
            star_of = star(part)
            if star_of is not None:
                items.extend(expand(star_of, scope))
            elif isinstance(part, exp.Alias):
                items.append((part.alias, self.expressions.compile(part.this, scope)))
            elif isinstance(part, exp.Aliases):
                raise Unsupported("several aliases of one column")
            else:
                items.append((own_name(part), self.expressions.compile(part, scope)))
        if not items:
            raise StatementError("SYNTAX_ERROR", "SELECT without columns")
        return items

    def _sort_keys(
        self, node: exp.Expression, scope: Scope, items: list[tuple[str | None, Expression]]
    ) -> list[tuple[str, str | None]]:
        """Return (sort text, expression it needs beside the columns or None): ORDER BY sees output names first."""
        order = node.args.get("order")
        if order is None:
            return []
        keys: list[tuple[str, str | None]] = []
        for part in order.expressions:
            only(part, "this", "desc", "nulls_first")
            index = output_index(part.this, items)
            if index is not None:
                value = items[index][1]
                keys.append((sort_text(Expression(f"c{index}", value.type), part), None))
                continue
            value = self.expressions.compile(part.this, with_outputs(part.this, scope, items))
            if node.args.get("distinct") is not None and isinstance(node, exp.Select):
                place = f"c{distinct_key(part.this, value, items)}"
                keys.append((sort_text(Expression(place, value.type), part), None))
                continue
            name = f"s{len(keys)}"
            keys.append((sort_text(Expression(name, value.type), part), value.instant or value.sql))
        return keys

    def values(self, node: exp.Values, outer: Scope | None) -> Relation:
        """Return VALUES whose WITH is already known."""
        scope = Scope(parent=outer, clause="VALUES")
        rows = [
            [
                self.expressions.compile(cell, scope)
                for cell in (row.expressions if isinstance(row, exp.Tuple) else [row])
            ]
            for row in node.expressions
        ]
        if len({len(row) for row in rows}) != 1:
            raise StatementError("TYPE_MISMATCH", "Values rows have mismatched sizes")
        columns = [meet(list(column), "VALUES") for column in zip(*rows, strict=True)]
        selects = (
            "SELECT " + ", ".join(f"{values[index].sql} AS c{number}" for number, (values, _) in enumerate(columns))
            for index in range(len(rows))
        )
        relation = Relation(" UNION ALL ".join(selects), tuple(Column(None, kind) for _, kind in columns))
        return (
            self._ordered(node, relation)
            if any(node.args.get(part) for part in ("order", "limit", "offset"))
            else relation
        )

    def _ordered(self, node: exp.Expression, relation: Relation) -> Relation:
        """Return *relation* with the ORDER BY, OFFSET and LIMIT that stand after VALUES or a set operation."""
        alias = self.alias()
        items = [(column.name, Expression(f"c{index}", column.type)) for index, column in enumerate(relation.columns)]
        named = tuple(Field(None, name, replace(value, sql=f"{alias}.{value.sql}")) for name, value in items)
        keys = self._sort_keys(node, Scope(fields=named, clause="ORDER BY clause"), items)
        if any(extra for _, extra in keys):
            raise Unsupported("ORDER BY of an expression after VALUES or a set operation")
        return Relation(
            limited(node, f"({relation.sql}) AS {alias}", len(items), [text for text, _ in keys]), relation.columns
        )

    def set_operation(self, node: exp.SetOperation, outer: Scope | None) -> Relation:
        """Return UNION, INTERSECT or EXCEPT, in the common types of both sides."""
        left, right = self.compile(node.this, outer), self.compile(node.expression, outer)
        word = {"union": "UNION", "intersect": "INTERSECT", "except": "EXCEPT"}[node.key]
        if not node.args.get("distinct"):
            word += " ALL"
        if len(left.columns) != len(right.columns):
            raise StatementError("TYPE_MISMATCH", f"{word} query has different number of fields")
        pairs = zip(left.columns, right.columns, strict=True)
        kinds = [meet([Expression("x", a.type), Expression("x", b.type)], word)[1] for a, b in pairs]
        if word != "UNION ALL":
            for kind in kinds:
                check_groupable(kind, word)
        sides = f" {word} ".join(f"({converted(side, kinds, self.alias())})" for side in (left, right))
        columns = tuple(Column(column.name, kind) for column, kind in zip(left.columns, kinds, strict=True))
        return self._ordered(node, Relation(sides, columns))

    def exists(self, node: exp.Expression, scope: Scope) -> Expression:
        """Return EXISTS (query)."""
        return Expression(f"EXISTS ({self._inner(node, scope).sql})", BOOLEAN)

    def is_in(self, value: Expression, node: exp.Expression, scope: Scope) -> Expression:
        """Return value IN (query)."""
        relation = self._inner(node, scope)
        if len(relation.columns) != 1:
            raise Unsupported("IN (query) of several columns")
        value, inner = self._met_subquery("=", value, relation)
        return Expression(f"({value} IN ({inner}))", BOOLEAN)

    def quantified(
        self, value: Expression, operator: str, quantifier: str, node: exp.Expression, scope: Scope
    ) -> Expression:
        """Return value operator ALL | ANY (query)."""
        relation = self._inner(node.this if isinstance(node, exp.Subquery) else node, scope)
        if len(relation.columns) != 1:
            raise Unsupported("a quantified comparison with a query of several columns")
        value_sql, inner = self._met_subquery(operator, value, relation)
        return Expression(f"({value_sql} {operator} {quantifier} ({inner}))", BOOLEAN)

    def _met_subquery(self, operator: str, value: Expression, relation: Relation) -> tuple[str, str]:
        """Return *value* and the one column of *relation* as texts of one type."""
        column = relation.columns[0].type
        if is_nested(column) or is_nested(value.type):
            raise Unsupported(f"a nested value compared with a subquery: {trino_name(column)}")
        compare(operator, value, Expression("x", column))
        kind = meet([value, Expression("x", column)], "IN")[1]
        alias = self.alias()
        inner = f"SELECT {coerce(Expression(f'{alias}.c0', column), kind).sql} FROM ({relation.sql}) AS {alias}"
        return coerce(ordered(value), kind).sql, inner

    def scalar(self, node: exp.Expression, scope: Scope) -> Expression:
        """Return a subquery that gives one value; more rows fail the query."""
        relation = self._inner(node, scope)
        if len(relation.columns) != 1:
            raise Unsupported("a scalar subquery of several columns")
        if relation.columns[0].type == VARCHAR:
            self.context.texts[id(node)] = relation.sql
        return Expression(f"({relation.sql})", relation.columns[0].type)

    def _inner(self, node: exp.Expression, scope: Scope) -> Relation:
        used: list[str] = []
        relation = self.compile(node, replace(scope, outer_used=used))
        if used and node.find(exp.Limit, exp.Fetch, exp.Offset):
            raise Unsupported("correlated subquery with LIMIT")
        return relation
