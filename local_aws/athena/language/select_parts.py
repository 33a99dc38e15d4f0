"""Parts of a SELECT: output names, ordinals, ORDER BY's view of the columns, and the assembled text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.language.casts import coerce
from local_aws.athena.language.expressions import only
from local_aws.athena.language.scope import Expression, Scope

if TYPE_CHECKING:
    from local_aws.athena.language.relation import Relation
    from local_aws.athena.language.trino_types import Type


def assemble(
    node: exp.Select, source: str, where: str | None, items: list, group: str, having: str | None, keys: list
) -> str:
    outputs = [f"{value.sql} AS c{index}" for index, (_, value) in enumerate(items)]
    extras = [f"{extra} AS s{index}" for index, (_, extra) in enumerate(keys) if extra]
    distinct = "DISTINCT " if node.args.get("distinct") is not None else ""
    sql = f"SELECT {distinct}{', '.join(outputs + extras)}{source}"
    sql += f" WHERE {where}" if where else ""
    sql += group + (f" HAVING {having}" if having else "")
    if not keys and not node.args.get("limit") and not node.args.get("offset"):
        return sql
    return limited(node, f"({sql})", len(items), [text for text, _ in keys])


def limited(node: exp.Expression, source: str, width: int, keys: list[str]) -> str:
    """Return the query of c0, c1, … of *source* with ORDER BY *keys*, OFFSET and LIMIT or FETCH FIRST of *node*."""
    names = ", ".join(f"c{index}" for index in range(width))
    order = f" ORDER BY {', '.join(keys)}" if keys else ""
    limit, offset = node.args.get("limit"), node.args.get("offset")
    skipped = f" OFFSET {row_count(offset)}" if offset is not None else ""
    if limit is None or not _has_ties(limit):
        size = f" LIMIT {row_count(limit)}" if limit is not None else ""
        return f"SELECT {names} FROM {source}{order}{size}{skipped}"
    if not keys:
        raise StatementError("MISSING_ORDER_BY", "FETCH FIRST WITH TIES clause requires ORDER BY")
    rest = f"(SELECT * FROM {source}{order}{skipped})" if skipped else source
    ranked = f"SELECT *, rank() OVER ({order.strip()}) AS ties FROM {rest}"
    return f"SELECT {names} FROM ({ranked}) WHERE ties <= {row_count(limit)}{order}"


def _has_ties(limit: exp.Expression) -> bool:
    options = limit.args.get("limit_options")
    if options is not None and options.args.get("percent"):
        raise StatementError("SYNTAX_ERROR", "FETCH FIRST … PERCENT")
    return bool(options and options.args.get("with_ties"))


def row_count(node: exp.Expression) -> str:
    if isinstance(node, exp.Fetch):
        count = node.args.get("count") or exp.Literal.number(1)
        if count.name == "0":
            raise StatementError("INVALID_LIMIT_CLAUSE", "FETCH FIRST row count must be positive (actual value: 0)")
    else:
        only(node, "expression")
        count = node.expression
    if isinstance(count, exp.Column | exp.Var) and count.name.lower() == "all":
        return "ALL"
    if not isinstance(count, exp.Literal) or not count.is_int:
        raise Unsupported("LIMIT or OFFSET that is no whole number")
    return str(int(count.this))


def converted(relation: Relation, kinds: list[Type], alias: str) -> str:
    cells = (
        f"{coerce(Expression(f'{alias}.c{index}', column.type), kind).sql} AS c{index}"
        for index, (column, kind) in enumerate(zip(relation.columns, kinds, strict=True))
    )
    return f"SELECT {', '.join(cells)} FROM ({relation.sql}) AS {alias}"


def star(part: exp.Expression) -> str | None:
    """Return the relation of `name.*`, an empty text for `*`, or None."""
    if isinstance(part, exp.Star):
        only(part)
        return ""
    if isinstance(part, exp.Column) and isinstance(part.this, exp.Star):
        only(part, "this", "table")
        return part.table.lower()
    return None


def expand(relation: str, scope: Scope) -> list[tuple[str | None, Expression]]:
    fields = [entry for entry in scope.fields if relation in ("", entry.relation)]
    rows = [entry.value for entry in scope.fields if entry.key == relation and entry.value.type.name == "row"]
    if not fields and len(rows) == 1:
        parts = enumerate(rows[0].type.args)
        return [(name, Expression(f"({rows[0].sql}).f{index}", kind)) for index, (name, kind) in parts]
    if not fields:
        raise StatementError(
            "COLUMN_NOT_FOUND", f"Table '{relation}' not found" if relation else "SELECT * without FROM"
        )
    return [(entry.name, entry.value) for entry in fields]


def own_name(part: exp.Expression) -> str | None:
    """Return the name of a column without an alias: only a chain of names has one, `f(x).a` or `x[1].a` has none."""
    first = part
    while isinstance(first, exp.Dot):
        first = first.this
    if not isinstance(first, exp.Column):
        return None
    return part.expression.name if isinstance(part, exp.Dot) else part.name


def ordinal(part: exp.Literal, items: list, where: str) -> int:
    index = int(part.this) - 1
    if not 0 <= index < len(items):
        raise StatementError("INVALID_COLUMN_REFERENCE", f"{where} position {part.this} is not in select list")
    return index


def output_index(part: exp.Expression, items: list[tuple[str | None, Expression]]) -> int | None:
    if isinstance(part, exp.Literal) and part.is_int:
        return ordinal(part, items, "ORDER BY")
    if isinstance(part, exp.Column) and not part.table:
        matches = [index for index, (name, _) in enumerate(items) if name and name.lower() == part.name.lower()]
        if len(matches) > 1:  # even of one value: https://github.com/trinodb/trino/issues/19110
            raise StatementError("AMBIGUOUS_NAME", f"Column '{part.name}' is ambiguous")
        return matches[0] if matches else None
    return None


def with_outputs(node: exp.Expression, scope: Scope, items: list[tuple[str | None, Expression]]) -> Scope:
    """
    Return *scope* in which output names hide input columns, as the ORDER BY expression *node* sees them.

    Raises: StatementError for a name in *node* that several outputs have.
    """
    outputs = [(name.lower(), value) for name, value in items if name]
    names = [name for name, _ in outputs]
    for name in names_in(node):
        if names.count(name) > 1:
            raise StatementError("AMBIGUOUS_NAME", f"Column '{name}' is ambiguous")
    return scope.with_arguments(dict(outputs)) if outputs else scope


def names_in(node: exp.Expression) -> set[str]:
    """Return the first names of the columns that *node* mentions, in lower case; those of `t.x` are no outputs."""
    return {column.name.lower() for column in node.find_all(exp.Column) if not column.table}


def distinct_key(node: exp.Expression, value: Expression, items: list[tuple[str | None, Expression]]) -> int:
    """
    Return which output the ORDER BY expression *node* of a SELECT DISTINCT is.

    Raises: StatementError when it is none; Unsupported when it is one only by the name of another output.
    """
    same = [index for index, (_, item) in enumerate(items) if item.sql == value.sql]
    if not same:
        raise StatementError(
            "EXPRESSION_NOT_IN_DISTINCT", "For SELECT DISTINCT, ORDER BY expressions must appear in select list"
        )
    if names_in(node) & {name.lower() for name, _ in items if name}:
        raise Unsupported("ORDER BY of an expression of output names with DISTINCT")
    return same[0]
