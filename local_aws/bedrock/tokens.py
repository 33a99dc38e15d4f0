"""How many tokens a text has, roughly: no tokenizer is at hand, and each model has its own."""

import json
import math
from typing import Any

from local_aws.bedrock.converse_rules import blocks_of

# Characters a token, roughly: English text runs near 4, Japanese near 1.1.
_ASCII_A_TOKEN = 4
_OTHERS_A_TOKEN = 1.1


def estimated_tokens(text: str) -> int:
    """Return a rough count of tokens: ASCII characters / 4 plus all others / 1.1, at least 1."""
    plain = len(text) if text.isascii() else len(text.encode("ascii", "ignore"))
    return _tokens(plain, len(text) - plain)


def _tokens(plain: int, others: int) -> int:
    return max(1, math.ceil(plain / _ASCII_A_TOKEN + others / _OTHERS_A_TOKEN))


class TokenCount:
    """The tokens of several blocks together: a part never has more than the whole, and nothing is rounded twice."""

    def __init__(self) -> None:
        self._plain = self._others = 0

    def add(self, block: dict[str, Any]) -> None:
        """Count what the model reads of a block: its text, or the description of a tool."""
        text = block["text"] if "text" in block else json.dumps(block) if "toolSpec" in block else ""
        plain = len(text) if text.isascii() else len(text.encode("ascii", "ignore"))
        self._plain += plain
        self._others += len(text) - plain

    @property
    def total(self) -> int:
        return _tokens(self._plain, self._others)


def input_tokens(body: dict[str, Any]) -> int:
    """Return the tokens of all that the model reads of a Converse request, cached or not."""
    count = TokenCount()
    for _, block in blocks_of(body):
        count.add(block)
    return count.total
