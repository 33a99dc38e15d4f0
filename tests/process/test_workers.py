"""Workers that are killed, frozen, doubled or badly served: what is in the table then, and what was paid for it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from chatcensus.census import RENEW_EVERY_S
from local_aws.bedrock.call_counts import conversation_key

REPOSITORY = Path(__file__).parents[2]
PATIENCE_S = 40
LATENCY_S = 0.15
IN_FLIGHT = 8
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "ap-northeast-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "PYTHONPATH": f"{REPOSITORY / 'plugins'}{os.pathsep}{REPOSITORY}",
    "NO_PROXY": "127.0.0.1",
}


class Server:
    """A local AWS in a process of its own, for all tests of this file."""

    def __init__(self, folder: Path) -> None:
        ready = folder / "ready"
        command = [sys.executable, "-m", "local_aws", "--port", "0", "--data", folder / "data", "--ready-file", ready]
        command += ["--latency", str(LATENCY_S), "--until-stdin-closes"]
        (folder / "faults.json").write_text("{}")
        command += ["--faults", folder / "faults.json"]
        with (folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                list(map(str, command)), cwd=REPOSITORY, env=os.environ | ENVIRONMENT, stdin=subprocess.PIPE, stderr=log
            )
        wait_until(lambda: ready.exists() or self.process.poll() is not None)
        self.url = ready.read_text()
        self.dynamodb = boto3.session.Session("testing", "testing", region_name="ap-northeast-1").client(
            "dynamodb", endpoint_url=self.url, config=Config(proxies={})
        )

    def stop(self) -> None:
        """End it."""
        self.dynamodb.close()
        self.process.terminate()
        self.process.communicate()

    def get(self, name: str) -> Any:
        """Return what `/_local/<name>` says."""
        with urllib.request.urlopen(f"{self.url}/_local/{name}") as reply:
            return json.load(reply)

    def plan(self, *rules: dict[str, Any], **others: Any) -> None:
        """Set the fault plan."""
        body = json.dumps({"rules": rules, **others}).encode()
        request = urllib.request.Request(f"{self.url}/_local/faults", body, method="PUT")
        urllib.request.urlopen(request).close()


@dataclass
class Trial:
    """One segment with conversations of its own, and its workers."""

    server: Server
    name: str
    log: Path
    texts: dict[str, str] = field(default_factory=dict)
    workers: list[subprocess.Popen[str]] = field(default_factory=list)
    faults_before: Counter[str] = field(default_factory=Counter)

    @property
    def table(self) -> str:
        return f"conversations-{self.name}"

    @property
    def control_table(self) -> str:
        return f"control-{self.name}"

    def fill(self, count: int, *texts: str) -> None:
        """Make the tables, with *count* conversations and one more for each of *texts*."""
        for table, keys in ((self.table, ["conversation_id"]), (self.control_table, ["pk", "sk"])):
            self.server.dynamodb.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
                KeySchema=[
                    {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
                ],
            )
        usual = [f"Why does function {number} return None?" for number in range(count)]
        self.texts = {f"c{number}": f"{self.name}: {text}" for number, text in enumerate([*usual, *texts])}
        for name, text in self.texts.items():
            self.server.dynamodb.put_item(TableName=self.table, Item=_item(name, text))
        self.faults_before = Counter(self.server.get("stats")["converse_faults"])

    def start(self, **options: Any) -> subprocess.Popen[str]:
        """Start a worker."""
        command = [sys.executable, str(Path(__file__).with_name("worker.py"))]
        for name, value in {"table": self.table, "control_table": self.control_table, **options}.items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        environment = os.environ | ENVIRONMENT | {"AWS_ENDPOINT_URL": self.server.url}
        with self.log.open("a") as log:
            worker = subprocess.Popen(
                command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self.workers.append(worker)
        return worker

    def run(self, **options: Any) -> dict[str, Any]:
        """Run a worker to its end and return what it said."""
        return ended(self.start(**options))

    def calls(self) -> list[int]:
        """How often each conversation that was asked about was asked about."""
        return [counts["calls"] for counts in self._counts().values()]

    def calls_about(self, text: str) -> int:
        """How often the conversation with *text* was asked about."""
        return self._counts()[f"{self.name}: {text}"]["calls"]

    def paid(self) -> int:
        """How many replies were made, and so are paid for."""
        return sum(counts["paid"] for counts in self._counts().values())

    def faults(self, *kinds: str) -> int:
        """How many calls met one of these faults in this trial."""
        now = self.server.get("stats")["converse_faults"]
        return sum(now.get(kind, 0) - self.faults_before[kind] for kind in kinds)

    def writes(self) -> int:
        """How many evaluations the table has taken."""
        return int(self.server.get("stats")["dynamodb_writes"].get(self.table, 0)) - len(self.texts)

    def evaluations(self) -> dict[str, dict[str, str]]:
        """What the table holds, by the text of the conversation."""
        items = self.server.dynamodb.scan(TableName=self.table, ConsistentRead=True)["Items"]
        return {
            self.texts[item["conversation_id"]["S"]].removeprefix(f"{self.name}: "): {
                name: value.get("S", value.get("N", "")) for name, value in item["evaluation"]["M"].items()
            }
            for item in items
            if "evaluation" in item
        }

    def spent_micro_usd(self) -> int:
        """What the run has spent and holds, by its ledger."""
        key = {"pk": {"S": "run#trial/run-1"}, "sk": {"S": "run"}}
        row = self.server.dynamodb.get_item(TableName=self.control_table, Key=key, ConsistentRead=True)["Item"]
        return int(row["spent_micro_usd"]["N"])

    def _counts(self) -> dict[str, dict[str, int]]:
        keys = {conversation_key([("user", text)]): text for text in self.texts.values()}
        counted = self.server.get("conversations")
        return {text: counted[key] for key, text in keys.items() if key in counted}


def _item(name: str, text: str) -> dict[str, Any]:
    turn = {"M": {"role": {"S": "user"}, "content": {"S": text}}}
    return {"conversation_id": {"S": name}, "created_at": {"S": "2026-10-01T03:04:05Z"}, "turns": {"L": [turn]}}


def wait_until(is_so: Callable[[], bool]) -> None:
    """Look until something another process does has happened."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def ended(worker: subprocess.Popen[str]) -> dict[str, Any]:
    """Return what *worker* said at its end."""
    output, _ = worker.communicate(timeout=PATIENCE_S)
    assert output, "it ended without a word: see its log"
    return dict(json.loads(output.splitlines()[-1]))


