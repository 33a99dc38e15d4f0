"""What the documents hold: pages, fenced blocks, and the commands of the `sh` blocks as a shell reads them."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

# README.ja.md has the commands of README.md, held by a test of its own; decisions are history and are not run.
PAGES = [
    *(name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md") if (REPOSITORY / name).exists()),
    *sorted(str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / "docs").glob("*.md")),
]
ALL_PAGES = [
    *PAGES,
    "README.ja.md",
    *sorted(str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / "docs/adr").glob("*.md")),
]

_WHOLE_BLOCK = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)
_FENCE = re.compile(r"^( *)```(.*)$")


@dataclass(frozen=True)
class Block:
    """One fenced block: where it begins, its info string, its lines."""

    page: str
    line: int
    info: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Command:
    """One command of an `sh` block: in one line where it can be, and without the comment at its end."""

    page: str
    line: int
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: str) -> Iterator[Block]:
    """Yield the fenced blocks of *page*."""
    opened: tuple[int, str, str] | None = None
    body: list[str] = []
    for number, line in enumerate((REPOSITORY / page).read_text(encoding="utf-8").splitlines(), start=1):
        fence = _FENCE.match(line)
        if opened is None and fence:
            opened, body = (number, fence[1], fence[2].strip()), []
        elif opened is not None and fence and not fence[2]:
            yield Block(page, opened[0], opened[2], tuple(body))
            opened = None
        elif opened is not None:
            body.append(line.removeprefix(opened[1]))
    assert opened is None, f"{page}:{opened[0]}: this block does not end"


def prose(page: str) -> str:
    """Return *page* without its fenced blocks; line numbers stay as they are."""
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    return re.sub(
        r"^( *)```.*?^ *```$", lambda block: "\n" * block[0].count("\n"), text, flags=re.DOTALL | re.MULTILINE
    )


def commands(page: str) -> list[Command]:
    """Return the commands of the `sh` blocks of *page*, in order."""
    return [command for block in blocks(page) if block.info == "sh" for command in _commands(block)]


def _commands(block: Block) -> Iterator[Command]:
    pending: list[str] = []
    for number, line in enumerate(block.lines, start=block.line + 1):
        if not pending and (not line.strip() or line.startswith("#")):
            continue
        pending.append(line)
        text = "\n".join(pending)
        if not line.endswith("\\") and _is_complete(text):
            one_line = re.sub(r"\s*\\\n\s*", " ", text)
            yield Command(block.page, number - len(pending) + 1, re.sub(r"\s+# [^'\"\n]*$", "", one_line))
            pending = []
    assert not pending, f"{block.page}:{block.line}: bash cannot read {pending[0]!r}"


def _is_complete(text: str) -> bool:
    """Return whether bash takes *text* as it is; an open quote or here-document goes on in the next line."""
    checked = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    return checked.returncode == 0 and not checked.stderr
