"""A call that does not end by itself ends at its deadline; any other reply arrives as it was sent."""

import datetime
import ipaddress
import json
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chatcensus.aws.deadline import set_deadline

TEXT = "あ" * 50_000
BODY = json.dumps({"output": {"message": {"role": "assistant", "content": [{"text": TEXT}]}}}).encode()
STATUS = b"HTTP/1.1 200 OK\r\n"
HEAD = STATUS + b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(BODY)
WHOLE = HEAD + b"\r\n" + BODY
PRIVATE = "秘密の相談"
READ_TIMEOUT_S = 5
MUCH_LATER_S = 4  # after a deadline of 0.2 s, on a busy machine, and before the read timeout

# The model id of a call names its reply: what is sent, one part after the other, and the pause after each part.
REPLIES: dict[str, tuple[list[bytes], float]] = {
    "whole": ([WHOLE], 0),
    "cut": ([WHOLE[:7], WHOLE[7:70], WHOLE[70:70_000], WHOLE[70_000:]], 0.01),
    "slow": ([WHOLE[:70_000], WHOLE[70_000:]], 0.3),
    "breaks_off": ([WHOLE[:1_000]], 0),
    "silence": ([b""], 60),
    "status_line_drips": ([b"H", b"T", b"T", b"P", b"/", *[b"1"] * 100], 0.05),
    "headers_drip": ([STATUS + b"X-Slow: ", *[b"x"] * 100], 0.05),
    "header_lines_drip": ([STATUS, *[b"X-Slow: x\r\n"] * 100], 0.05),
    "body_drips": ([HEAD + b"\r\n", *[BODY[index : index + 1] for index in range(100)]], 0.05),
    "one_byte_and_silence": ([HEAD + b"\r\n" + BODY[:1]], 60),
    "chunks_drip": ([STATUS + b"Transfer-Encoding: chunked\r\n\r\n", *[b"1\r\n \r\n"] * 100], 0.05),
}
ENDLESS = [name for name in REPLIES if "drip" in name or "silence" in name]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    over: threading.Event

    def do_POST(self) -> None:
        name = self.path.split("/")[2]
        if name == "unread":
            self.over.wait()
            return
        self.rfile.read(int(self.headers["Content-Length"]))
        parts, pause_s = REPLIES[name]
        self.close_connection = name == "breaks_off"
        for part in parts:
            self.wfile.write(part)
            if self.over.wait(pause_s):
                return

    def log_message(self, *_: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 64  # with the default of 5, one of many connections waits a second for its turn

    def handle_error(self, *_: Any) -> None:  # a client that gives up is what these tests are about
        pass


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Make a certificate of 127.0.0.1, which also vouches for itself, with its key in the same file."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    today = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, today, today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(certificate.public_bytes(encoding) + private)
    return str(path)


@pytest.fixture(params=["http", "https"])
def client(request, certificate):
    """Start a server that answers as the model id says; give a client without a deadline."""
    over = threading.Event()
    server = Server(("127.0.0.1", 0), type("Handler", (Handler,), {"over": over}))
    if request.param == "https":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    client = boto3.session.Session("local", "local", region_name="ap-northeast-1").client(
        "bedrock-runtime",
        endpoint_url=f"{request.param}://127.0.0.1:{server.server_port}",
        verify=certificate,
        config=Config(
            retries={"mode": "standard", "total_max_attempts": 1},
            read_timeout=READ_TIMEOUT_S,
            max_pool_connections=40,
            proxies={},
        ),
    )
    yield client
    client.close()
    over.set()
    server.shutdown()
    server.server_close()


def _ask(client: Any, reply: str, text: str = PRIVATE) -> str:
    answer = client.converse(modelId=reply, messages=[{"role": "user", "content": [{"text": text}]}])
    return str(answer["output"]["message"]["content"][0]["text"])


def test_a_reply_in_time_arrives_whole_however_it_is_cut(client):
    set_deadline(client, "Converse", 5)

    texts = {_ask(client, reply) for reply in ("cut", "whole", "cut")}

    assert texts == {TEXT}


@pytest.mark.parametrize("reply", ENDLESS)
def test_a_reply_that_never_ends_is_given_up_at_the_deadline(client, reply):
    set_deadline(client, "Converse", 0.2)

    started = time.monotonic()
    with pytest.raises(ReadTimeoutError) as error:
        _ask(client, reply)
    took_s = time.monotonic() - started

    assert 0.2 <= took_s < MUCH_LATER_S
    assert PRIVATE not in repr(error.value)


def test_a_request_that_nobody_reads_is_given_up_at_the_deadline(client):
    set_deadline(client, "Converse", 0.2)

    started = time.monotonic()
    with pytest.raises(ConnectionClosedError) as error:
        _ask(client, "unread", PRIVATE * 600_000)
    took_s = time.monotonic() - started

    assert 0.2 <= took_s < MUCH_LATER_S
    assert PRIVATE not in repr(error.value)


def test_a_call_whose_connection_took_all_its_time_is_given_up(client):
    set_deadline(client, "Converse", 0)

    with pytest.raises(ConnectionClosedError):
        _ask(client, "whole")


def test_a_reply_that_breaks_off_is_a_closed_connection(client):
    set_deadline(client, "Converse", 5)

    with pytest.raises(ConnectionClosedError):
        _ask(client, "breaks_off")


@pytest.mark.parametrize("reply", ["headers_drip", "body_drips"])
def test_the_call_after_a_deadline_gets_its_own_reply_whole(client, reply):
    set_deadline(client, "Converse", 1.5)

    with pytest.raises(ReadTimeoutError):
        _ask(client, reply)

    assert [_ask(client, "whole") for _ in range(3)] == [TEXT] * 3


def test_a_call_that_drips_costs_the_others_nothing(client):
    set_deadline(client, "Converse", 4)

    with ThreadPoolExecutor(33) as threads:
        drip = threads.submit(_ask, client, "headers_drip")
        texts = list(threads.map(_ask, [client] * 32, ["whole"] * 32))

    assert texts == [TEXT] * 32
    assert isinstance(drip.exception(), ReadTimeoutError)


def test_connections_made_before_the_deadline_was_set_have_it_too(client):
    before = _ask(client, "whole")
    set_deadline(client, "Converse", 0.2)

    started = time.monotonic()
    with pytest.raises(ReadTimeoutError):
        _ask(client, "body_drips")
    took_s = time.monotonic() - started

    assert before == TEXT
    assert took_s < MUCH_LATER_S


def test_the_deadline_of_one_operation_is_none_of_another(client):
    set_deadline(client, "InvokeModel", 0.1)
    client.invoke_model(modelId="whole", body=b"{}")["body"].read()

    assert _ask(client, "slow") == TEXT