def kill(worker: subprocess.Popen[str], sign: signal.Signals = signal.SIGKILL) -> None:
    """Kill *worker* at once."""
    worker.send_signal(sign)
    worker.communicate(timeout=PATIENCE_S)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("aws"))
    yield server
    server.stop()


@pytest.fixture
def trial(server: Server, tmp_path: Path) -> Iterator[Trial]:
    trial = Trial(server, tmp_path.name, tmp_path / "log")
    server.plan()
    yield trial
    for worker in trial.workers:
        with contextlib.suppress(ProcessLookupError):
            worker.send_signal(signal.SIGCONT)
        worker.kill()
        worker.communicate()


# Workers that die or meet.


def test_a_killed_worker_costs_at_most_its_calls_in_flight(trial: Trial) -> None:
    trial.fill(70)
    for attempt in (1, 2):
        worker = trial.start(attempt=attempt)
        wait_until(lambda: trial.writes() >= 20 * attempt)  # noqa: B023  asked within its round
        kill(worker)
    written = trial.writes()
    called = sum(trial.calls())

    worker, started = trial.start(attempt=3), time.monotonic()
    wait_until(lambda: sum(trial.calls()) > called)
    waited_s = time.monotonic() - started
    tally = ended(worker)

    assert tally["outcomes"] == {"already_evaluated": written, "evaluated": 70 - written}
    assert len(trial.evaluations()) == trial.writes() == 70
    assert 70 <= trial.paid() <= 70 + 2 * IN_FLIGHT
    assert max(trial.calls()) <= 3
    assert waited_s < 5


