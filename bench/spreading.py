"""
How near a run comes to two quotas together: `python -m bench.spreading` (four minutes, in real time).

The local AWS in a process of its own lets 1,000 requests a minute into one Region and 500 into another. A child process
judges generated conversations with the real engine: routes, claims and ledger, and the prompt of the census.
"""

import argparse
import json
import os
import resource
import shlex
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import ProxyHandler, build_opener

import boto3
import yaml

from bench.control_table import CONTROL_TABLE
from chatcensus.aws.claims import SegmentClaim
from chatcensus.aws.judges import judges
from chatcensus.aws.ledger import Ledger
from chatcensus.census import Census
from chatcensus.clock import Clock
from chatcensus.evaluation import Evaluation
from chatcensus.include import read_yaml
from chatcensus.instructions import rendered_instructions
from chatcensus.interval import Window
from chatcensus.job import Job
from chatcensus.mapping import Stored, TableMapping
from chatcensus.model_catalog import ModelCatalog
from chatcensus.pacing import Quota
from chatcensus.tally import Outcome
from chatcensus.taxonomy import Taxonomy

ROOT = Path(__file__).parents[1]
MODEL = "stand-in"
RATES = {"ap-northeast-1": 1000, "ap-northeast-3": 500}
TOKENS_PER_MINUTE = 100_000_000
DEPTH_S = 6.0  # of the bucket: what a quota lets in at once
IN_FLIGHT = 128


class Conversations:
    """Conversations without a table; an evaluation is counted."""

    def __init__(self, count: int) -> None:
        self.count, self.skipped, self.outcomes = count, Counter[str](), Counter[str]()

    def read(self) -> Iterator[Stored]:
        """Yield each conversation as an item of the table."""
        for number in range(self.count):
            turns = [{"role": "user", "content": f"Why does function {number} return None? " * 4}]
            yield Stored({"conversation_id": f"c{number}", "turns": turns}, has_room=True)

    def write(self, _stored: Stored, evaluation: Evaluation) -> Outcome:
        """Count it."""
        self.outcomes[evaluation.attribute()["outcome"]] += 1
        return Outcome.EVALUATED

    def release(self, stored: Stored) -> None:
        """Do nothing: there is no index."""


def run(include: Path, count: int) -> dict[str, Any]:
    """Judge *count* conversations and return what that took; the child's work."""
    taxonomy = read_yaml(include / "prompts/taxonomy.yaml", Taxonomy)
    model = read_yaml(include / "prompts/models.yaml", ModelCatalog).model(MODEL)
    job = Job(
        name="segment 1/1",
        run_id="bench",
        window=Window(None, datetime.now(UTC)),
        mapping=read_yaml(ROOT / "include/table.yaml", TableMapping),
        instructions=rendered_instructions(include, taxonomy),
        taxonomy=taxonomy,
        model_id=MODEL,
        model=model,
        quota=Quota(1, 1),  # nobody's: the routes have theirs
        pseudonym_secret="a secret of the bench",  # noqa: S106  there are no users
        in_flight=IN_FLIGHT,
    )
    dynamodb = boto3.client("dynamodb")
    claim = SegmentClaim(dynamodb, CONTROL_TABLE, "bench", "0/1", MODEL, owner="bench", attempt=1)
    claim.take(time.sleep)
    ways = judges(include / "prompts/models.yaml", MODEL, taxonomy, job.quota, IN_FLIGHT)
    ledger = Ledger(boto3.client("dynamodb"), CONTROL_TABLE, "bench", max_micro_usd=10**12)
    census = Census(job, Conversations(count), ways, ledger, claim, Clock())
    before_mb, began = _peak_mb(), time.monotonic()
    tally = census.run()
    seconds = time.monotonic() - began
    claim.release()
    cpu_s = sum(os.times()[:2])
    return {
        "seconds": seconds,
        "cpu_s": cpu_s,
        "peak_mb": _peak_mb(),
        "grown_mb": _peak_mb() - before_mb,
        **tally.as_dict(),
    }


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(count: int, latency_s: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run server and child; return what the child says of itself, and what the server has counted by place."""
    with TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "prompts").symlink_to(ROOT / "include/prompts")
        routes = [
            {
                "name": region,
                "region": region,
                "model_id": MODEL,
                "requests_per_minute": rate,
                "tokens_per_minute": TOKENS_PER_MINUTE,
            }
            for region, rate in RATES.items()
        ]
        (place / "routes.yaml").write_text(yaml.safe_dump({"residency": "jp", "routes": routes}))
        quotas = {region: {"requests_per_minute": rate, "depth_s": DEPTH_S} for region, rate in RATES.items()}
        (place / "faults.json").write_text(json.dumps({"quotas": quotas}))
        ready = place / "ready"
        command = ["-m", "local_aws", "--port=0", f"--latency={latency_s}", "--until-stdin-closes"]
        command += [f"--faults={place / 'faults.json'}", f"--ready-file={ready}"]
        with subprocess.Popen([sys.executable, *command], cwd=ROOT, stdin=subprocess.PIPE) as server:
            try:
                while not ready.exists() and server.poll() is None:
                    time.sleep(0.05)
                url = ready.read_text()
                _make_control_table(url)
                child = [sys.executable, "-m", "bench.spreading", "--include", folder, "--count", str(count)]
                said = subprocess.run(child, cwd=ROOT, env=_environment(url), stdout=subprocess.PIPE, check=True)
                with build_opener(ProxyHandler({})).open(f"{url}/_local/stats") as answer:
                    return json.loads(said.stdout), json.load(answer)["converse_by_place"]
            finally:
                server.terminate()


def _environment(url: str) -> dict[str, str]:
    return os.environ | {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_DEFAULT_REGION": "ap-northeast-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}",
    }


def _make_control_table(url: str) -> None:
    names = {"pk": "HASH", "sk": "RANGE"}
    session = boto3.session.Session("bench", "bench", region_name="ap-northeast-1")
    session.client("dynamodb", endpoint_url=url).create_table(
        TableName=CONTROL_TABLE,
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in names.items()],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        BillingMode="PAY_PER_REQUEST",
    )


def main() -> None:
    """Read the command line, measure, print; with --include, be the child."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().split("\n")[0])
    parser.add_argument("--count", type=int, default=6000, help="how many conversations")
    parser.add_argument("--latency", type=float, default=1.5, help="median seconds of a call")
    parser.add_argument("--include", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.include:
        sys.stdout.write(json.dumps(run(options.include, options.count)))
        return
    said, places = measure(options.count, options.latency)
    limit_s = options.count / sum(RATES.values()) * 60
    command = shlex.join(["python", "-m", "bench.spreading", *sys.argv[1:]])
    sys.stdout.write(
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, `{command}`\n"
        f"{options.count:,} conversations over {' + '.join(f'{rate:,}' for rate in RATES.values())} requests a minute: "
        f"{said['seconds']:.1f} s, {said['seconds'] / limit_s:.4f} times the combined limit of {limit_s:.0f} s\n"
        f"{said['outcomes']}, {said['throttled']} refused, {said['calls']} calls, {said['cpu_s']:.1f} s of CPU, "
        f"{said['peak_mb']:.0f} MB at most, {said['grown_mb']:.0f} MB above the start\n"
        f"{said['cache_read_tokens'] / max(1, said['input_tokens']):.0%} of the input read from the cache, "
        f"{said['saved_micro_usd'] / 1e6:.4f} USD of {(said['saved_micro_usd'] + said['cost_micro_usd']) / 1e6:.4f} "
        f"saved\nby place: {places}\n"
    )


if __name__ == "__main__":
    main()
