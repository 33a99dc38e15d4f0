"""The Lambda that came before: boto3 in a loop, one call at a time, nothing asked again."""

from bench.clients.exchange import Exchange, tool_input

exchange = Exchange()

import boto3  # noqa: E402  after time is scaled

client = boto3.client("bedrock-runtime", endpoint_url=exchange.url)
exchange.ready()
for record in exchange.records():
    try:
        response = client.converse(**exchange.converse_request(record["message"]))
    except Exception as error:  # noqa: BLE001  counted as what it is: lost
        exchange.outcome(record["id"], "error", type(error).__name__)
    else:
        exchange.judged(record["id"], tool_input(response))
exchange.done()