def test_the_ledger_knows_of_all_that_a_killed_worker_spent(trial: Trial) -> None:
    trial.fill(40)
    worker = trial.start()
    wait_until(lambda: trial.writes() >= 15)
    kill(worker)
    spent = trial.spent_micro_usd()
    written = sum(int(evaluation["cost_micro_usd"]) for evaluation in trial.evaluations().values())

    tally = trial.run(attempt=2)

    each = tally["cost_micro_usd"] / tally["calls"]
    assert spent >= written + (trial.paid() - 40) * each  # what was paid and not written is in it too
    assert trial.spent_micro_usd() == spent + tally["cost_micro_usd"]  # and the next try gives back what it did not use


def test_sigterm_drains_and_pays_for_nothing_twice(trial: Trial) -> None:
    trial.fill(60)
    worker = trial.start()
    wait_until(lambda: trial.writes() >= 15)

    worker.terminate()
    stopped = time.monotonic()
    tally = ended(worker)
    took_s = time.monotonic() - stopped

    assert worker.returncode == 0
    assert took_s < 5
    assert trial.paid() == trial.writes() == tally["outcomes"]["evaluated"] < 60
    assert trial.run(attempt=2)["outcomes"]["evaluated"] == 60 - tally["outcomes"]["evaluated"]
    assert trial.paid() == trial.writes() == 60


def test_a_frozen_worker_that_wakes_up_does_no_harm(trial: Trial) -> None:
    trial.fill(50)
    frozen = trial.start()
    wait_until(lambda: trial.writes() >= 10)
    frozen.send_signal(signal.SIGSTOP)
    since = time.monotonic()

    successor = trial.run(attempt=2)
    assert len(trial.evaluations()) == 50
    wait_until(lambda: time.monotonic() - since > RENEW_EVERY_S)
    frozen.send_signal(signal.SIGCONT)
    tally = ended(frozen)

    assert trial.writes() == 50
    assert tally["outcomes"]["evaluated"] + successor["outcomes"]["evaluated"] == 50
    assert trial.paid() <= 50 + IN_FLIGHT  # it looks at its claim before it begins anything
    assert max(trial.calls()) <= 2


def test_two_workers_on_one_segment_take_turns(trial: Trial) -> None:
    trial.fill(40)
    workers = [trial.start(owner=f"trial/run-{number}/0") for number in (1, 2)]

    tallies = [ended(worker) for worker in workers]

    outcomes = sorted((tally["outcomes"] for tally in tallies), key=str)
    assert outcomes == [{"already_evaluated": 40}, {"evaluated": 40}]
    assert trial.writes() == trial.paid() == 40
    assert trial.calls() == [1] * 40


# A model that is busy or breaks.


def test_a_storm_of_429_is_waited_out(trial: Trial) -> None:
    trial.fill(40)
    trial.server.plan({"fault": "throttle", "until": 4})

    tally = trial.run()

    assert tally["outcomes"] == {"evaluated": 40}
    assert tally["throttled"] == trial.faults("throttle") > 0
    assert trial.paid() == trial.writes() == 40


def test_a_quota_is_filled_without_a_refusal(trial: Trial) -> None:
    trial.fill(80)
    trial.server.plan(quota={"requests_per_minute": 1200, "depth_s": 1}, window_s=1)
    refused = trial.server.get("stats")["refused_429"]

    started = time.monotonic()
    tally = trial.run(requests_per_minute=1200)
    took_s = time.monotonic() - started
    stats = trial.server.get("stats")

    assert tally["outcomes"] == {"evaluated": 80}
    assert stats["refused_429"] - refused <= 1
    assert stats["most_requests_in_window"] <= 20 + 6  # a second's worth, and what a late thread catches up
    assert took_s < 80 / 20 + 5


def test_errors_of_the_model_cost_a_repeat_and_never_a_conversation(trial: Trial) -> None:
    trial.fill(100)
    trial.server.plan({"fault": "internal", "share": 0.05}, {"fault": "unavailable", "share": 0.05})

    tally = trial.run()

    assert trial.faults("internal", "unavailable") > 0
    assert tally["possibly_paid"] == trial.faults("internal")
    assert tally["throttled"] == trial.faults("unavailable")
    assert tally["outcomes"]["evaluated"] + tally["outcomes"].get("left_pending", 0) == 100
    assert "quarantined" not in tally["outcomes"]
    trial.server.plan()
    trial.run(attempt=2)
    assert len(trial.evaluations()) == trial.writes() == trial.paid() == 100


