"""The threat model is held to the tests that it names."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODEL = (ROOT / "docs/threat-model.md").read_text(encoding="utf-8")
ATTACKS = MODEL.partition("## Attacks")[2].partition("\n## ")[0]
ROWS = [line.strip("| ").split(" | ") for line in ATTACKS.splitlines() if line.startswith("| ")][1:]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1])
def test_every_control_has_a_test_that_exists(row: list[str]) -> None:
    assert len(row) == 4
    proofs = re.findall(r"`(tests/[^`]+\.py)`", row[3])

    assert proofs
    assert all("def test_" in (ROOT / path).read_text(encoding="utf-8") for path in proofs)


def test_the_ten_risks_of_the_owasp_list_are_answered_in_order() -> None:
    assert re.findall(r"^\| LLM(\d\d) ", MODEL, re.MULTILINE) == [f"{number:02}" for number in range(1, 11)]
