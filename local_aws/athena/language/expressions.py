"""Expressions: every node that is listed here is translated by its Trino meaning and type; any other is refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import exp

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.functions import intervals, temporal
from local_aws.athena.functions.containers import row_of
from local_aws.athena.functions.scalars import WHITE_SPACE, concat_two, substr
from local_aws.athena.language import calls
from local_aws.athena.language.arithmetic import arithmetic, number_literal
from local_aws.athena.language.casts import coerce, fail, quote
from local_aws.athena.language.coercion import boolean, compare, meet, want_text
from local_aws.athena.language.connectives import connected
from local_aws.athena.language.literals import binary_literal
from local_aws.athena.language.scope import Expression, Scope
from local_aws.athena.language.trino_types import (
    BIGINT,
    BOOLEAN,
    UNKNOWN,
    Type,
    array,
    duckdb_name,
    from_sql,
    is_integer,
    is_numeric,
    trino_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_aws.athena.language.queries import QueryCompiler

_COMPARISONS = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
_DISTINCTIONS = {exp.NullSafeEQ: "IS NOT DISTINCT FROM", exp.NullSafeNEQ: "IS DISTINCT FROM"}
_ARITHMETIC = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}


def only(node: exp.Expression, *allowed: str) -> None:
    """Refuse *node* when it carries parts that its translation would not look at."""
    extra = [key for key, part in node.args.items() if part not in (None, False, []) and key not in allowed]
    if extra:
        raise Unsupported(f"{node.key.upper()} with {', '.join(extra).upper().replace('_', ' ').strip()}")


class ExpressionCompiler:
    """Translate expressions; queries inside them go back to the query compiler."""

    def __init__(self, queries: QueryCompiler) -> None:
        self.queries = queries
        self._by_node: dict[type, Callable[[exp.Expression, Scope], Expression]] = {
            exp.Literal: self._literal,
            exp.Boolean: lambda node, _: Expression("true" if node.this else "false", BOOLEAN),
            exp.Null: lambda _node, _scope: Expression("CAST(NULL AS INTEGER)", UNKNOWN),
            exp.HexString: lambda node, _: binary_literal(node.name),
            exp.Column: self._column,
            exp.Identifier: lambda node, scope: self._dotted([node.name], scope),
            exp.Dot: self._dot,
            exp.Paren: lambda node, scope: self.compile(node.this, scope),
            exp.Neg: self._negative,
            exp.Not: lambda node, scope: Expression(f"(NOT {self._condition(node.this, scope, 'NOT')})", BOOLEAN),
            exp.And: lambda node, scope: self._connect(node, scope, "AND"),
            exp.Or: lambda node, scope: self._connect(node, scope, "OR"),
            exp.Is: self._is,
            exp.Between: self._between,
            exp.In: self._in,
            exp.Like: self._like,
            exp.Escape: self._escape,
            exp.DPipe: self._concat,
            exp.Cast: self._cast,
            exp.TryCast: lambda node, scope: self._try(self._cast(node, scope)),
            exp.Case: self._case,
            exp.If: self._if,
            exp.Array: self._array,
            exp.Bracket: self._bracket,
            exp.Interval: lambda node, _: intervals.literal(node),
            exp.AtTimeZone: self._at_time_zone,
            exp.Extract: lambda node, scope: temporal.extract(node.name.lower(), self.compile(node.expression, scope)),
            exp.CurrentDate: lambda node, _: self.queries.moment(node, "date"),
            exp.CurrentTimestamp: lambda node, _: self.queries.moment(node, "now"),
            exp.Localtimestamp: lambda node, _: self.queries.moment(node, "localtimestamp"),
            exp.Localtime: lambda node, _: self.queries.moment(node, "localtime"),
            exp.Exists: lambda node, scope: self.queries.exists(node.this, scope),
            exp.Subquery: lambda node, scope: self.queries.scalar(node, scope),
            exp.Anonymous: lambda node, scope: calls.call(self, node, scope),
            exp.Filter: lambda node, scope: calls.call(self, node, scope),
            exp.Window: lambda node, scope: calls.call(self, node, scope),
            exp.WithinGroup: lambda node, scope: calls.call(self, node, scope),
            exp.Tuple: lambda node, scope: row_of([self.compile(part, scope) for part in node.expressions]),
            exp.IgnoreNulls: lambda node, scope: calls.call(self, node, scope),
            exp.RespectNulls: lambda node, scope: calls.call(self, node, scope),
            exp.Trim: self._trim,
            exp.StrPosition: self._position,
            exp.Substring: self._substring,
        }
        for kind in _COMPARISONS:
            self._by_node[kind] = self._comparison
        for kind in _DISTINCTIONS:
            self._by_node[kind] = self._distinction
        for kind in _ARITHMETIC:
            self._by_node[kind] = self._arithmetic

    def compile(self, node: exp.Expression, scope: Scope) -> Expression:
        """
        Return *node* as DuckDB text with its Trino type.

        Raises: StatementError for what Trino rejects; Unsupported for what is not in the list.
        """
        handler = self._by_node.get(type(node))
        if handler is None:
            raise Unsupported(f"{node.key.upper()} expression")
        return handler(node, scope)

    def _condition(self, node: exp.Expression, scope: Scope, where: str) -> str:
        return boolean(self.compile(node, scope), where)

    def _literal(self, node: exp.Expression, _: Scope) -> Expression:
        if node.args["is_string"]:
            return Expression(quote(node.this), Type("varchar", (len(node.this),)), constant=node.this)
        return number_literal(node.this)

    def _column(self, node: exp.Expression, scope: Scope) -> Expression:
        only(node, "this", "table", "db", "catalog")
        if isinstance(node.this, exp.Star):
            raise StatementError("SYNTAX_ERROR", "* is not an expression")
        return self._dotted([part.name for part in node.parts], scope)

    def _dotted(self, parts: list[str], scope: Scope) -> Expression:
        value, rest = scope.resolve(parts)
        for name in rest:
            value = self._field(value, name)
        return value

    def _dot(self, node: exp.Expression, scope: Scope) -> Expression:
        if not isinstance(node.expression, exp.Identifier):
            raise Unsupported(f"{node.expression.key.upper()} after a dot")
        return self._field(self.compile(node.this, scope), node.expression.name)

    def _field(self, value: Expression, name: str) -> Expression:
        if value.type.name != "row":
            raise StatementError("TYPE_MISMATCH", f"Expression of type {trino_name(value.type)} has no field {name!r}")
        found = [index for index, (label, _) in enumerate(value.type.args) if label and label.lower() == name.lower()]
        if len(found) != 1:
            raise StatementError("COLUMN_NOT_FOUND", f"field {name!r} is not in {trino_name(value.type)}, or twice")
        return Expression(f"({value.sql}).f{found[0]}", value.type.args[found[0]][1])

    def _negative(self, node: exp.Expression, scope: Scope) -> Expression:
        if isinstance(node.this, exp.Literal) and node.this.this in ("2147483648", "9223372036854775808"):
            raise Unsupported(f"literal -{node.this.this}")
        value = self.compile(node.this, scope)
        if not is_numeric(value.type) and value.type not in intervals.INTERVALS:
            raise Unsupported(f"negative {trino_name(value.type)}")
        constant = -value.constant if isinstance(value.constant, int) else None
        return Expression(f"(- {value.sql})", value.type, constant=constant)

    def _connect(self, node: exp.Expression, scope: Scope, word: str) -> Expression:
        terms = _flat(node, type(node))
        parts = [self._condition(part, scope, "Logical expression term") for part in terms]
        return Expression(connected(word, terms, parts), BOOLEAN)

    def _is(self, node: exp.Expression, scope: Scope) -> Expression:
        if not isinstance(node.expression, exp.Null):
            raise StatementError("SYNTAX_ERROR", "IS takes [NOT] NULL or [NOT] DISTINCT FROM")
        value = self.compile(node.this, scope)
        return Expression(f"({value.instant or value.sql} IS NULL)", BOOLEAN)

    def _comparison(self, node: exp.Expression, scope: Scope) -> Expression:
        operator, right = _COMPARISONS[type(node)], node.expression
        quantified = _quantified(right)
        if quantified:
            return self.queries.quantified(self.compile(node.this, scope), operator, *quantified, scope)
        return compare(operator, self.compile(node.this, scope), self.compile(right, scope))

    def _distinction(self, node: exp.Expression, scope: Scope) -> Expression:
        return compare(_DISTINCTIONS[type(node)], self.compile(node.this, scope), self.compile(node.expression, scope))

    def _between(self, node: exp.Expression, scope: Scope) -> Expression:
        only(node, "this", "low", "high")
        value = self.compile(node.this, scope)
        low = compare(">=", value, self.compile(node.args["low"], scope))
        high = compare("<=", value, self.compile(node.args["high"], scope))
        return Expression(f"({low.sql} AND {high.sql})", BOOLEAN)

    def _in(self, node: exp.Expression, scope: Scope) -> Expression:
        only(node, "this", "expressions", "query")
        value = self.compile(node.this, scope)
        if node.args.get("query"):
            return self.queries.is_in(value, node.args["query"], scope)
        options = [self.compile(option, scope) for option in node.expressions]
        tests = [compare("=", value, option).sql for option in options]
        return Expression("(" + " OR ".join(tests) + ")", BOOLEAN)

    def _like(self, node: exp.Expression, scope: Scope, escape: str = "") -> Expression:
        only(node, "this", "expression", "negate")
        value, pattern = self.compile(node.this, scope), self.compile(node.expression, scope)
        texts = [want_text(value, "LIKE"), want_text(pattern, "LIKE")]
        word = "NOT LIKE" if node.args.get("negate") else "LIKE"
        return Expression(f"({texts[0]} {word} {texts[1]}{escape})", BOOLEAN)

    def _escape(self, node: exp.Expression, scope: Scope) -> Expression:
        escape = self.compile(node.expression, scope).constant
        if not isinstance(node.this, exp.Like) or not isinstance(escape, str):
            raise Unsupported("ESCAPE that is no literal")
        pattern = self.compile(node.this.expression, scope).constant
        if len(escape) != 1:
            raise StatementError("INVALID_FUNCTION_ARGUMENT", "Escape string must be a single character")
        if not isinstance(pattern, str):
            raise Unsupported("ESCAPE with a pattern that is no literal")
        rest = pattern.replace(escape * 2, "")
        if any(after not in ("%", "_") for after in (part[:1] for part in rest.split(escape)[1:])):
            raise StatementError("INVALID_FUNCTION_ARGUMENT", "Escape character must be followed by '%', '_' or itself")
        return self._like(node.this, scope, f" ESCAPE {quote(escape)}")

    def _concat(self, node: exp.Expression, scope: Scope) -> Expression:
        values = [self.compile(part, scope) for part in _flat(node, exp.DPipe)]
        result = values[0]
        for value in values[1:]:
            result = concat_two(result, value)
        return result

    def _cast(self, node: exp.Expression, scope: Scope) -> Expression:
        only(node, "this", "to", "safe")
        target = node.args["to"]
        is_text = isinstance(node.this, exp.Literal) and node.this.args["is_string"]
        precise = re.fullmatch(r"TIMESTAMP\((\d)\)", target.sql("trino"))
        if is_text and precise and temporal.fraction_digits(node.this.this) == int(precise[1]):
            return temporal.timestamp_literal(node.this.this)
        if is_text and re.fullmatch(r"TIMESTAMP\(\d\) WITH TIME ZONE", target.sql("trino")):
            return temporal.timestamp_literal(node.this.this)
        if is_text and re.fullmatch(r"TIME(\(\d\))?", target.sql("trino")):
            return temporal.time_literal(node.this.this)
        return calls.json_cast(self, self.compile(node.this, scope), from_sql(target))

    def _try(self, value: Expression) -> Expression:
        return Expression(f"TRY({value.sql})", value.type)

    def _case(self, node: exp.Expression, scope: Scope) -> Expression:
        only(node, "this", "ifs", "default")
        subject = self.compile(node.this, scope) if node.this else None
        conditions: list[str] = []
        values: list[Expression] = []
        for branch in node.args["ifs"]:
            test = self.compile(branch.this, scope)
            conditions.append(compare("=", subject, test).sql if subject else boolean(test, "CASE WHEN clause"))
            values.append(self.compile(branch.args["true"], scope))
        default = node.args.get("default")
        values.append(self.compile(default, scope) if default else Expression("NULL", UNKNOWN))
        values, kind = meet(values, "CASE")
        branches = " ".join(f"WHEN {test} THEN {value.sql}" for test, value in zip(conditions, values, strict=False))
        return Expression(f"(CASE {branches} ELSE {values[-1].sql} END)", kind)

    def _if(self, node: exp.Expression, scope: Scope) -> Expression:
        otherwise = node.args.get("false")
        values = [self.compile(node.args["true"], scope)]
        values.append(self.compile(otherwise, scope) if otherwise else Expression("NULL", UNKNOWN))
        values, kind = meet(values, "IF")
        test = self._condition(node.this, scope, "IF condition")
        return Expression(f"(CASE WHEN {test} THEN {values[0].sql} ELSE {values[1].sql} END)", kind)

    def _array(self, node: exp.Expression, scope: Scope) -> Expression:
        only(node, "expressions")
        values, kind = meet([self.compile(part, scope) for part in node.expressions], "ARRAY")
        inside = ", ".join(value.sql for value in values)
        return Expression(f"CAST([{inside}] AS {duckdb_name(kind)}[])", array(kind))

    def _bracket(self, node: exp.Expression, scope: Scope) -> Expression:
        only(node, "this", "expressions", "offset")
        if len(node.expressions) != 1:
            raise StatementError("SYNTAX_ERROR", "one subscript is expected")
        value, index = self.compile(node.this, scope), self.compile(node.expressions[0], scope)
        if value.type.name == "array":
            kind = value.type.args[0]
            missing = fail("INVALID_FUNCTION_ARGUMENT", "Array subscript out of bounds", kind)
            place = coerce(index, BIGINT).sql
            return Expression(f"t_subscript({value.sql}, {place}, {missing})", kind)
        if value.type.name == "map":
            key_type, kind = value.type.args
            missing = fail("INVALID_FUNCTION_ARGUMENT", "Key not present in map", kind)
            return Expression(f"t_map_subscript({value.sql}, {coerce(index, key_type).sql}, {missing})", kind)
        if value.type.name == "row" and is_integer(index.type) and index.constant is not None:
            if not 1 <= index.constant <= len(value.type.args):
                raise StatementError("INVALID_FUNCTION_ARGUMENT", "ROW index out of bounds")
            return Expression(f"({value.sql}).f{index.constant - 1}", value.type.args[index.constant - 1][1])
        raise Unsupported(f"subscript of {trino_name(value.type)}")

    def _arithmetic(self, node: exp.Expression, scope: Scope) -> Expression:
        left, right = self.compile(node.this, scope), self.compile(node.expression, scope)
        operator = _ARITHMETIC[type(node)]
        if is_numeric(left.type) and is_numeric(right.type):
            return arithmetic(operator, left, right)
        if UNKNOWN in (left.type, right.type) and (is_numeric(left.type) or is_numeric(right.type)):
            kind = right.type if left.type == UNKNOWN else left.type
            return arithmetic(operator, coerce(left, kind), coerce(right, kind))
        return intervals.calculate(operator, left, right)

    def _at_time_zone(self, node: exp.Expression, scope: Scope) -> Expression:
        only(node, "this", "zone")
        return temporal.at_time_zone(self.compile(node.this, scope), self.compile(node.args["zone"], scope))

    def _trim(self, node: exp.Expression, scope: Scope) -> Expression:
        only(node, "this", "expression", "position")
        position = str(node.args.get("position") or "BOTH").upper()
        name = {"BOTH": "trim", "LEADING": "ltrim", "TRAILING": "rtrim"}[position]
        value = self.compile(node.this, scope)
        text = want_text(value, "trim")
        characters = node.args.get("expression")
        taken = want_text(self.compile(characters, scope), "trim") if characters else WHITE_SPACE
        return Expression(f"{name}({text}, {taken})", value.type)

    def _position(self, node: exp.Expression, scope: Scope) -> Expression:
        only(node, "this", "substr")
        text, part = self.compile(node.this, scope), self.compile(node.args["substr"], scope)
        return Expression(f"strpos({want_text(text, 'position')}, {want_text(part, 'position')})", BIGINT)

    def _substring(self, node: exp.Expression, scope: Scope) -> Expression:
        only(node, "this", "start", "length")
        names = ("this", "start", "length")
        arguments = [self.compile(node.args[name], scope) for name in names if node.args.get(name)]
        return substr(arguments)


def _quantified(node: exp.Expression) -> tuple[str, exp.Expression] | None:
    """Return ALL or ANY and the query of a quantified comparison; sqlglot takes ALL (VALUES …) for a function."""
    if isinstance(node, exp.All | exp.Any):
        return ("ALL" if isinstance(node, exp.All) else "ANY"), node.this
    word = str(node.this).lower() if isinstance(node, exp.Anonymous) else ""
    return ("ALL" if word == "all" else "ANY", node.expressions[0]) if word in ("all", "any", "some") else None


def _flat(node: exp.Expression, kind: type) -> list[exp.Expression]:
    """Return the operands of a chain of one operator, left to right, without recursion into its depth."""
    operands: list[exp.Expression] = []
    while type(node) is kind:
        operands.append(node.expression)
        node = node.this
    return [node, *reversed(operands)]