@pytest.mark.parametrize("fault", ["reset_after", "reset_within"])
def test_a_lost_reply_is_paid_twice_and_written_once(trial: Trial, fault: str) -> None:
    trial.fill(60)
    trial.server.plan({"fault": fault, "share": 0.1})

    tally = trial.run()
    lost = trial.faults(fault)
    trial.server.plan()
    trial.run(attempt=2)

    assert tally["possibly_paid"] == lost > 0
    assert len(trial.evaluations()) == trial.writes() == 60
    assert trial.paid() == 60 + lost


@pytest.mark.parametrize(
    "fault", ["internal", "unavailable", "not_ready", "model_timeout", "model_error", "reset_before", "reset_after"]
)
def test_one_fault_is_followed_by_one_repeat(trial: Trial, fault: str) -> None:
    trial.fill(3)
    trial.server.plan({"fault": fault, "first": 1})

    tally = trial.run()

    assert tally["outcomes"] == {"evaluated": 3}
    assert sorted(trial.calls()) == [1, 1, 2]


def test_a_reply_that_never_ends_is_ended_by_the_deadline(trial: Trial) -> None:
    slow = ["hang", "late", "drip"]
    trial.fill(20, *slow)
    trial.server.plan(*({"fault": fault, "match": f": {fault}", "first": 1} for fault in slow))

    started = time.monotonic()
    tally = trial.run(read_timeout=2, deadline=3)
    took_s = time.monotonic() - started

    assert tally["outcomes"] == {"evaluated": 23}
    assert [trial.calls_about(fault) for fault in slow] == [2, 2, 2]
    assert tally["possibly_paid"] == 3
    assert trial.writes() == 23
    assert took_s < 15


def test_what_keeps_hanging_is_left_for_the_next_run(trial: Trial) -> None:
    trial.fill(10, "drip")
    trial.server.plan({"fault": "drip", "match": ": drip"})

    tally = trial.run(read_timeout=2, deadline=1.5)

    assert tally["outcomes"] == {"evaluated": 10, "left_pending": 1}
    assert trial.calls_about("drip") == 2
    assert "drip" not in trial.evaluations()


# Answers that are no judgement.

ENDS = {
    "truncated": ("truncated", 2),
    "refused": ("refused", 1),
    "filtered": ("refused", 1),
    "empty": ("refused", 1),
    "broken": ("not_json", 3),
    "prose": ("not_json", 3),
    "several": ("several_objects", 3),
}


def test_an_answer_that_is_none_ends_in_quarantine_with_its_reason(trial: Trial) -> None:
    trial.fill(10, *ENDS)
    trial.server.plan(*({"fault": fault, "match": f": {fault}"} for fault in ENDS))

    tally = trial.run()

    evaluations = trial.evaluations()
    assert tally["outcomes"] == {"evaluated": 10, "quarantined": len(ENDS)}
    assert {fault: (evaluations[fault]["reason"], trial.calls_about(fault)) for fault in ENDS} == ENDS
    assert {fault: int(evaluations[fault]["attempts"]) for fault in ENDS} == {
        fault: calls for fault, (_, calls) in ENDS.items()
    }
    assert trial.paid() == 10 + sum(calls for _, calls in ENDS.values())
    assert trial.run(attempt=2)["calls"] == 0


@pytest.mark.parametrize("fault", ["truncated", "broken", "prose", "several"])
def test_a_broken_answer_is_asked_again(trial: Trial, fault: str) -> None:
    trial.fill(3)
    trial.server.plan({"fault": fault, "first": 1})

    assert trial.run()["outcomes"] == {"evaluated": 3}
    assert trial.paid() == 4


# Nothing can succeed any more.


