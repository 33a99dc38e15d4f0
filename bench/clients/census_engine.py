"""Our engine, as the classify task builds it, over conversations in a file; claims and ledger in a control table."""

from bench.clients.exchange import Exchange

exchange = Exchange(
    lambda parser: (
        parser.add_argument("--requests-per-minute", type=float, default=1000),
        parser.add_argument("--tokens-per-minute", type=float, default=2_000_000),
        parser.add_argument("--control-table", required=True, help="endpoint of a DynamoDB with chatcensus-control"),
        parser.add_argument("--segment", default="0/1"),
    )
)

import time  # noqa: E402  after time is scaled
from collections import Counter  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import boto3  # noqa: E402
from botocore.config import Config  # noqa: E402

from bench.control_table import CONTROL_TABLE  # noqa: E402
from chatcensus.answer import Judgement  # noqa: E402
from chatcensus.aws.bedrock import CALL_DEADLINE_S, BedrockJudge, client_config  # noqa: E402
from chatcensus.aws.claims import SegmentClaim  # noqa: E402
from chatcensus.aws.deadline import set_deadline  # noqa: E402
from chatcensus.aws.ledger import Ledger  # noqa: E402
from chatcensus.census import Census  # noqa: E402
from chatcensus.evaluation import Evaluation  # noqa: E402
from chatcensus.include import read_yaml  # noqa: E402
from chatcensus.interval import Window  # noqa: E402
from chatcensus.job import Job  # noqa: E402
from chatcensus.mapping import Stored, TableMapping  # noqa: E402
from chatcensus.model_catalog import ModelCatalog  # noqa: E402
from chatcensus.pacing import Quota  # noqa: E402
from chatcensus.tally import Outcome  # noqa: E402
from chatcensus.taxonomy import Taxonomy  # noqa: E402

INCLUDE = Path(__file__).parents[2] / "include"


class FileStore:
    """The conversations of the file, one line in memory at a time; an evaluation becomes the line of an outcome."""

    def __init__(self) -> None:
        self.skipped = Counter[str]()

    def read(self) -> Iterator[Stored]:
        """Yield each conversation as an item of the table."""
        for record in exchange.records():
            yield Stored({"conversation_id": record["id"], "turns": record["turns"]}, has_room=True)

    def write(self, stored: Stored, evaluation: Evaluation) -> Outcome:
        """Write the outcome."""
        is_valid = isinstance(evaluation.verdict, Judgement)
        exchange.outcome(stored.item["conversation_id"], "valid" if is_valid else "invalid")
        return Outcome.EVALUATED

    def release(self, stored: Stored) -> None:
        """Do nothing: a file has no index."""


def dynamodb(**config: Any) -> Any:
    """Return a client of the DynamoDB that holds the control table."""
    return boto3.client("dynamodb", endpoint_url=exchange.options.control_table, config=Config(**config))


def build_claim() -> SegmentClaim:
    """Return the claim of this task on its segment, which it has."""
    claim = SegmentClaim(
        dynamodb(),
        CONTROL_TABLE,
        "bench",
        exchange.options.segment,
        exchange.request["model_id"],
        owner=f"bench/{exchange.options.segment}",
        attempt=1,
    )
    claim.take(time.sleep)
    return claim


def build_census(claim: SegmentClaim) -> Census:
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
    judge = BedrockJudge(set_deadline(client, "Converse", CALL_DEADLINE_S), model_id, model, taxonomy)
    once = dynamodb(retries={"total_max_attempts": 1}, max_pool_connections=100)
    ledger = Ledger(dynamodb(max_pool_connections=100), CONTROL_TABLE, "bench", max_micro_usd=10**12, once=once)
    return Census(job, FileStore(), judge, ledger, claim)


claim = build_claim()
census = build_census(claim)
exchange.ready()
tally = census.run()
claim.release()
exchange.done()
