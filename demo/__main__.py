"""
`make demo`: the whole census on this machine, without an AWS account.

It starts the local AWS, creates the stack that a user would deploy, loads conversations, runs the DAG `chat_census` in
a real Airflow, and prints what came out. The state stays in `.local/demo`: a second run finds everything judged.
"""

import argparse
import hashlib
import locale
import os
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from demo.airflow_home import REPOSITORY, VARIABLES, airflow_environment, process_environment
from demo.load import (
    Conversation,
    Loaded,
    UnreadableFile,
    load_conversations,
    read_conversations,
    release_claims,
    shipped,
)
from demo.local_aws_process import local_aws
from demo.outcome import TEXTS, print_outcome, read_outcome, save_report
from demo.progress import AirflowStopped, Step, local_airflow
from demo.up import NotStarted, free_port, only_one

STATE = REPOSITORY / ".local" / "demo"
DAG_ID = "chat_census"
NO_QUOTA = {"requests_per_minute": 1e6, "tokens_per_minute": 1e9}  # the stand-in has none


def main() -> int:
    """Run the demo; 0 when the census is complete and its numbers agree."""
    options = _arguments()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a terminal without these letters gets question marks, not an end
    say = _speaker(options.language)
    started = time.monotonic()
    say("title")
    try:
        loaded = read_conversations(options.data) if options.data else Loaded(shipped())
        _report_bad_lines(loaded, say)
        state = options.state / _state_name(options.data)
        state.mkdir(parents=True, exist_ok=True)
        with only_one(state):
            return _census(options, state, loaded.conversations, say, started)
    except (UnreadableFile, NotStarted, AirflowStopped, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 130


def _census(
    options: argparse.Namespace,
    state: Path,
    conversations: list[Conversation],
    say: Callable[..., None],
    started: float,
) -> int:
    endpoint_url = f"http://127.0.0.1:{free_port()}"
    run_id = f"demo__{datetime.now(UTC).strftime('%Y-%m-%dT%H-%M-%S')}"
    log = state / "airflow.log"
    # Where nobody is named, no group has enough people: hiding small ones would leave nothing to look at.
    hiding = {} if any(conversation.user for conversation in conversations) else {"chatcensus_min_users": "0"}
    environment = airflow_environment(state / "airflow", endpoint_url, VARIABLES | hiding)
    # This process uses the SDK too: a proxy, a profile or a role of the person's shell must not reach it.
    inherited = process_environment(environment)
    os.environ.clear()
    os.environ.update(inherited)
    with local_aws(environment, state, options.latency) as aws, local_airflow(environment, log) as airflow:
        threading.Thread(target=lambda: (aws.wait(), airflow.kill()), daemon=True).start()
        say("aws")
        new = load_conversations(endpoint_url, conversations)
        say("loaded", total=len(conversations), new=new)
        if hiding:
            say("no_users")
        say("airflow")
        release_claims(endpoint_url)  # of a demo that was killed: no other can be running on this state
        try:
            run_state = airflow.run_dag(DAG_ID, NO_QUOTA, run_id, _print_step)
        except AirflowStopped:
            if aws.poll() is not None:
                raise NotStarted(
                    f"The local AWS ended in the middle of the run; its log is {state / 'aws.log'}"
                ) from None
            raise
        if run_state != "success":
            say("failed", state=run_state, log=log)
            return 1
        outcome = read_outcome(endpoint_url, run_id)
        print_outcome(outcome, options.language)
        save_report(endpoint_url, options.report)
    say("done", report=options.report, seconds=time.monotonic() - started)
    return 0 if outcome.is_equal else 1


def _print_step(step: Step) -> None:
    if step.state == "progress":
        if step.task_id == "classify":
            print(f"      {step.note}", flush=True)
    elif step.state != "started":
        name = f"{step.task_id} {step.label}".strip()
        print(f"  {name:<42} {step.state:<12} {step.seconds:5.1f} s  {step.note}".rstrip(), flush=True)


def _report_bad_lines(loaded: Loaded, say: Callable[..., None]) -> None:
    for number, problem in loaded.bad_lines[:20]:
        say("bad_line", number=number, problem=problem)
    if loaded.bad_lines:
        count = len(loaded.bad_lines)
        say("bad_lines", count=count, total=count + len(loaded.conversations))


def _state_name(data: Path | None) -> str:
    """Return the name of the folder that keeps the state of one data file: another file, another table."""
    return f"{data.stem}-{hashlib.sha256(os.fsencode(data)).hexdigest()[:8]}" if data else "shipped"


def _speaker(language: str) -> Callable[..., None]:
    def say(key: str, **values: object) -> None:
        print(TEXTS[language][key].format(**values), flush=True)

    return say


def _arguments() -> argparse.Namespace:
    spoken = (locale.getlocale()[0] or "en").lower()
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--data", type=Path, help="conversations of your own, see docs/conversations-file.md")
    parser.add_argument("--latency", type=float, default=0.3, help="median seconds that the stand-in takes for a call")
    parser.add_argument("--language", choices=sorted(TEXTS), default="ja" if spoken.startswith("ja") else "en")
    parser.add_argument("--report", type=Path, default=REPOSITORY / "report.html", help="where the report is written")
    parser.add_argument("--state", type=Path, default=STATE, help="folder that keeps the local AWS and Airflow")
    options = parser.parse_args()
    options.data = options.data and options.data.resolve()
    options.state, options.report = options.state.resolve(), options.report.resolve()
    if not options.report.parent.is_dir():
        parser.error(f"there is no folder {options.report.parent} for the report")
    return options


if __name__ == "__main__":
    sys.exit(main())
