"""
What all contenders share: the command line, the conversations, the check of an answer, and one line per outcome.

Nothing here needs more than the standard library: it runs in the environment of every contender.
"""

import argparse
import json
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.clients import scaled_time

CPU, MONOTONIC = time.process_time, time.monotonic  # before time is scaled


class Exchange:
    """The files of one contender's run."""

    def __init__(self, add_options: Callable[[argparse.ArgumentParser], None] | None = None) -> None:
        parser = argparse.ArgumentParser()
        parser.add_argument("--url", required=True)
        parser.add_argument("--records", type=Path, required=True)
        parser.add_argument("--out", type=Path, required=True)
        parser.add_argument("--scale", type=float, default=1)
        parser.add_argument("--limit", type=int, default=0, help="only so many of the records")
        parser.add_argument("--workers", type=int, default=100)
        parser.add_argument("--retries", choices=["standard", "adaptive"], default="standard")
        if add_options:
            add_options(parser)
        self.options = parser.parse_args()
        scaled_time.install(self.options.scale)
        self.url, self.workers = self.options.url, self.options.workers
        self.request: dict[str, Any] = json.loads((self.options.records.parent / "request.json").read_text())
        self._lock = threading.Lock()
        self._out = self.options.out.open("w")

    @property
    def attempts(self) -> int:
        """How often botocore may send a request: the default of standard, and what makes adaptive lossless."""
        return 10 if self.options.retries == "adaptive" else 3

    @property
    def reasks(self) -> int:
        """How often a broken answer is asked again: the tuned variants do, as often as our engine."""
        return 2 if self.options.retries == "adaptive" else 0

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield the conversations, one line at a time."""
        with self.options.records.open() as file:
            for number, line in enumerate(file):
                if self.options.limit and number >= self.options.limit:
                    return
                yield json.loads(line)

    def converse_request(self, message: str) -> dict[str, Any]:
        """Return the arguments of boto3's `converse` for one conversation."""
        return {
            "modelId": self.request["model_id"],
            "system": [{"text": self.request["instructions"]}],
            "messages": [{"role": "user", "content": [{"text": message}]}],
            "inferenceConfig": {"maxTokens": self.request["max_tokens"]},
            "toolConfig": self.request["tool_config"],
        }

    def is_valid(self, answer: object) -> bool:
        """Return whether *answer* is a judgement: one of the categories, and a score from 1 to 5."""
        return (
            isinstance(answer, dict)
            and answer.get("category") in self.request["categories"]
            and answer.get("inquiry_score") in range(1, 6)
        )

    def outcome(self, record_id: str, outcome: str, error: str = "") -> None:
        """Write the outcome of one conversation: `valid`, `invalid` or `error`."""
        line = json.dumps({"id": record_id, "outcome": outcome} | ({"error": error} if error else {}))
        with self._lock:
            self._out.write(line + "\n")

    def judged(self, record_id: str, answer: object) -> None:
        """Write the outcome of an answer."""
        self.outcome(record_id, "valid" if self.is_valid(answer) else "invalid")

    def ready(self) -> None:
        """Say that everything is imported and built: what is measured begins now."""
        self._say("ready")

    def done(self) -> None:
        """Say that every conversation has an outcome."""
        self._out.close()
        self._say("done")

    def _say(self, event: str) -> None:
        line = {"event": event, "at": MONOTONIC(), "cpu_s": CPU(), "peak_mb": _peak_mb()}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def tool_input(response: dict[str, Any]) -> object:
    """Return the input of the tool that a Converse response calls, or None."""
    blocks = response["output"]["message"]["content"]
    return next((block["toolUse"]["input"] for block in blocks if "toolUse" in block), None)
