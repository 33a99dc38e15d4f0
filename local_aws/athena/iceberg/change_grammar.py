"""
What Trino's grammar of DELETE, UPDATE and MERGE leaves out of what sqlglot reads.

Source: Trino's SqlBase.g4, statement rules `delete`, `update` and `merge`; Athena has no WHEN NOT MATCHED BY SOURCE.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from sqlglot import exp

from local_aws.athena.failures import SyntaxRejection

if TYPE_CHECKING:
    from sqlglot.tokens import Token

_PARTS = {
    exp.Delete: ("this", "where"),
    exp.Update: ("this", "expressions", "where"),
    exp.Merge: ("this", "using", "on", "whens"),
    exp.When: ("matched", "condition", "then"),
}


def check_change(tree: exp.Expression, tokens: list[Token]) -> exp.Expression:
    """
    Return *tree*, one of the three statements.

    Raises: SyntaxRejection.
    """
    if not isinstance(tree, exp.Delete | exp.Update | exp.Merge) or not isinstance(tree.this, exp.Table):
        raise SyntaxRejection(f"line 1:1: mismatched input {tokens[0].text[:40]!r}")
    _only(tree)
    if not isinstance(tree, exp.Merge) and tree.this.args.get("alias"):
        raise SyntaxRejection(f"{tree.key.upper()} takes no alias")
    if isinstance(tree, exp.Update):
        _check_assignments(tree.expressions)
    elif isinstance(tree, exp.Merge):
        words = [token.text.lower() for token in tokens]
        if any(pair == ("matched", "by") for pair in itertools.pairwise(words)):
            raise SyntaxRejection("mismatched input 'BY'. Expecting: 'AND', 'THEN'")
        for when in tree.args["whens"].expressions:
            _check_when(when)
    return tree


def _check_when(when: exp.When) -> None:
    _only(when)
    then = when.args["then"]
    if when.args["matched"] and isinstance(then, exp.Update):
        _check_assignments(then.expressions)
    elif when.args["matched"] and isinstance(then, exp.Var) and then.name.lower() == "delete":
        return
    elif not when.args["matched"] and isinstance(then, exp.Insert) and isinstance(then.expression, exp.Tuple):
        columns = then.this.expressions if then.this else []
        if any(not isinstance(column, exp.Column | exp.Identifier) or _is_qualified(column) for column in columns):
            raise SyntaxRejection("INSERT lists names of columns")
    else:
        raise SyntaxRejection("WHEN MATCHED takes UPDATE SET or DELETE, WHEN NOT MATCHED takes INSERT … VALUES")


def _check_assignments(pairs: list[exp.Expression]) -> None:
    for pair in pairs:
        if not isinstance(pair, exp.EQ) or not isinstance(pair.this, exp.Column) or _is_qualified(pair.this):
            raise SyntaxRejection("SET takes column = value, the column without the name of its table")


def _is_qualified(node: exp.Expression) -> bool:
    return isinstance(node, exp.Column) and bool(node.table)


def _only(node: exp.Expression) -> None:
    extra = next((name for name, value in node.args.items() if value and name not in _PARTS[type(node)]), None)
    if extra:
        raise SyntaxRejection(f"{node.key.upper()} has no {extra.strip('_').upper()}")
