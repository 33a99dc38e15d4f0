"""
Statement text to syntax tree, as strictly as Trino's own grammar.

sqlglot reads more than Trino does (trailing commas, `::`, LIMIT before OFFSET, …) and gives many functions a meaning of
its own. Here every function stays a plain name, and what Trino's grammar refuses is refused on the tokens.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from functools import lru_cache

from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import SqlglotError
from sqlglot.parsers.trino import TrinoParser
from sqlglot.tokens import Token, TokenType

from local_aws.athena.failures import StatementError, SyntaxRejection, Unsupported
from local_aws.athena.iceberg.change_grammar import check_change
from local_aws.athena.iceberg.definition import AlterTable, IcebergTable, parse_definition
from local_aws.athena.language.literals import TYPED, plain_literals
from local_aws.athena.language.words import check_name, check_number

MAX_STATEMENT_BYTES = 262_144
_CHANGES = ("delete", "update", "merge")
_SPECIAL_FORMS = ("CAST", "TRY_CAST", "EXTRACT", "TRIM", "POSITION", "SUBSTRING")
_NO_TRINO_TOKENS = {
    TokenType.DCOLON: "'::'", TokenType.ILIKE: "ILIKE", TokenType.RLIKE: "RLIKE", TokenType.GLOB: "GLOB",
    TokenType.QUALIFY: "QUALIFY", TokenType.DIV: "DIV", TokenType.CARET: "'^'",
    TokenType.AMP: "'&'", TokenType.PIPE: "'|'", TokenType.TILDE: "'~'", TokenType.NULLSAFE_EQ: "'<=>'",
    TokenType.DSTAR: "'**'", TokenType.COLON_EQ: "':='", TokenType.HASH: "'#'",
}  # fmt: skip
# Literals such as DECIMAL '1.5' reach the tree as casts, which mean something else.
_TYPED_LITERALS = {"date", "time", "timestamp"}
_WORDS_BEFORE_STRING = {
    "interval", "like", "escape", "select", "when", "then", "else", "and", "or", "not", "in", "by", "between", "to",
    "zone", "from", "values", "location", "serde", "on", "case", "distinct", "all", "having", "where", "both",
    "leading", "trailing", "comment",
}  # fmt: skip


# Trino's reserved words: no name that a subscript could follow.
_WORDS_BEFORE_VALUE = {
    "select", "distinct", "where", "having", "on", "by", "values", "and", "or", "not", "in", "like", "escape",
    "between", "case", "when", "then", "else", "as", "from", "unnest", "join", "with", "union", "intersect", "except",
}  # fmt: skip
_SUBSCRIPTED = (TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.IDENTIFIER, TokenType.STRING, TokenType.NUMBER)


class _StrictDialect(Trino):
    INDEX_OFFSET = 0

    class Parser(TrinoParser):
        FUNCTIONS = {}  # noqa: RUF012 - sqlglot's own way to configure a dialect
        FUNCTION_PARSERS = {name: TrinoParser.FUNCTION_PARSERS[name] for name in _SPECIAL_FORMS}  # noqa: RUF012


@dataclass(frozen=True)
class Unload:
    """UNLOAD (query) TO location WITH (properties); names of properties in lower case."""

    query: exp.Expression
    location: str
    properties: dict[str, str]
    partitioned_by: tuple[str, ...] = ()


@lru_cache(maxsize=256)  # a statement is parsed when it is submitted and when it runs, a view whenever it is named
def parse_statement(text: str, *, has_parameters: bool = False) -> exp.Expression | Unload | IcebergTable | AlterTable:
    """
    Return the one statement in *text*; its `?` stay as they are when it *has_parameters*.

    The tree is shared by all who parse the same text: nobody changes it.
    Raises: SyntaxRejection where Athena's grammar says no; Unsupported for statements only this engine lacks;
    StatementError for a `?` without a value.
    """
    tokens = tokens_of(text)
    if not tokens:
        raise SyntaxRejection("the statement is empty")
    if any(token.token_type == TokenType.SEMICOLON for token in tokens):
        raise SyntaxRejection("Only one sql statement is allowed")
    definition = parse_definition(text, tokens)
    if definition is not None:
        return definition
    _refuse_by_tokens(tokens, text)
    if not has_parameters:
        check_parameter_count(sum(token.token_type == TokenType.PLACEHOLDER for token in tokens), 0)
    first = tokens[0].text.lower().partition(" ")[0]  # sqlglot makes one token of DEALLOCATE PREPARE
    if first in ("create", "drop", "insert") and len(tokens) < 3:
        raise SyntaxRejection(f"line 1:1: {first.upper()} of what?")
    if first == "unload":
        return _parse_unload(tokens, text, has_parameters=has_parameters)
    if first in ("show", "describe", "desc", "explain", "msck", "optimize", "prepare", "execute",
                 "deallocate", "analyze", "truncate"):  # fmt: skip
        raise Unsupported(f"statement {first.upper()}")
    if first not in ("select", "with", "values", "(", "create", "drop", "insert", "table", *_CHANGES):
        raise SyntaxRejection(f"line 1:1: mismatched input {first[:40]!r}")
    tree = _parse(plain_literals(tokens, text))
    return check_change(tree, tokens) if first in _CHANGES else tree


def check_parameter_count(expected: int, found: int) -> None:
    """Raise StatementError when a statement has another number of `?` than there are values."""
    if expected != found:
        raise StatementError(
            "INVALID_PARAMETER_USAGE",
            f"line 1:1: Incorrect number of parameters: expected {expected} but found {found}",
        )


def parse_query(text: str, *, has_parameters: bool = False) -> exp.Expression:
    """Return the tree of one query, such as a view's text."""
    tree = parse_statement(text, has_parameters=has_parameters)
    if not isinstance(tree, exp.Query | exp.Values):
        raise SyntaxRejection("a query is expected")
    return tree


