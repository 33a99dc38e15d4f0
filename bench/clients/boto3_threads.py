"""boto3 under a thread pool: `--retries standard` as it comes, `--retries adaptive` with 10 attempts and re-asks."""

from bench.clients.exchange import Exchange, tool_input

exchange = Exchange()

from concurrent.futures import ThreadPoolExecutor  # noqa: E402  after time is scaled
from typing import Any  # noqa: E402

import boto3  # noqa: E402
from botocore.config import Config  # noqa: E402

retries = {"mode": exchange.options.retries, "total_max_attempts": exchange.attempts}
config = Config(retries=retries, max_pool_connections=exchange.workers)
client = boto3.client("bedrock-runtime", endpoint_url=exchange.url, config=config)


def judge(record: dict[str, Any]) -> None:
    """Ask about one conversation, again while the answer is broken."""
    answer: object = None
    try:
        for _ in range(1 + exchange.reasks):
            answer = tool_input(client.converse(**exchange.converse_request(record["message"])))
            if exchange.is_valid(answer):
                break
    except Exception as error:  # noqa: BLE001  counted as what it is: lost
        exchange.outcome(record["id"], "error", type(error).__name__)
    else:
        exchange.judged(record["id"], answer)


exchange.ready()
with ThreadPoolExecutor(exchange.workers) as pool:
    for _ in pool.map(judge, exchange.records()):
        pass
exchange.done()
