"""
One worker of the census, as `classify` runs it, in a process without Airflow: it claims a segment and judges it.

Its last line of output is its tally, or the name of the error that ended it. SIGTERM drains it, as Airflow does.
"""

import argparse
import json
import logging
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from chatcensus.aws.claims import SegmentClaim
from chatcensus.aws.conversation_store import ConversationStore
from chatcensus.aws.deadline import set_deadline
from chatcensus.aws.judges import judges, own_client
from chatcensus.aws.ledger import Ledger
from chatcensus.census import Census
from chatcensus.errors import ChatCensusError
from chatcensus.include import read_yaml
from chatcensus.interval import Window
from chatcensus.job import Job
from chatcensus.mapping import TableMapping
from chatcensus.model_catalog import ModelCatalog
from chatcensus.pacing import Quota
from chatcensus.taxonomy import Taxonomy

INCLUDE = Path(__file__).parents[2] / "include"
MODEL_ID = "stand-in"
LOOK_AGAIN_S = 0.2


def main() -> int:
    options = _options()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(relativeCreated)d %(name)s: %(message)s")
    claim = SegmentClaim(
        _dynamodb(),
        options.control_table,
        options.table,
        "0/1",
        MODEL_ID,
        owner=options.owner,
        attempt=options.attempt,
    )
    try:
        claim.take(lambda _: time.sleep(LOOK_AGAIN_S))
        try:
            census = _census(options, claim)
            signal.signal(signal.SIGTERM, lambda *_: census.stop.set())
            said: dict[str, Any] = census.run().as_dict()
        finally:
            claim.release()
    except ChatCensusError as error:
        said = {"error": type(error).__name__}
    print(json.dumps(said), flush=True)  # noqa: T201  how a worker reports to its test
    return int("error" in said)


def _census(options: argparse.Namespace, claim: SegmentClaim) -> Census:
    mapping = read_yaml(INCLUDE / "table.yaml", TableMapping)
    taxonomy = read_yaml(INCLUDE / "prompts/taxonomy.yaml", Taxonomy)
    model = read_yaml(INCLUDE / "prompts/models.yaml", ModelCatalog).model(MODEL_ID)
    job = Job(
        name="segment 1/1",
        run_id="run-1",
        window=Window(None, datetime.now(UTC) + timedelta(hours=1)),
        mapping=mapping,
        instructions="Judge the conversation.",
        taxonomy=taxonomy,
        model_id=MODEL_ID,
        model=model,
        quota=Quota(options.requests_per_minute, options.tokens_per_minute, model.burndown),
        pseudonym_secret="a secret of the tests",
        in_flight=options.in_flight,
    )
    patience = Config(read_timeout=options.read_timeout)
    models = options.include / "prompts/models.yaml"
    ways = judges(
        *(models, MODEL_ID, taxonomy, job.quota, options.in_flight),
        lambda region, role_arn, config: own_client(region, role_arn, config.merge(patience)),
    )
    for way in ways:
        set_deadline(way.judge.client, "Converse", options.deadline)
    return Census(
        job,
        ConversationStore(_dynamodb(options.in_flight + 4), options.table, mapping),
        ways,
        Ledger(_dynamodb(100), options.control_table, "trial/run-1", 10**9, once=_dynamodb(100, attempts=1)),
        claim,
    )


def _dynamodb(connections: int = 10, attempts: int = 10) -> Any:
    retries: Any = {"mode": "standard", "total_max_attempts": attempts}
    return boto3.client("dynamodb", config=Config(retries=retries, max_pool_connections=connections))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--table", required=True)
    parser.add_argument("--control-table", required=True)
    parser.add_argument("--owner", default="trial/run-1/0")
    parser.add_argument("--attempt", type=int, default=1)
    parser.add_argument("--in-flight", type=int, default=8)
    parser.add_argument("--requests-per-minute", type=float, default=60_000)
    parser.add_argument("--tokens-per-minute", type=float, default=60_000_000)
    parser.add_argument("--read-timeout", type=float, default=60)
    parser.add_argument("--deadline", type=float, default=120)
    parser.add_argument("--include", type=Path, default=INCLUDE)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
