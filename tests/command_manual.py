"""docs/commands.md as tests read it: for each command its options, and the keys of the JSON that it shows."""

import json
import re
from pathlib import Path

MANUAL = (Path(__file__).parents[1] / "docs/commands.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## `chatcensus ([a-z ]+)`\n(.*?)(?=^## |\Z)", MANUAL, re.MULTILINE | re.DOTALL))


def options(command: str) -> dict[str, str]:
    """The options in the table of *command*, each with its default as it is written."""
    return dict(re.findall(r"^\| `(--[a-z-]+)` \| +`?([^`|]*?)`? +\|", SECTIONS[command], re.MULTILINE))


def keys(command: str) -> set[str]:
    """The keys of the JSON document that *command* is said to print."""
    (example,) = re.findall(r"^```json\n(.*?)^```", SECTIONS[command], re.MULTILINE | re.DOTALL)
    return set(json.loads(example))
