"""langchain-aws: structured output and `batch`, as its documentation shows; botocore's retries by `--retries`."""

from bench.clients.exchange import Exchange

exchange = Exchange()

from typing import Any  # noqa: E402  after time is scaled

from botocore.config import Config  # noqa: E402
from langchain_aws import ChatBedrockConverse  # noqa: E402

spec = exchange.request["tool_config"]["tools"][0]["toolSpec"]
schema = {"title": spec["name"], "description": spec["description"], **spec["inputSchema"]["json"]}
retries: Any = {"mode": exchange.options.retries, "total_max_attempts": exchange.attempts}
chat = ChatBedrockConverse(
    model=exchange.request["model_id"],
    base_model=exchange.request["model_id"].removeprefix("jp."),
    provider="anthropic",
    supports_tool_choice_values=("auto", "any", "tool"),
    endpoint_url=exchange.url,
    max_tokens=exchange.request["max_tokens"],
    config=Config(retries=retries, max_pool_connections=exchange.workers),
).with_structured_output(schema)

records = list(exchange.records())
prompts = [[("system", exchange.request["instructions"]), ("user", record["message"])] for record in records]
exchange.ready()
answers = chat.batch(prompts, config={"max_concurrency": exchange.workers}, return_exceptions=True)
for record, answer in zip(records, answers, strict=True):
    if isinstance(answer, Exception):
        exchange.outcome(record["id"], "error", type(answer).__name__)
    else:
        exchange.judged(record["id"], answer)
exchange.done()
