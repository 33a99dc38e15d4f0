"""instructor over boto3 under a thread pool: its validation and re-asks, botocore's retries by `--retries`."""

from bench.clients.exchange import Exchange

exchange = Exchange()

from concurrent.futures import ThreadPoolExecutor  # noqa: E402  after time is scaled
from typing import Any, Literal  # noqa: E402

import boto3  # noqa: E402
import instructor  # noqa: E402
from botocore.config import Config  # noqa: E402
from pydantic import BaseModel, Field  # noqa: E402

Category: Any = Literal[tuple(exchange.request["categories"])]


class record_evaluation(BaseModel):  # noqa: N801  the tool's name
    """Record the category and the inquiry score of the conversation."""

    category: Category
    inquiry_score: int = Field(ge=1, le=5)


retries: Any = {"mode": exchange.options.retries, "total_max_attempts": exchange.attempts}
config = Config(retries=retries, max_pool_connections=exchange.workers)
bedrock = boto3.client("bedrock-runtime", endpoint_url=exchange.url, config=config)
client = instructor.from_bedrock(bedrock, mode=instructor.Mode.BEDROCK_TOOLS)


def judge(record: dict[str, Any]) -> None:
    """Ask about one conversation."""
    request = exchange.converse_request(record["message"])
    del request["toolConfig"]
    try:
        answer = client.create(response_model=record_evaluation, max_retries=exchange.reasks, **request)
    except Exception as error:  # noqa: BLE001  counted as what it is: lost
        exchange.outcome(record["id"], "error", type(error).__name__)
    else:
        exchange.judged(record["id"], {"category": answer.category, "inquiry_score": answer.inquiry_score})


exchange.ready()
with ThreadPoolExecutor(exchange.workers) as pool:
    for _ in pool.map(judge, exchange.records()):
        pass
exchange.done()
