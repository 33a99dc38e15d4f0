"""The demo as a person runs it: killed in the middle, run again, run once more; and what it never lets out."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from chatcensus.include import read_yaml
from chatcensus.taxonomy import Taxonomy
from demo.generator import generate
from local_aws.bedrock.keyword_model import judge
from tests.report_file import report_inside

pytestmark = pytest.mark.airflow

REPOSITORY = Path(__file__).parents[2]
CANARY = "The albatross hides its ledger under the third turquoise lighthouse"
CONVERSATIONS = 120
PATIENCE_S = 240


@dataclass
class Demo:
    """The demo over one file, with a state of its own."""

    folder: Path

    @property
    def state(self) -> Path:
        """Where this file's local AWS and Airflow live."""
        return next((self.folder / "state").iterdir())

    @property
    def command(self) -> list[str]:
        options = {
            "--data": self.folder / "data.jsonl",
            "--state": self.folder / "state",
            "--report": self.folder / "report.html",
            "--latency": 0.4,
            "--language": "en",
        }
        return [sys.executable, "-m", "demo", *(str(word) for option in options.items() for word in option)]

    def start(self) -> subprocess.Popen[str]:
        """Start it."""
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "plugins"), "PYTHONIOENCODING": "utf-8"}
        return subprocess.Popen(
            self.command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def run(self) -> str:
        """Run it to its end and return what it printed; it must succeed."""
        process = self.start()
        printed, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, printed
        return printed

    def judged(self) -> int:
        """How many conversations the running demo has judged and written so far."""
        try:
            url = (self.state / "aws.ready").read_text()
            with urllib.request.urlopen(f"{url}/_local/stats", timeout=5) as answer:
                writes = json.load(answer)["dynamodb_writes"].get("chat-conversations", 0)
                return int(writes) - CONVERSATIONS  # each was written once to be there at all
        except (OSError, StopIteration):
            return 0


@pytest.fixture(scope="module")
def conversations() -> list[dict[str, Any]]:
    drawn = list(generate(CONVERSATIONS, seed=7))
    drawn[3]["turns"][0]["content"] += f"\n{CANARY}"
    drawn[5]["turns"][0]["content"] = f"{CANARY} </conversation> {{{{ 7 * 7 }}}} <script>alert(1)</script>"
    return drawn


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, conversations: list[dict[str, Any]]) -> dict[str, Any]:
    """Kill it in the middle of classify, run it again, and run it a third time on the finished state."""
    demo = Demo(tmp_path_factory.mktemp("demo"))
    lines = [json.dumps(conversation, ensure_ascii=False) for conversation in conversations]
    (demo.folder / "data.jsonl").write_text("\n".join([*lines[:10], "this is no JSON", *lines[10:]]), encoding="utf-8")
    killed = demo.start()
    deadline = time.monotonic() + PATIENCE_S
    while (judged := demo.judged()) < CONVERSATIONS // 4:
        assert time.monotonic() < deadline, "classify did not begin"
        assert killed.poll() is None, killed.communicate()
        time.sleep(0.02)
    time.sleep(0.2)  # a write is counted before it is in the journal: those that were counted are there by now
    family = [psutil.Process(killed.pid), *psutil.Process(killed.pid).children(recursive=True)]
    for process in family:
        process.send_signal(signal.SIGKILL)
    psutil.wait_procs(family, timeout=10)
    again, third = demo.run(), demo.run()
    return {
        "demo": demo,
        "judged_before_kill": judged,
        "killed": killed.communicate()[0],
        "again": again,
        "third": third,
    }


_ROW = re.compile(r"^  (\S.*?) +(\d+) +[\d.]+%")


def _table(printed: str) -> list[str]:
    """The counts that a run printed, without what differs between runs."""
    lines = printed.splitlines()
    return lines[lines.index("Categories, most used first") : lines.index(next(t for t in lines if "This run" in t))]


def test_a_killed_run_started_again_loses_no_conversation(
    story: dict[str, Any], conversations: list[dict[str, Any]]
) -> None:
    judged = [judge([(turn["role"], turn["content"]) for turn in c["turns"]]) for c in conversations]
    labels = {c.key: c.label.en for c in read_yaml(REPOSITORY / "include/prompts/taxonomy.yaml", Taxonomy).categories}

    rows = [row for line in _table(story["again"]) for row in _ROW.findall(line)]
    told = {label: int(count) for label, count in rows if not label.startswith("Under ")}
    everything = Counter(labels[category] for category, _ in judged) + Counter(str(score) for _, score in judged)
    assert len(told) > 5
    assert told == {label: everything[label] for label in told}
    assert "agree on all" in story["again"]


def test_what_the_killed_run_had_written_is_not_paid_for_again(story: dict[str, Any]) -> None:
    tally = next(line for line in story["again"].splitlines() if line.startswith("This run"))
    calls = int(tally.split(" model calls")[0].rsplit(" ", 1)[-1])

    assert calls <= CONVERSATIONS - story["judged_before_kill"]


def test_a_run_on_a_finished_state_makes_no_call_and_no_write_and_gives_equal_tables(story: dict[str, Any]) -> None:
    assert f"0 evaluated, {CONVERSATIONS} already evaluated, 0 quarantined" in story["third"]
    assert "0 model calls, 0 tokens, 0.0000 USD" in story["third"]
    assert _table(story["third"]) == _table(story["again"])


def test_a_bad_line_is_named_by_its_number_and_skipped(story: dict[str, Any]) -> None:
    assert "line 11 skipped" in story["again"]
    assert f"1 of {CONVERSATIONS + 1} lines skipped" in story["again"]


def test_conversation_text_is_in_no_log_no_metadata_database_and_no_report(story: dict[str, Any]) -> None:
    demo: Demo = story["demo"]
    printed = story["killed"] + story["again"] + story["third"]
    table_and_snapshots = demo.state / "aws"  # where the text belongs
    places = [p for p in demo.state.rglob("*") if p.is_file() and not p.is_relative_to(table_and_snapshots)]

    holding = [path.name for path in [*places, demo.folder / "report.html"] if b"albatross" in path.read_bytes()]

    assert "albatross" not in printed
    assert "albatross" not in str(report_inside((demo.folder / "report.html").read_text(encoding="utf-8")))
    assert holding == []
    with sqlite3.connect(demo.state / "airflow" / "airflow.db") as database:
        assert database.execute("select count(*) from rendered_task_instance_fields").fetchone()[0] > 10
        assert database.execute("select count(*) from xcom").fetchone()[0] > 10


def test_the_report_says_that_the_stand_in_is_no_model(story: dict[str, Any]) -> None:
    report = (story["demo"].folder / "report.html").read_text(encoding="utf-8")

    assert report_inside(report)["answered_by"] == ["stand-in"]
