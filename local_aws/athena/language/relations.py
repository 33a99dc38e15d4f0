"""The FROM clause: tables, subqueries, joins, UNNEST and what they offer by which name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.iceberg.fields import Target, field_of, row_fields
from local_aws.athena.language.coercion import boolean, compare, meet
from local_aws.athena.language.expressions import only
from local_aws.athena.language.scope import Expression, Field, Scope
from local_aws.athena.language.trino_types import BIGINT, trino_name

if TYPE_CHECKING:
    from local_aws.athena.language.queries import QueryCompiler
    from local_aws.athena.language.relation import Relation


def table(compiler: QueryCompiler, node: exp.Table) -> Relation:
    """Return the relation of a table, view or CTE by name."""
    only(node, "this", "db", "catalog", "alias", "version")
    if not isinstance(node.this, exp.Identifier):
        raise Unsupported(f"FROM {node.this.key.upper()}")
    parts = [part.name for part in (node.args.get("catalog"), node.args.get("db"), node.this) if part is not None]
    if len(parts) == 1 and parts[0].lower() in compiler.ctes and not isinstance(node, Target):
        if node.args.get("version"):
            raise Unsupported("time travel of a WITH query")
        # Each mention reads the same text, so a filter on one mention must not choose partitions for all.
        return _without_origins(compiler.ctes[parts[0].lower()])
    return compiler.context.tables.relation(compiler, parts, node)


def renamed(relation: Relation, alias: exp.TableAlias | None) -> Relation:
    """Return *relation* under the column names of AS name (a, b, …)."""
    names = [part.name for part in alias.args.get("columns") or []] if alias is not None else []
    if not names:
        return relation
    if len(names) != len(relation.columns):
        raise StatementError("MISMATCHED_COLUMN_ALIASES", f"{len(names)} aliases for {len(relation.columns)} columns")
    columns = (
        type(column)(name, column.type, column.origin) for column, name in zip(relation.columns, names, strict=True)
    )
    return type(relation)(relation.sql, tuple(columns), relation.scan)


def _without_origins(relation: Relation) -> Relation:
    columns = tuple(type(column)(column.name, column.type) for column in relation.columns)
    return type(relation)(relation.sql, columns)


def from_clause(compiler: QueryCompiler, node: exp.Select, outer: Scope | None) -> tuple[str, list[Field]]:
    """Return the DuckDB FROM text of a SELECT, and the fields it offers."""
    clause = node.args.get("from_")
    if clause is None:
        if node.args.get("joins"):
            raise StatementError("SYNTAX_ERROR", "JOIN without FROM")
        return "", []
    only(clause, "this")
    sql, fields = _item(compiler, clause.this, outer, [])
    for join in [*(clause.this.args.get("joins") or []), *(node.args.get("joins") or [])]:
        sql, fields = _join(compiler, join, sql, fields, outer)
    return f" FROM {sql}", fields


def _item(
    compiler: QueryCompiler, node: exp.Expression, outer: Scope | None, before: list[Field]
) -> tuple[str, list[Field]]:
    if isinstance(node, exp.Unnest):
        return _unnest(compiler, node, outer, before)
    if isinstance(node, exp.Paren):
        return _item(compiler, node.this, outer, before)
    if isinstance(node, exp.Lateral):
        return _lateral(compiler, node, outer, before)
    if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table):
        raise Unsupported("parenthesised join")
    if isinstance(node, exp.Table | exp.Subquery | exp.Values | exp.Select):
        relation = table(compiler, node) if isinstance(node, exp.Table) else compiler.compile(node, outer)
        alias_node = node.args.get("alias")
        relation = renamed(relation, alias_node)
        alias = compiler.alias()
        if relation.scan is not None:
            compiler.context.mentions.setdefault(relation.scan, []).append(alias)
        name = _relation_name(node, alias_node)
        fields = [field_of(name, column, f"{alias}.c{index}") for index, column in enumerate(relation.columns)]
        return f"({relation.sql}) AS {alias}", fields + row_fields(node, alias)
    raise Unsupported(f"FROM {node.key.upper()}")


def _lateral(
    compiler: QueryCompiler, node: exp.Lateral, outer: Scope | None, before: list[Field]
) -> tuple[str, list[Field]]:
    """Return LATERAL (query), which sees the relations before it."""
    only(node, "this", "alias")
    if not isinstance(node.this, exp.Subquery):
        raise Unsupported("LATERAL of anything but a query")
    seen = Scope(fields=tuple(before), parent=outer, outer_used=outer.outer_used if outer else [])
    relation = renamed(compiler.compile(node.this, seen), node.args.get("alias"))
    if node.find(exp.Limit, exp.Fetch, exp.Offset):
        raise Unsupported("LATERAL with LIMIT")
    alias = compiler.alias()
    name = _relation_name(node, node.args.get("alias"))
    fields = [
        Field(name, column.name, Expression(f"{alias}.c{index}", column.type))
        for index, column in enumerate(relation.columns)
    ]
    return f"LATERAL ({relation.sql}) AS {alias}", fields


def _relation_name(node: exp.Expression, alias: exp.TableAlias | None) -> str | None:
    if alias is not None and alias.name:
        return alias.name.lower()
    return node.name.lower() if isinstance(node, exp.Table) else None


def _unnest(
    compiler: QueryCompiler, node: exp.Unnest, outer: Scope | None, before: list[Field]
) -> tuple[str, list[Field]]:
    only(node, "expressions", "alias", "offset")
    scope = Scope(fields=tuple(before), parent=outer, clause="UNNEST")
    columns: list[tuple[str, object]] = []
    inner: list[str] = []
    lengths: list[str] = []
    for part in node.expressions:
        value = compiler.expressions.compile(part, scope)
        if value.type.name == "map":
            key, kind = value.type.args
            pairs = [(f"map_keys({value.sql})", key), (f"map_values({value.sql})", kind)]
        elif value.type.name == "array":
            pairs = [(value.sql, value.type.args[0])]
        else:
            raise StatementError("TYPE_MISMATCH", f"Cannot unnest type: {trino_name(value.type)}")
        for sql, kind in pairs:
            name = f"u{len(inner)}"
            inner.append(f"unnest({sql}) AS {name}")
            lengths.append(f"coalesce(len({sql}), 0)")
            if kind.name == "row" and value.type.name == "array":
                columns.extend((f"({name}).f{index}", field) for index, (_, field) in enumerate(kind.args))
            else:
                columns.append((name, kind))
    if node.args.get("offset"):
        longest = lengths[0] if len(lengths) == 1 else f"greatest({', '.join(lengths)})"
        inner.append(f"unnest(generate_series(CAST(1 AS BIGINT), CAST({longest} AS BIGINT))) AS o")
        columns.append(("o", BIGINT))
    alias_node = node.args.get("alias")
    names = [part.name for part in alias_node.args.get("columns") or []] if alias_node else []
    if names and isinstance(node.args.get("offset"), exp.Identifier):
        names.append(node.args["offset"].name)  # sqlglot takes the last alias for the ordinality
    if names and len(names) != len(columns):
        raise StatementError("MISMATCHED_COLUMN_ALIASES", f"{len(names)} aliases for {len(columns)} columns of UNNEST")
    alias = compiler.alias()
    relation = alias_node.name.lower() if alias_node is not None else None
    outputs = ", ".join(f"{sql} AS c{index}" for index, (sql, _) in enumerate(columns))
    fields = [
        Field(relation, names[index] if names else None, Expression(f"{alias}.c{index}", kind))
        for index, (_, kind) in enumerate(columns)
    ]
    return f"LATERAL (SELECT {outputs} FROM (SELECT {', '.join(inner)})) AS {alias}", fields


def _join(
    compiler: QueryCompiler, node: exp.Join, left_sql: str, left: list[Field], outer: Scope | None
) -> tuple[str, list[Field]]:
    if str(node.args.get("method") or "").upper() == "NATURAL":
        raise StatementError("NOT_SUPPORTED", "Natural join not supported")
    only(node, "this", "on", "side", "kind", "using")
    side, kind = str(node.args.get("side") or "").upper(), str(node.args.get("kind") or "").upper()
    right_sql, right = _item(compiler, node.this, outer, left)
    is_unnest = isinstance(node.this, exp.Unnest | exp.Lateral)
    condition, using = node.args.get("on"), node.args.get("using")
    if node.this.args.get("joins"):
        raise Unsupported("nested join")
    if not side and kind in ("", "CROSS") and condition is None and not using:
        return f"{left_sql} CROSS JOIN {right_sql}", left + right
    if side not in ("", "LEFT", "RIGHT", "FULL") or kind not in ("", "INNER", "OUTER"):
        raise Unsupported(f"{side} {kind} JOIN".strip())
    word = f"{side} JOIN" if side else "JOIN"
    if is_unnest and (side not in ("", "LEFT") or not (isinstance(condition, exp.Boolean) and condition.this)):
        raise Unsupported("JOIN of UNNEST or LATERAL other than CROSS or LEFT … ON TRUE")
    if using:
        return _using([part.name.lower() for part in using], word, (left_sql, left), (right_sql, right))
    if condition is None:
        raise StatementError("SYNTAX_ERROR", "JOIN needs ON or USING")
    scope = Scope(fields=tuple(left + right), parent=outer, clause="JOIN clause")
    on = boolean(compiler.expressions.compile(condition, scope), "JOIN ON clause")
    return f"{left_sql} {word} {right_sql} ON {on}", _forget(left, side in ("RIGHT", "FULL")) + _forget(
        right, side in ("LEFT", "FULL")
    )


def _forget(fields: list[Field], is_outer: bool) -> list[Field]:
    """Drop origins on the side that an outer join fills with NULLs: a filter there must not choose partitions."""
    if not is_outer:
        return fields
    return [
        Field(entry.relation, entry.name, Expression(entry.value.sql, entry.value.type))
        if isinstance(entry, Field)
        else entry
        for entry in fields
    ]


def _using(
    names: list[str], word: str, left: tuple[str, list[Field]], right: tuple[str, list[Field]]
) -> tuple[str, list[Field]]:
    conditions: list[str] = []
    merged: list[Field] = []
    for name in names:
        a, b = (_one(side[1], name) for side in (left, right))
        conditions.append(compare("=", a, b).sql)
        (a, b), kind = meet([a, b], "USING")
        merged.append(Field(None, name, Expression(f"coalesce({a.sql}, {b.sql})", kind)))
    rest = [entry for side in (left[1], right[1]) for entry in side if entry.key not in names]
    return f"{left[0]} {word} {right[0]} ON {' AND '.join(conditions)}", merged + rest


def _one(fields: list[Field], name: str) -> Expression:
    found = [entry.value for entry in fields if entry.key == name]
    if len(found) != 1:
        raise StatementError("COLUMN_NOT_FOUND", f"Column '{name}' is missing from one side of the join, or ambiguous")
    return found[0]
