"""
The conversations of a benchmark, made of syllables, and the request that every contender sends for them.

Two files: `records.jsonl` with one conversation a line, and beside it `request.json` with what all have in common.
Contenders get the finished message; our engine gets the turns and has to render them itself.
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chatcensus.conversation import Turn, transcript
from chatcensus.include import read_yaml
from chatcensus.prompt import tool_config, user_message
from chatcensus.taxonomy import Taxonomy

MODEL_ID = "jp.anthropic.claude-haiku-5-5"
MAX_TOKENS = 128
# With the tool (about 130 tokens) and an envelope, the whole input of a short conversation is about 620 tokens.
SHORT_TOKENS, LONG_TOKENS = 200, 6_000
INSTRUCTIONS_TOKENS = 225
_SYLLABLES = [
    "ka",
    "mi",
    "to",
    "ra",
    "ne",
    "so",
    "lu",
    "vi",
    "pe",
    "do",
    "shi",
    "ban",
    "cor",
    "mel",
    "tus",
    "ari",
    "eno",
    "uma",
]
_INCLUDE = Path(__file__).parents[1] / "include"


def _text(drawn: random.Random, tokens: int) -> str:
    """Return words without a meaning, of about so many tokens (four characters each)."""
    words, size = [], 0
    while size < tokens * 4:
        words.append("".join(drawn.choices(_SYLLABLES, k=drawn.randint(1, 4))))
        size += len(words[-1]) + 1
    return " ".join(words)


def records(count: int, tokens: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Yield *count* conversations of about *tokens* input tokens each: three turns, and the message that holds them."""
    drawn = random.Random(seed)
    filler = [_text(drawn, tokens) for _ in range(50)]
    for number in range(count):
        text = filler[number % len(filler)]
        third = len(text) // 3
        turns = [
            ("user", f"conversation number {number}: {text[:third]}"),
            ("assistant", text[third : 2 * third]),
            ("user", text[2 * third :]),
        ]
        shown = transcript([Turn(role, said) for role, said in turns])
        yield {
            "id": f"c{number}",
            "turns": [{"role": role, "content": said} for role, said in turns],
            "message": user_message(shown, f"{number:016x}", "tool"),
        }


def write(folder: Path, count: int, tokens: int) -> Path:
    """Write both files into *folder* and return the path of the records."""
    folder.mkdir(parents=True, exist_ok=True)
    taxonomy = read_yaml(_INCLUDE / "prompts/taxonomy.yaml", Taxonomy)
    request = {
        "model_id": MODEL_ID,
        "max_tokens": MAX_TOKENS,
        "instructions": "Judge the conversation. " + _text(random.Random(0), INSTRUCTIONS_TOKENS),
        "tool_config": tool_config(taxonomy),
        "categories": sorted(taxonomy.keys),
    }
    (folder / "request.json").write_text(json.dumps(request))
    path = folder / "records.jsonl"
    with path.open("w") as file:
        file.writelines(json.dumps(record) + "\n" for record in records(count, tokens))
    return path
