"""The runbook quotes what a person really sees: every line of a log in it is one of the code."""

import ast
import re

import pytest
import yaml

from tests.docs.pages import REPOSITORY, prose

RUNBOOK = prose("docs/runbook.md")
LIBRARY = REPOSITORY / "plugins"
_HOLE = "\0"
SHORT = 10  # letters: a shorter part could be of many messages


def _lines() -> list[str]:
    """The quoted lines of the tables that begin with 'The log says'."""
    tables = re.findall(r"^\| The log says .*\n\|---.*\n((?:\|.*\n)+)", RUNBOOK, re.MULTILINE)
    cells = [row.split(" | ")[0] for table in tables for row in table.splitlines()]
    return [line for cell in cells for line in re.findall(r"`([^`]+)`", cell)]


def _parts(line: str) -> list[str]:
    """What of a quoted line is said by the code itself, and not by a value."""
    return [part for part in (part.strip(" :;,.()") for part in line.split("…")) if part]


def _text(node: ast.AST) -> str | None:
    """Return the text that *node* says, with a hole for each value."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"%[.\d]*[sdfr]", _HOLE, node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else _HOLE for part in node.values)
    return None


LINES = _lines()
NODES = {path: list(ast.walk(ast.parse(path.read_text(encoding="utf-8")))) for path in sorted(LIBRARY.rglob("*.py"))}
TEXTS = {path: "\n".join(filter(None, map(_text, nodes))) for path, nodes in NODES.items()}


@pytest.mark.parametrize("line", LINES)
def test_a_quoted_line_is_one_of_the_code(line: str):
    # A reason may come from one file, and the sentence around it from another.
    for half in line.split("; what is left"):
        assert _parts(half)
        assert any(all(part in text for part in _parts(half)) for text in TEXTS.values()), half


def test_every_error_that_ends_a_task_is_quoted():
    ends = {"SetupError", "SnapshotIncomplete", "StoreBusy", "QuotaExhausted"}
    raised = [
        _text(node.args[0])
        for path, nodes in NODES.items()
        if not {"commands", "doctor.py"} & set(path.parts)
        for node in nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ends and node.args
    ]
    said = [text for text in raised if text and len(max(text.split(_HOLE), key=len)) > SHORT]

    assert [text for text in said if not any(_is_quoted_by(line, text) for line in LINES)] == []


def _is_quoted_by(line: str, text: str) -> bool:
    return any(len(part) > SHORT and part in text for part in _parts(line))


def test_every_task_and_every_gate_has_its_place():
    sections = set(re.findall(r"^## (\w+)$", RUNBOOK, re.MULTILINE))
    gates = {path.stem for path in (REPOSITORY / "include/sql/gates").glob("*.sql")}
    wiring = (REPOSITORY / "dags/chat_census.py").read_text().rpartition("plan >> ")[2].partition("\n")[0]

    assert {"plan", *re.findall(r"\w+", wiring)} - sections == set()
    assert {gate for gate in gates if f"| `{gate}` |" not in RUNBOOK} == set()


def test_every_alarm_of_the_template_is_explained_and_no_other():
    template = yaml.load((REPOSITORY / "deploy/chatcensus.yaml").read_text(), _Loader)["Resources"]  # noqa: S506
    alarms = {name for name, resource in template.items() if resource["Type"] == "AWS::CloudWatch::Alarm"}

    assert set(re.findall(r"`(\w+Alarm)`", RUNBOOK)) == alarms


class _Loader(yaml.SafeLoader):
    """YAML of CloudFormation: its short forms (`!Ref`) are left out."""


_Loader.add_multi_constructor("!", lambda *_: None)
