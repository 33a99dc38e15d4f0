"""Measure one contender: a fresh stand-in, the client as a child with a wall limit, and what both of them counted."""

import json
import math
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench import records, table
from bench.cases import UNLIMITED, Case
from bench.contenders import ENGINE, Contender
from bench.environments import LOCAL, ROOT, python
from bench.stand_in import Behaviour

# A contender may take so many times what the quota makes necessary, and so many seconds more, before it is ended.
PATIENCE, GRACE_S = 4, 60


@dataclass(frozen=True)
class End:
    """What one process said of itself. Units: *ready_at* and *done_at* in seconds of the machine's monotonic clock."""

    ready_at: float
    done_at: float
    cpu_s: float
    peak_mb: float
    grown_mb: float
    is_complete: bool


def measure(contender: Contender, case: Case, count: int, scale: float, seed: int) -> table.Row:
    """Run one contender on *count* conversations (or on its slice of them) and return its row."""
    scale = min(scale, contender.max_scale, case.max_scale)
    given = min(count, contender.slice_of or count)
    behaviour = replace(case.behaviour, scale=scale, seed=seed, records=given)
    slow_s = given * behaviour.latency_s * 1.5 if contender.slice_of else 0  # one call at a time, no quota in its way
    wall_limit_s = PATIENCE * max(slow_s, limit_s(behaviour, given)) / scale + GRACE_S + given / 100
    LOCAL.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        paths = _split(Path(stack.enter_context(TemporaryDirectory(dir=LOCAL))), given, case)
        url = stack.enter_context(stand_in(behaviour))
        command = [str(python(contender.environment)), "-m", f"bench.clients.{contender.module}"]
        command += ["--url", url, "--scale", str(scale), *contender.arguments]
        if contender.knows_quota:
            command += [f"--requests-per-minute={behaviour.requests_per_minute}"]
            command += [f"--tokens-per-minute={behaviour.tokens_per_minute}"]
        commands = [[*command, "--records", str(path), "--out", str(_outcomes(path))] for path in paths]
        if contender is ENGINE:
            shared = ["--control-table", stack.enter_context(control_table())]
            commands = [
                [*command, *shared, "--segment", f"{index}/{len(paths)}"] for index, command in enumerate(commands)
            ]
        ends = _run_all(commands, wall_limit_s)
        with urllib.request.urlopen(f"{url}/stats") as answer:
            stats = json.load(answer)
        row = _row(contender, behaviour, given, count, stats, ends, _valid(paths))
        sys.stderr.write(f"{table.line(row)}\n")  # a whole table takes many minutes
        return row


def limit_s(behaviour: Behaviour, count: int, tokens_each: float = 1000) -> float:
    """
    Return the quota seconds that the scarcer of both quotas makes a faultless run last; 0 where there is no quota.

    Shape: *tokens_each* is what one conversation takes of the quota of tokens.
    """
    if behaviour.requests_per_minute >= UNLIMITED:
        return 0
    left, depth_s, latency_s = 1 - behaviour.taken, behaviour.depth_s, behaviour.latency_s
    return max(
        table.limit_s(count, behaviour.requests_per_minute * left, depth_s, 1, latency_s),
        table.limit_s(count, behaviour.tokens_per_minute * left, depth_s, tokens_each, latency_s),
    )


@contextmanager
def stand_in(behaviour: Behaviour) -> Iterator[str]:
    """Run a stand-in as a process of its own and give its URL."""
    options = [f"--{name.replace('_', '-')}={value}" for name, value in vars(behaviour).items()]
    with _program([sys.executable, "-m", "bench.stand_in", *options]) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def control_table() -> Iterator[str]:
    """Run a DynamoDB in memory with the control table, through which the tasks of the engine share quota and budget."""
    with _program([sys.executable, "-m", "bench.control_table"]) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _program(command: Sequence[str]) -> Iterator[str]:
    """Run a server, and give the first line that it prints: its port."""
    with subprocess.Popen(
        command, cwd=ROOT, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield process.stdout.readline().strip() if process.stdout else ""
        finally:
            process.terminate()


def _environment() -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(LOCAL / "home"),  # no configuration of the user's decides a row
        "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_DEFAULT_REGION": "ap-northeast-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # it would be fetched from the Internet
        "NO_PROXY": "127.0.0.1",
        "BENCH_EPOCH": str(time.time()),
    }


