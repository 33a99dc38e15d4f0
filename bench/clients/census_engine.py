"""
Our engine, as the classify task builds it, over conversations in a file and a ledger in memory.

`--claims URL` shares the quota through the control table there, as mapped tasks do; without it the whole quota is ours.
"""

from bench.clients.exchange import Exchange

exchange = Exchange(
    lambda parser: (
        parser.add_argument("--requests-per-minute", type=float, default=1000),
        parser.add_argument("--tokens-per-minute", type=float, default=2_000_000),
        parser.add_argument("--claims", help="endpoint of a DynamoDB with the table chatcensus-control"),
        parser.add_argument("--segment", default="0/1"),
    )
)

import threading  # noqa: E402  after time is scaled
import time  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import boto3  # noqa: E402

from chatcensus.answer import Judgement, Reason  # noqa: E402
from chatcensus.aws.bedrock import BedrockJudge, client_config  # noqa: E402
from chatcensus.aws.claims import SegmentClaim  # noqa: E402
from chatcensus.census import Census, Job  # noqa: E402
from chatcensus.evaluation import Evaluation  # noqa: E402
from chatcensus.include import read_yaml  # noqa: E402
from chatcensus.interval import Window  # noqa: E402
from chatcensus.mapping import Stored, TableMapping  # noqa: E402
from chatcensus.model_catalog import ModelCatalog  # noqa: E402
from chatcensus.pacing import Quota  # noqa: E402
from chatcensus.tally import Outcome  # noqa: E402
from chatcensus.taxonomy import Taxonomy  # noqa: E402

INCLUDE = Path(__file__).parents[2] / "include"


class FileStore:
    """The conversations of the file, one line in memory at a time; an evaluation becomes the line of an outcome."""

    def read(self) -> Iterator[Stored]:
        """Yield each conversation as an item of the table."""
        for record in exchange.records():
            yield Stored({"conversation_id": record["id"], "turns": record["turns"]}, has_room=True)

    def write(self, stored: Stored, evaluation: Evaluation) -> Outcome:
        """Write the outcome."""
        is_valid = isinstance(evaluation.verdict, Judgement)
        exchange.outcome(stored.item["conversation_id"], "valid" if is_valid else "invalid")
        return Outcome.EVALUATED


class MemoryLedger:
    """The spend of the run, without a limit."""

    def __init__(self) -> None:
        self._spent, self._lock = 0, threading.Lock()

    def reserve(self, micro_usd: int) -> bool:
        """Count a reservation."""
        with self._lock:
            self._spent += micro_usd
        return True

    def settle(self, reserved_micro_usd: int, paid_micro_usd: int) -> None:
        """Put what was paid in its place."""
        with self._lock:
            self._spent += paid_micro_usd - reserved_micro_usd

    def quarantine(self, conversation_id: str, reason: Reason) -> bool:
        """Not needed: every item of the file has room."""
        raise NotImplementedError(f"{conversation_id} has room, and was quarantined as {reason}")


class WholeClaim:
    """The whole quota, for as long as it takes."""

    lease_s = 1e9

    def renew(self) -> float:
        """Return all of it."""
        return 1.0

    def release(self) -> None:
        """Nothing to give back."""


def build_claim() -> WholeClaim | SegmentClaim:
    """Return the claim: of one task among several, or of the only one."""
    if not exchange.options.claims:
        return WholeClaim()
    claim = SegmentClaim(
        boto3.client("dynamodb", endpoint_url=exchange.options.claims),
        "chatcensus-control",
        "bench",
        exchange.options.segment,
        exchange.request["model_id"],
        owner=f"bench/{exchange.options.segment}",
        attempt=1,
    )
    claim.take(time.sleep)
    return claim


def build_census(claim: Any) -> Census:
    """Return the engine; the one place to change when its constructor does."""
    taxonomy = read_yaml(INCLUDE / "prompts/taxonomy.yaml", Taxonomy)
    model_id = exchange.request["model_id"]
    model = read_yaml(INCLUDE / "prompts/models.yaml", ModelCatalog).model(model_id)
    job = Job(
        name=f"segment {exchange.options.segment}",
        run_id="bench",
        window=Window(None, None),
        mapping=read_yaml(INCLUDE / "table.yaml", TableMapping),
        instructions=exchange.request["instructions"],
        taxonomy=taxonomy,
        model_id=model_id,
        model=model,
        quota=Quota(exchange.options.requests_per_minute, exchange.options.tokens_per_minute, model.burndown),
        pseudonym_secret="a secret of the bench",  # noqa: S106  there are no users in the file
        in_flight=exchange.workers,
    )
    client = boto3.client("bedrock-runtime", endpoint_url=exchange.url, config=client_config(exchange.workers))
    judge = BedrockJudge(client, model_id, model, taxonomy)
    return Census(job, FileStore(), judge, MemoryLedger(), claim)


claim = build_claim()
census = build_census(claim)
exchange.ready()
tally = census.run()
claim.release()
exchange.done()
