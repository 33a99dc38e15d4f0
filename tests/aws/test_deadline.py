"""A reply that drips in ends at its deadline; any other arrives as it was sent."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from chatcensus.aws.deadline import set_deadline

REPLY = json.dumps({"output": {"message": {"role": "assistant", "content": [{"text": "あ" * 50_000}]}}}).encode()


@pytest.fixture
def answer():
    """Start a server that answers with *parts*, waiting *pause_s* between them; give a client with a deadline."""
    over, servers = threading.Event(), []

    def start(parts: list[bytes], pause_s: float, deadline_s: float) -> Any:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(REPLY)))
                self.end_headers()
                for part in parts:
                    self.wfile.write(part)
                    self.wfile.flush()
                    if over.wait(pause_s):
                        return

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        client = boto3.session.Session("local", "local", region_name="ap-northeast-1").client(
            "bedrock-runtime",
            endpoint_url=f"http://127.0.0.1:{server.server_port}",
            config=Config(retries={"mode": "standard", "total_max_attempts": 1}, read_timeout=5, proxies={}),
        )
        return set_deadline(client, "Converse", deadline_s)

    yield start
    over.set()
    for server in servers:
        server.shutdown()
        server.server_close()


def _ask(client: Any) -> Any:
    return client.converse(modelId="m", messages=[{"role": "user", "content": [{"text": "x"}]}])


def test_a_reply_in_time_arrives_whole_however_it_is_cut(answer):
    client = answer([REPLY[:7], REPLY[7:70_000], REPLY[70_000:]], 0.01, 5)

    texts = {_ask(client)["output"]["message"]["content"][0]["text"] for _ in range(2)}

    assert texts == {"あ" * 50_000}


def test_a_drip_ends_at_the_deadline(answer):
    client = answer([REPLY[index : index + 1] for index in range(1_000)], 0.05, 0.2)

    with pytest.raises(ReadTimeoutError):
        _ask(client)


def test_a_reply_that_breaks_off_is_a_closed_connection(answer):
    with pytest.raises(ConnectionClosedError):
        _ask(answer([REPLY[:100]], 0, 5))