def _split(folder: Path, count: int, case: Case) -> list[Path]:
    """Write the conversations, one file for each segment of the case, and return the files."""
    whole = records.write(folder, count, case.conversation_tokens)
    if len(case.segments) == 1:
        return [whole]
    paths, ends = [], [round(count * sum(case.segments[: index + 1])) for index in range(len(case.segments))]
    with whole.open() as lines:
        for index, size in enumerate(end - begin for begin, end in zip([0, *ends], ends, strict=False)):
            path = folder / str(index) / whole.name
            path.parent.mkdir(exist_ok=True)
            path.with_name("request.json").write_text((folder / "request.json").read_text())
            with path.open("w") as file:
                file.writelines(next(lines) for _ in range(size))
            paths.append(path)
    return paths


def _outcomes(records_path: Path) -> Path:
    return records_path.with_name("outcomes.jsonl")


def _valid(paths: Sequence[Path]) -> int:
    """Return how many conversations have a valid outcome, by the contender's own word."""
    valid = set()
    for path in paths:
        with _outcomes(path).open() as lines:
            outcomes = [json.loads(line) for line in lines if line.endswith("\n")]
        valid |= {outcome["id"] for outcome in outcomes if outcome["outcome"] == "valid"}
    return len(valid)


def _run_all(commands: Sequence[Sequence[str]], wall_limit_s: float) -> list[End]:
    """Run *commands* at the same time, end those that take longer than *wall_limit_s*, and return how each ended."""
    deadline, environment = time.monotonic() + wall_limit_s, _environment()
    processes = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for command in commands
    ]
    return [_end(process, max(0.1, deadline - time.monotonic())) for process in processes]


def _end(process: "subprocess.Popen[str]", patience_s: float) -> End:
    try:
        out, errors = process.communicate(timeout=patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        out, errors = process.communicate()
    lines = [json.loads(line) for line in out.splitlines() if line.startswith('{"event"')]
    events: dict[str, Any] = {line["event"]: line for line in lines}
    if "ready" not in events:
        raise SystemExit(f"a contender did not start: {errors[-3000:]}")
    ready, done = events["ready"], events.get("done")
    if done is None:
        sys.stderr.write(errors[-3000:])
        return End(ready["at"], time.monotonic(), math.nan, math.nan, math.nan, is_complete=False)
    cpu_s, grown_mb = done["cpu_s"] - ready["cpu_s"], done["peak_mb"] - ready["peak_mb"]
    return End(ready["at"], done["at"], cpu_s, done["peak_mb"], grown_mb, is_complete=True)


def _row(
    contender: Contender,
    behaviour: Behaviour,
    given: int,
    count: int,
    stats: dict[str, Any],
    ends: Sequence[End],
    valid: int,
) -> table.Row:
    """Put together what the stand-in counted and what the contender says of itself."""
    notes = [] if all(end.is_complete for end in ends) else ["did not end by itself"]
    if given < count:
        notes.append(f"{given} conversations, time extrapolated to {count:,}")
    seconds = max(end.done_at for end in ends) - min(end.ready_at for end in ends)
    answered = stats["valid"] + stats["broken"]
    return table.Row(
        name=contender.name,
        records=given,
        seconds=seconds * behaviour.scale * count / given,
        limit_s=limit_s(behaviour, count, stats["quota_tokens"] / max(1, answered)),
        requests=stats["requests"],
        refused=stats["refused"],
        valid=valid,
        cpu_s=sum(end.cpu_s for end in ends),
        peak_mb=sum(end.peak_mb for end in ends),
        grown_mb=sum(end.grown_mb for end in ends),
        tokens_paid=stats["tokens_paid"],
        share_used=stats["share_used"],
        most_requests_a_minute=stats["most_requests_a_minute"],
        most_tokens_a_minute=stats["most_tokens_a_minute"],
        scale=behaviour.scale,
        note="; ".join(notes),
    )
