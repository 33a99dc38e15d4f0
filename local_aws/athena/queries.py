"""
Queries: SELECT, VALUES, set operations, WITH and subqueries, with names resolved as Trino resolves them.

Every translated relation has columns c0, c1, … and an alias of ours, so no name of the statement reaches DuckDB.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

from sqlglot import exp

from local_aws.athena import relations
from local_aws.athena.calls import sort_text
from local_aws.athena.casts import coerce
from local_aws.athena.coercion import boolean, compare, meet
from local_aws.athena.expressions import ExpressionCompiler, only
from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.relation import Column, Relation
from local_aws.athena.scope import Block, Expression, Field, Origin, Scope
from local_aws.athena.select_parts import (
    assemble,
    converted,
    expand,
    ordinal,
    output_index,
    own_name,
    star,
    tail,
    with_outputs,
)
from local_aws.athena.trino_types import BOOLEAN, DATE, TIMESTAMP, UTC_TIMESTAMP, is_nested, trino_name


class Tables(Protocol):
    """What the compiler asks the catalog."""

    def relation(self, compiler: QueryCompiler, parts: list[str]) -> Relation:
        """Return the table or view of that name."""


@dataclass
class Context:
    """What all parts of one statement share."""

    tables: Tables
    helpers: object
    now: str  # the statement's one moment, UTC, to the millisecond
    equalities: dict[Origin, set[str]] = field(default_factory=dict)
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
        """Return current_date, now() or localtimestamp: one moment for the whole statement."""
        only(node, *(("this",) if isinstance(node, exp.Anonymous) else ()))
        kind = {"date": DATE, "now": UTC_TIMESTAMP, "localtimestamp": TIMESTAMP}[name]
        text = f"CAST('{self.context.now}' AS TIMESTAMP)"
        return Expression(f"CAST({text} AS DATE)" if kind == DATE else text, kind)

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
            return self._values(node, outer)
        if isinstance(node, exp.Table):
            return relations.table(self, node)
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
        block = Block()
        source, fields = relations.from_clause(self, node, outer)
        scope = Scope(fields=tuple(fields), parent=outer, block=block, outer_used=outer.outer_used if outer else [])
        where = self._where(node, scope)
        items = self._items(node, scope)
        group = self._group(node, scope, items)
        having = node.args.get("having")
        having_sql = boolean(self.expressions.compile(having.this, scope), "HAVING") if having else None
        if having or group:
            block.has_aggregate = True
        keys = self._sort_keys(node, scope, items)
        distinct = node.args.get("distinct")
        if distinct is not None:
            only(distinct)
            self._check_distinct(items, keys)
        is_plain = not (block.has_aggregate or block.has_window or node.args.get("limit") or node.args.get("offset"))
        columns = tuple(Column(name, value.type, value.origin if is_plain else None) for name, value in items)
        return Relation(assemble(node, source, where, items, group, having_sql, keys), columns)

    def _where(self, node: exp.Select, scope: Scope) -> str | None:
        where = node.args.get("where")
        if where is None:
            return None
        condition = boolean(self.expressions.compile(where.this, scope.with_clause("WHERE clause")), "WHERE clause")
        relations.note_equalities(self, where.this, scope)
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

    def _group(self, node: exp.Select, scope: Scope, items: list[tuple[str | None, Expression]]) -> str:
        group = node.args.get("group")
        if group is None:
            return ""
        only(group, "expressions")
        inner = scope.with_clause("GROUP BY clause")

        def key(part: exp.Expression) -> str:
            if isinstance(part, exp.Literal) and part.is_int:
                value = items[ordinal(part, items, "GROUP BY")][1]
            else:
                value = self.expressions.compile(part, inner)
            if is_nested(value.type) or value.type.name in ("json", "char"):
                raise Unsupported(f"GROUP BY of {trino_name(value.type)}")
            return value.sql

        def several(part: exp.Expression) -> str:
            parts = (
                part.expressions
                if isinstance(part, exp.Tuple)
                else [part.this if isinstance(part, exp.Paren) else part]
            )
            return "(" + ", ".join(key(inner_part) for inner_part in parts) + ")"

        def columns(part: exp.Expression) -> str:
            for inner_part in part.expressions if isinstance(part, exp.Tuple) else [part.unnest()]:
                if isinstance(inner_part, exp.GroupingSets | exp.Rollup | exp.Cube):
                    raise Unsupported("grouping sets within grouping sets")
                if not isinstance(inner_part.unnest(), exp.Column):
                    raise StatementError("INVALID_COLUMN_REFERENCE", "GROUP BY expression must be a column reference")
            return several(part)

        terms: list[str] = []
        for part in group.expressions:
            if isinstance(part, exp.GroupingSets | exp.Rollup | exp.Cube):
                word = {"groupingsets": "GROUPING SETS", "rollup": "ROLLUP", "cube": "CUBE"}[part.key]
                terms.append(f"{word} ({', '.join(columns(inner_part) for inner_part in part.expressions)})")
            else:
                terms.append(several(part) if isinstance(part, exp.Tuple) else key(part))
        return " GROUP BY " + ", ".join(terms)

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
            value = self.expressions.compile(part.this, with_outputs(scope, items))
            name = f"s{len(keys)}"
            keys.append((sort_text(Expression(name, value.type), part), value.instant or value.sql))
        return keys

    def _check_distinct(self, items: list[tuple[str | None, Expression]], keys: list[tuple[str, str | None]]) -> None:
        for _, value in items:
            if is_nested(value.type) or value.type.name in ("json", "char"):
                raise Unsupported(f"DISTINCT of {trino_name(value.type)}")
        if any(extra for _, extra in keys):
            raise StatementError(
                "EXPRESSION_NOT_IN_DISTINCT", "For SELECT DISTINCT, ORDER BY expressions must appear in select list"
            )

    def _values(self, node: exp.Values, outer: Scope | None) -> Relation:
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
        return Relation(" UNION ALL ".join(selects), tuple(Column(None, kind) for _, kind in columns))

    def set_operation(self, node: exp.SetOperation, outer: Scope | None) -> Relation:
        """Return UNION, INTERSECT or EXCEPT, in the common types of both sides."""
        left, right = self.compile(node.this, outer), self.compile(node.expression, outer)
        word = {"union": "UNION", "intersect": "INTERSECT", "except": "EXCEPT"}[node.key]
        if not node.args.get("distinct"):
            if word != "UNION":
                raise Unsupported(f"{word} ALL")
            word += " ALL"
        if len(left.columns) != len(right.columns):
            raise StatementError("TYPE_MISMATCH", f"{word} query has different number of fields")
        pairs = zip(left.columns, right.columns, strict=True)
        kinds = [meet([Expression("x", a.type), Expression("x", b.type)], word)[1] for a, b in pairs]
        if word != "UNION ALL" and any(is_nested(kind) or kind.name in ("json", "char") for kind in kinds):
            raise Unsupported(f"{word} of nested values")
        sides = f" {word} ".join(f"({converted(side, kinds, self.alias())})" for side in (left, right))
        columns = tuple(Column(column.name, kind) for column, kind in zip(left.columns, kinds, strict=True))
        items = [(column.name, Expression(f"c{index}", column.type)) for index, column in enumerate(columns)]
        alias = self.alias()
        named = tuple(Field(None, name, replace(value, sql=f"{alias}.{value.sql}")) for name, value in items)
        keys = self._sort_keys(node, Scope(fields=named, clause="ORDER BY clause"), items)
        if any(extra for _, extra in keys):
            raise Unsupported("ORDER BY of an expression after a set operation")
        return Relation(f"SELECT * FROM ({sides}) AS {alias}{tail(node, [text for text, _ in keys])}", columns)

    def exists(self, node: exp.Expression, scope: Scope) -> Expression:
        """Return EXISTS (query)."""
        return Expression(f"EXISTS ({self._inner(node, scope).sql})", BOOLEAN)

    def is_in(self, value: Expression, node: exp.Expression, scope: Scope) -> Expression:
        """Return value IN (query)."""
        relation = self._inner(node, scope)
        if len(relation.columns) != 1:
            raise StatementError("TYPE_MISMATCH", "the subquery of IN must return one column")
        column = relation.columns[0].type
        compare("=", value, Expression("x", column))
        kind = meet([value, Expression("x", column)], "IN")[1]
        alias = self.alias()
        inner = f"SELECT {coerce(Expression(f'{alias}.c0', column), kind).sql} FROM ({relation.sql}) AS {alias}"
        return Expression(f"({coerce(value, kind).sql} IN ({inner}))", BOOLEAN)

    def scalar(self, node: exp.Expression, scope: Scope) -> Expression:
        """Return a subquery that gives one value; more rows fail the query."""
        relation = self._inner(node, scope)
        if len(relation.columns) != 1:
            raise StatementError("TYPE_MISMATCH", "Subquery expression must produce only one field")
        return Expression(f"({relation.sql})", relation.columns[0].type)

    def _inner(self, node: exp.Expression, scope: Scope) -> Relation:
        used: list[str] = []
        relation = self.compile(node, replace(scope, outer_used=used))
        if used and node.find(exp.Limit, exp.Fetch, exp.Offset):
            raise Unsupported("correlated subquery with LIMIT")
        return relation
