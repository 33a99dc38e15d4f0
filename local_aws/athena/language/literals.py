"""
Literals that sqlglot would read as something else, written in a form that it reads rightly.

DECIMAL '1.50' is the number 1.50 and no cast; CHAR 'ab' has the length of its text; JSON '…' is parsed; 1e0+2 is a sum.
Source: Trino language/types.
"""

from __future__ import annotations

import re

from sqlglot.tokens import Token, TokenType

from local_aws.athena.failures import StatementError
from local_aws.athena.language.casts import quote
from local_aws.athena.language.scope import Expression
from local_aws.athena.language.trino_types import VARBINARY

# A cast of the text means the same for the first ones; the last three are rewritten here.
TYPED = {
    "tinyint",
    "smallint",
    "integer",
    "int",
    "bigint",
    "real",
    "double",
    "boolean",
    "varchar",
    "decimal",
    "char",
    "json",
}
_SUM_AFTER_EXPONENT = re.compile(r"([^eE]*[eE][+-]?\d+)([+-].*)")


def plain_literals(tokens: list[Token], text: str) -> str:
    """Return *text* with such literals rewritten. Raises: StatementError for a DECIMAL '…' of no number."""
    pieces: list[str] = []
    done = 0
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        new, end = None, token.end
        if token.token_type == TokenType.NUMBER:
            found = _SUM_AFTER_EXPONENT.fullmatch(token.text)
            new = f"{found[1]} {found[2]}" if found else None
        elif after is not None and after.token_type == TokenType.STRING and text[token.end] != '"':
            new, end = _typed(token.text.lower(), after.text), after.end
        if new is not None:
            pieces += [text[done : token.start], new]
            done = end + 1
    return "".join([*pieces, text[done:]])


def binary_literal(digits: str) -> Expression:
    """Return X'…'. Raises: StatementError for half a byte."""
    if len(digits) % 2:
        raise StatementError("SYNTAX_ERROR", "a hexadecimal literal has an even number of digits")
    return Expression(f"unhex({quote(digits)})", VARBINARY)


def _typed(word: str, value: str) -> str | None:
    quoted = "'" + value.replace("'", "''") + "'"
    if word == "char":
        return f"CAST({quoted} AS CHAR({max(1, len(value))}))"
    if word == "json":
        return f"json_parse({quoted})"
    if word != "decimal":
        return None
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)", value, re.ASCII):
        raise StatementError("INVALID_LITERAL", "this is not a valid DECIMAL literal")
    return f"({value.lstrip('+')}{'' if '.' in value else '.'})"