def view_query(text: str) -> str:
    """Return the query of a CREATE VIEW as it was written."""
    after = next(token.end for token in tokens_of(text) if token.token_type == TokenType.ALIAS)
    return text[after + 1 :].strip().rstrip(";").strip()


def tokens_of(text: str) -> list[Token]:
    """Return the tokens of *text* without a semicolon at its end."""
    try:
        tokens = list(_StrictDialect().tokenize(text))
    except SqlglotError as problem:
        if re.search(r"(?i)\bx'[0-9a-f]*\s[0-9a-f\s]*'", text):
            raise Unsupported("literal X'…' with spaces") from problem
        raise SyntaxRejection("the text cannot be read as SQL tokens") from problem
    while tokens and tokens[-1].token_type == TokenType.SEMICOLON:
        tokens.pop()
    return tokens


def _parse(text: str) -> exp.Expression:
    try:
        trees = [tree for tree in _StrictDialect().parse(text) if tree is not None]
    except (SqlglotError, RecursionError, ValueError) as problem:
        if re.search(
            r"\bvalues\b.*\b(offset|order|limit|fetch)\b|\bwith\b.*\bvalues\b", text, re.IGNORECASE | re.DOTALL
        ):
            raise Unsupported("VALUES after WITH, or before ORDER BY, OFFSET or LIMIT, at this place") from problem
        with_clauses = re.search(r"(?i)\bjson_(?:value|query|exists|object|array|table)(?=\s*\()", text)
        if with_clauses:
            raise Unsupported(f"{with_clauses[0].upper()} with clauses") from problem
        line = getattr(problem, "errors", None) or [{}]
        where = f"line {line[0].get('line', 1)}:{line[0].get('col', 1)}"
        raise SyntaxRejection(f"{where}: mismatched input") from problem
    if len(trees) != 1:
        raise SyntaxRejection("Only one sql statement is allowed")
    if any(not select.expressions for select in trees[0].find_all(exp.Select)):
        raise SyntaxRejection("SELECT without columns")
    for name in trees[0].find_all(exp.Identifier):
        check_name(name)
    return trees[0]


def _refuse_by_tokens(tokens: list[Token], text: str) -> None:
    is_ddl = tokens[0].text.lower() in ("create", "drop")
    limits: set[int] = set()
    depth = 0
    for index, token in enumerate(tokens):
        after = tokens[index + 1] if index + 1 < len(tokens) else None
        where = f"line {token.line}:{token.col}"
        if token.token_type in _NO_TRINO_TOKENS:
            raise SyntaxRejection(f"{where}: mismatched input {_NO_TRINO_TOKENS[token.token_type]}")
        if token.text == "`" and not is_ddl:
            raise SyntaxRejection(f"{where}: backquoted identifiers are not supported; use double quotes")
        if token.token_type == TokenType.L_BRACKET and not (index and _can_have_subscript(tokens[index - 1])):
            raise SyntaxRejection(f"{where}: mismatched input '['; an array is written ARRAY[…]")
        if token.text.lower() == "overflow" and index and tokens[index - 1].text.lower() == "on":
            raise Unsupported("LISTAGG … ON OVERFLOW")
        check_number(token, after, text)
        if token.text == "==":
            raise SyntaxRejection(f"{where}: mismatched input '=='")
        if token.token_type == TokenType.COMMA and (
            after is None or after.text.lower() in ("from", ")", "where", "group", "order")
        ):
            raise SyntaxRejection(f"{where}: mismatched input ',' before {after.text if after else 'the end'!r}")
        if token.token_type == TokenType.STRING and after is not None and after.token_type == TokenType.STRING:
            raise SyntaxRejection(f"{where}: mismatched input: two texts in a row")
        if after is not None and after.token_type == TokenType.STRING and token.token_type != TokenType.IDENTIFIER:
            _refuse_typed_literal(token, after, text)
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if token.token_type == TokenType.LIMIT:
            limits.add(depth)
        if token.token_type == TokenType.OFFSET and depth in limits:
            raise SyntaxRejection(f"{where}: mismatched input 'OFFSET'; OFFSET stands before LIMIT")
        if token.text == ")":
            limits.discard(depth + 1)
        if token.token_type == TokenType.LIMIT and index + 2 < len(tokens) and tokens[index + 2].text == ",":
            raise SyntaxRejection(f"{where}: mismatched input ',' after LIMIT")