@pytest.mark.parametrize("fault", ["throttle_day", "quota_exceeded"])
def test_a_quota_that_is_used_up_ends_the_run_cleanly(trial: Trial, fault: str) -> None:
    trial.fill(60)
    trial.server.plan({"fault": fault, "from": 0.0})

    tally = trial.run()

    assert set(tally["outcomes"]) == {"left_pending"}
    assert trial.faults(fault) <= IN_FLIGHT
    assert trial.paid() == trial.writes() == 0
    trial.server.plan()
    assert trial.run(attempt=2)["outcomes"] == {"evaluated": 60}


@pytest.mark.parametrize("fault", ["access_denied", "end_of_life"])
def test_a_model_that_is_taken_away_fails_at_once_and_keeps_what_was_paid(trial: Trial, fault: str) -> None:
    trial.fill(60)
    worker = trial.start()
    wait_until(lambda: trial.writes() >= 15)
    trial.server.plan({"fault": fault})
    taken_away = time.monotonic()

    said = ended(worker)

    assert said == {"error": "SetupError"}
    assert time.monotonic() - taken_away < 5
    assert trial.faults(fault) <= IN_FLIGHT
    assert {evaluation["outcome"] for evaluation in trial.evaluations().values()} == {"evaluated"}
    assert trial.paid() == trial.writes() < 60
    trial.server.plan()
    trial.run(attempt=2)
    assert trial.paid() == trial.writes() == 60


# Several routes.


@pytest.fixture
def routes(tmp_path: Path) -> Callable[..., Path]:
    """An include folder with routes to *regions*, each with a quota of requests: `routes(tokyo=…)`."""

    def written(**regions: float) -> Path:
        (tmp_path / "prompts").symlink_to(REPOSITORY / "include/prompts")
        named = [
            {
                "name": region,
                "region": region.replace("_", "-"),
                "model_id": "stand-in",
                "requests_per_minute": rate,
                "tokens_per_minute": 60_000_000,
            }
            for region, rate in regions.items()
        ]
        (tmp_path / "routes.yaml").write_text(json.dumps({"residency": "jp", "routes": named}))
        return tmp_path

    return written


def test_two_regions_are_filled_and_neither_is_passed(trial: Trial, routes: Callable[..., Path]) -> None:
    trial.fill(90)
    before = trial.server.get("stats")["converse_by_place"]
    quota = {"depth_s": 6}
    trial.server.plan(
        quotas={
            "ap-northeast-1": {"requests_per_minute": 1200, **quota},
            "ap-northeast-3": {"requests_per_minute": 600, **quota},
        }
    )

    tally = trial.run(include=routes(ap_northeast_1=1200, ap_northeast_3=600))

    places = trial.server.get("stats")["converse_by_place"]
    calls = {place: counts["calls"] - before.get(place, {"calls": 0})["calls"] for place, counts in places.items()}
    assert tally["outcomes"] == {"evaluated": 90}
    assert (tally["throttled"], tally["calls"], trial.paid(), trial.writes()) == (0, 90, 90, 90)
    assert calls["ap-northeast-1"] + calls["ap-northeast-3"] == 90
    assert calls["ap-northeast-3"] >= 20


def test_a_region_that_takes_no_call_any_more_is_left_and_nothing_is_lost(
    trial: Trial, routes: Callable[..., Path]
) -> None:
    trial.fill(60)
    worker = trial.start(include=routes(ap_northeast_1=6000, ap_northeast_3=6000))
    wait_until(lambda: trial.writes() >= 15)
    trial.server.plan({"fault": "access_denied", "place": "ap-northeast-3"})

    said = ended(worker)

    assert said["outcomes"] == {"evaluated": 60}
    assert 1 <= trial.faults("access_denied") <= IN_FLIGHT
    assert trial.paid() == trial.writes() == 60
    log = trial.log.read_text()
    assert log.count("route ap_northeast_3 is out for this task, the others go on") == 1


def test_what_leaves_the_residency_is_never_called(trial: Trial, routes: Callable[..., Path]) -> None:
    trial.fill(5)

    said = trial.run(include=routes(ap_northeast_1=6000, us_east_1=6000))

    assert said == {"error": "SetupError"}
    assert trial.calls() == []
