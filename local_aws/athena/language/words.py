"""
Words of a statement that sqlglot reads more generously than Trino: names and numbers.

Source: https://github.com/trinodb/trino/blob/master/core/trino-grammar/src/main/antlr4/io/trino/grammar/sql/SqlBase.g4
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot.tokens import Token, TokenType

from local_aws.athena.failures import SyntaxRejection, Unsupported

if TYPE_CHECKING:
    from sqlglot import exp

_RESERVED = {
    "alter", "and", "as", "between", "by", "case", "cast", "constraint", "create", "cross", "cube", "current_catalog",
    "current_date", "current_path", "current_role", "current_schema", "current_time", "current_timestamp",
    "current_user", "deallocate", "delete", "describe", "distinct", "drop", "else", "end", "escape", "except",
    "execute", "exists", "extract", "false", "for", "from", "full", "group", "grouping", "having", "in", "inner",
    "insert", "intersect", "into", "is", "join", "json_array", "json_exists", "json_object", "json_query",
    "json_value", "left", "like", "listagg", "localtime", "localtimestamp", "natural", "normalize", "not", "null",
    "on", "or", "order", "outer", "prepare", "recursive", "right", "rollup", "select", "skip", "table", "then",
    "trim", "true", "uescape", "union", "unnest", "using", "values", "when", "where", "with",
}  # fmt: skip


def check_name(node: exp.Identifier) -> None:
    """Raise SyntaxRejection for a name that Trino takes only in double quotes."""
    if node.args.get("quoted"):
        return
    if node.name.lower() in _RESERVED:
        raise SyntaxRejection(f"mismatched input {node.name.upper()!r}; a reserved word needs double quotes as a name")
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", node.name):
        raise SyntaxRejection("a name with other characters than A-Z, 0-9 and _ needs double quotes")


def check_number(token: Token, after: Token | None, text: str) -> None:
    """
    Refuse what sqlglot takes for a number and its alias: `1a`.

    Raises: SyntaxRejection; Unsupported for 0x1F, 0b1 and 1_000, which only later releases of Trino read.
    """
    is_hexadecimal = token.token_type in (TokenType.HEX_STRING, TokenType.BIT_STRING) and text[token.start] == "0"
    is_whole = token.token_type == TokenType.NUMBER and re.fullmatch(r"\d+(e[+-]?\d+)?", token.text, re.IGNORECASE)
    is_followed = after is not None and after.start == token.end + 1 and re.match(r"\w", text[after.start])
    if not is_hexadecimal and not (is_whole and is_followed):
        return
    if is_hexadecimal or re.match(r"0[box]|\d+_", token.text + text[token.end + 1], re.IGNORECASE):
        raise Unsupported("a number that is not written in decimal digits")
    raise SyntaxRejection(f"line {token.line}:{token.col}: identifiers must not start with a digit")