def _can_have_subscript(token: Token) -> bool:
    is_name = re.fullmatch(r"[A-Za-z_]\w*", token.text) and token.text.lower() not in _WORDS_BEFORE_VALUE
    return token.token_type in _SUBSCRIPTED or bool(is_name)


def _refuse_typed_literal(token: Token, literal: Token, text: str) -> None:
    word = token.text.lower()
    day = re.fullmatch(r"(\d{4})-(\d{2})-(\d{2})(?: .*)?", literal.text, re.ASCII)
    if word in _TYPED_LITERALS and day and not _is_day(*map(int, day.groups())):
        raise StatementError("INVALID_LITERAL", f"this is not a valid {word.upper()} literal: there is no such day")
    is_word = re.fullmatch(r"[a-z_][a-z0-9_]*", word) and token.token_type != TokenType.STRING
    if is_word and word not in _TYPED_LITERALS | TYPED and word not in _WORDS_BEFORE_STRING and text[token.end] != '"':
        raise Unsupported(f"literal {token.text.upper()} '…'")


def _is_day(year: int, month: int, day: int) -> bool:
    return 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]


def _parse_unload(tokens: list[Token], text: str, *, has_parameters: bool) -> Unload:
    if len(tokens) < 2 or tokens[1].text != "(":
        raise SyntaxRejection("UNLOAD needs a query in parentheses")
    depth, close = 0, None
    for index, token in enumerate(tokens[1:], start=1):
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.token_type != TokenType.STRING else 0
        if depth == 0:
            close = index
            break
    if close is None:
        raise SyntaxRejection("UNLOAD: a parenthesis is not closed")
    inner = text[tokens[1].end + 1 : tokens[close].start]
    rest = tokens[close + 1 :]
    if len(rest) < 2 or rest[0].text.lower() != "to" or rest[1].token_type != TokenType.STRING:
        raise SyntaxRejection("UNLOAD needs TO 's3://…'")
    properties, keys = _unload_properties(rest[2:])
    query = parse_query(inner, has_parameters=has_parameters)
    return Unload(query=query, location=rest[1].text, properties=properties, partitioned_by=tuple(keys))


def _unload_properties(tokens: list[Token]) -> tuple[dict[str, str], list[str]]:
    if not tokens:
        raise SyntaxRejection("UNLOAD needs WITH (format = '…')")
    if tokens[0].text.lower() != "with" or len(tokens) < 3 or tokens[1].text != "(" or tokens[-1].text != ")":
        raise SyntaxRejection("UNLOAD: expected WITH (…)")
    inside, keys = _without_array(tokens[2:-1], "partitioned_by")
    properties: dict[str, str] = {}
    for index in range(0, len(inside), 4):
        part = inside[index : index + 4]
        if len(part) < 3 or part[1].text != "=" or (len(part) == 4 and part[3].text != ","):
            raise SyntaxRejection("UNLOAD: expected property = 'value'")
        if part[2].token_type not in (TokenType.STRING, TokenType.NUMBER):
            raise Unsupported(f"UNLOAD property {part[0].text.lower()}")
        properties[part[0].text.lower()] = part[2].text
    return properties, keys


def _without_array(tokens: list[Token], name: str) -> tuple[list[Token], list[str]]:
    """Return *tokens* without `name = ARRAY['…', …]`, and the texts of that array."""
    start = next((index for index, token in enumerate(tokens) if token.text.lower() == name), None)
    if start is None:
        return tokens, []
    opening = [token.text.lower() for token in tokens[start + 1 : start + 4]]
    end = next((index for index in range(start, len(tokens)) if tokens[index].text == "]"), None)
    values = tokens[start + 4 : end]
    is_list = all(
        token.token_type == TokenType.STRING if index % 2 == 0 else token.text == ","
        for index, token in enumerate(values)
    )
    if opening != ["=", "array", "["] or end is None or not is_list:
        raise SyntaxRejection(f"{name}: expected ARRAY['column', …]")
    rest = tokens[:start] + tokens[end + 1 :][1:] if start == 0 else tokens[: start - 1] + tokens[end + 1 :]
    return rest, [token.text.lower() for token in values[::2]]
