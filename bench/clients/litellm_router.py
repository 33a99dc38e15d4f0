"""
LiteLLM's router as it comes (simple-shuffle) with the quota as its rpm and tpm, its exponential back-off, and re-asks.

Its two ways to enforce rpm count calendar minutes and wait 60 s when one is full: about half of the rate was used.
Its max_parallel_requests refuses and does not wait, so a semaphore bounds the calls. All of it runs on one event loop,
which is why its time may not run faster.
"""

from bench.clients.exchange import Exchange

exchange = Exchange(
    lambda parser: (
        parser.add_argument("--requests-per-minute", type=float, default=1000),
        parser.add_argument("--tokens-per-minute", type=float, default=2_000_000),
    )
)

import asyncio  # noqa: E402  after time is scaled
import json  # noqa: E402
import logging  # noqa: E402
from typing import Any  # noqa: E402

import litellm  # noqa: E402
import litellm.responses.mcp.chat_completions_handler  # noqa: E402  the first call would import it
from litellm import Router  # noqa: E402

litellm.suppress_debug_info = True
for name in ("LiteLLM", "LiteLLM Router"):
    logging.getLogger(name).setLevel(logging.CRITICAL)
spec = exchange.request["tool_config"]["tools"][0]["toolSpec"]
tool = {
    "type": "function",
    "function": {
        "name": spec["name"],
        "description": spec["description"],
        "parameters": spec["inputSchema"]["json"],
    },
}
router = Router(
    model_list=[
        {
            "model_name": "judge",
            "litellm_params": {
                "model": f"bedrock/converse/{exchange.request['model_id']}",
                "aws_bedrock_runtime_endpoint": exchange.url,
                "rpm": int(exchange.options.requests_per_minute * exchange.options.scale),
                "tpm": int(exchange.options.tokens_per_minute * exchange.options.scale),
            },
        }
    ],
    num_retries=20,  # with 10 and 100 workers, 5 of 3,000 were refused to the end
    retry_after=1,  # with 3, a quarter of the requests was refused and not two fifths, but the run was longer
    disable_cooldowns=True,  # there is no other deployment to go to
)


async def judge(record: dict[str, Any], slots: asyncio.Semaphore) -> None:
    """Ask about one conversation."""
    messages = [
        {"role": "system", "content": exchange.request["instructions"]},
        {"role": "user", "content": record["message"]},
    ]
    choice = {"type": "function", "function": {"name": spec["name"]}}
    async with slots:
        try:
            for _ in range(1 + exchange.reasks):
                response = await router.acompletion(
                    model="judge", messages=messages, max_tokens=exchange.request["max_tokens"], tools=[tool],
                    tool_choice=choice,
                )  # fmt: skip
                calls = response.choices[0].message.tool_calls
                answer = json.loads(calls[0].function.arguments) if calls else None
                if exchange.is_valid(answer):
                    break
        except Exception as error:  # noqa: BLE001  counted as what it is: lost
            exchange.outcome(record["id"], "error", type(error).__name__)
        else:
            exchange.judged(record["id"], answer)


async def main() -> None:
    """Ask about all, so many at a time."""
    slots = asyncio.Semaphore(exchange.workers)
    await asyncio.gather(*(judge(record, slots) for record in exchange.records()))


exchange.ready()
asyncio.run(main())
exchange.done()
