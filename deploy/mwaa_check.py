"""
`make mwaa-check`: would this work on MWAA? The package in a fresh environment as MWAA makes it, against a local AWS.

Each lane is a version of Airflow in `deploy/lanes/`. Its environment is kept in `.local/mwaa/<lane>`, so that a second
check is fast. Two things differ from MWAA: the path of constraints.txt, and that one process runs the tasks.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from demo.airflow_home import REPOSITORY, VARIABLES, airflow_environment
from demo.generator import generate
from demo.load import Conversation, client, load_conversations
from demo.local_aws_process import local_aws
from demo.up import NotStarted, free_port, only_one
from deploy.mwaa_environment import NotInstalled, environment_of, lanes
from deploy.mwaa_home import IMAGE, Step, run_steps, settings, unpack
from deploy.package import BadPackage, write_package
from deploy.sources import SourcesUnclear

STATE = REPOSITORY / ".local" / "mwaa"
REFERENCE = "3.3.1"  # the version that requirements.txt pins
CONVERSATIONS = 12


def main() -> int:
    """Check one lane and report each step; 0 when all of them ended well."""
    parser = argparse.ArgumentParser(prog="make mwaa-check", description=__doc__)
    parser.add_argument("--lane", choices=lanes(), default=REFERENCE, help="version of Airflow")
    lane = parser.parse_args().lane
    state = STATE / lane
    state.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    try:
        with only_one(state):
            return _report(lane, _check(lane, state), started)
    except (NotInstalled, BadPackage, SourcesUnclear, NotStarted) as error:
        print(error, file=sys.stderr)
        return 1


def _report(lane: str, steps: Iterator[Step], started: float) -> int:
    print(f"MWAA with Airflow {lane}:", flush=True)
    is_good = False
    for step in steps:
        is_good = step.is_good
        print(f"  {step.name:<18} {step.seconds:5.1f} s  {'' if is_good else 'FAILED: '}{step.note}", flush=True)
    verdict = "works" if is_good else f"does not work; the log is {STATE / lane / 'airflow/check.log'}"
    print(f"Airflow {lane}: the package {verdict} ({time.monotonic() - started:.0f} s).", flush=True)
    return 0 if is_good else 1


def _check(lane: str, state: Path) -> Iterator[Step]:
    package, home = state / "package", state / "airflow"
    clock = time.monotonic()
    manifest = write_package(REPOSITORY, package)
    unpack(package, home)
    yield Step("package", time.monotonic() - clock, is_good=True, note=f"release {manifest['release']}")

    clock = time.monotonic()
    requirements = home / "requirements.txt" if lane == REFERENCE else None
    python, note = environment_of(lane, state, requirements, home / "dags/constraints.txt")
    yield Step("environment", time.monotonic() - clock, is_good=True, note=note)
    dag_ids = sorted(path.stem for path in (home / "dags").glob("*.py"))
    yield from check_home(python, home, state, IMAGE, dag_ids)


def check_home(python: Path, home: Path, state: Path, image: dict[str, str], dag_ids: list[str]) -> Iterator[Step]:
    """Run DAGs of what was unpacked to *home* with *python*, on conversations in a local AWS that lives in *state*."""
    shutil.rmtree(state / "aws", ignore_errors=True)
    endpoint_url = f"http://127.0.0.1:{free_port()}"
    environment = airflow_environment(state / "local-aws", endpoint_url, VARIABLES)
    with local_aws(environment, state, latency_s=0) as aws, closing(aws.stdin):
        drawn = (Conversation.model_validate(line, strict=False) for line in generate(CONVERSATIONS, 1))
        load_conversations(endpoint_url, drawn)
        is_good = False
        for step in run_steps(python, home, settings(home, endpoint_url) | image, dag_ids):
            is_good = step.is_good
            yield step
        if is_good:
            yield _published(endpoint_url)


def _published(endpoint_url: str) -> Step:
    """Look whether the run has judged every conversation, and shown what it counted."""
    items = client("dynamodb", endpoint_url).scan(TableName=VARIABLES["chatcensus_table"])["Items"]
    judged = sum("evaluation" in item for item in items)
    s3, bucket = client("s3", endpoint_url), VARIABLES["chatcensus_result_bucket"]
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket, Prefix="current.json").get("Contents", [])]
    edition = json.loads(s3.get_object(Bucket=bucket, Key=keys[0])["Body"].read())["edition"] if keys else "none"
    is_good = judged == len(items) == CONVERSATIONS and bool(keys)
    return Step("result", 0, is_good, f"{judged} of {CONVERSATIONS} conversations judged, published edition {edition}")


if __name__ == "__main__":
    sys.exit(main())
