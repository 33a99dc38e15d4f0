"""Calls of Converse come and go over one connection; everything else is werkzeug's, one connection a request."""

import http.client
import socket
import threading
import time

import pytest

from local_aws.http_server import HttpServer
from local_aws.wsgi import Request, Response

CALL = b"POST /model/m%3A0/converse HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


class App:
    """Says how each request came."""

    def answer(self, request):
        return Response.of_json({"line": request.path, "body": request.body.decode()})

    def __call__(self, environ, start_response):
        request = Request.read(environ)
        reply = Response.of_json({"wsgi": request.path, "body": request.body.decode()})
        start_response(reply.status, reply.headers)
        return reply.chunks()


@pytest.fixture
def server():
    server = HttpServer("127.0.0.1", 0, App())
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def line(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    yield connection
    connection.close()


def ask(line, method="POST", path="/model/m%3A0/converse", body=b"{}", **options):
    line.request(method, path, body, **options)
    reply = line.getresponse()
    return reply.read().decode(), reply.getheader("Connection")


def test_calls_follow_each_other_over_one_connection(line):
    first = ask(line)
    port = line.sock.getsockname()[1]
    second = ask(line, body=b'"' + b"x" * 100_000 + b'"')

    assert first == ('{"line": "/model/m%3A0/converse", "body": "{}"}', None)
    assert len(second[0]) > 100_000
    assert line.sock.getsockname()[1] == port


@pytest.mark.parametrize(
    "options",
    [
        {"path": "/model/m/count-tokens"},
        {"method": "PUT"},
        {"headers": {"Connection": "close"}},
        {"headers": {"Transfer-Encoding": "chunked"}, "body": iter([b"{", b"}"]), "encode_chunked": True},
    ],
    ids=["another path", "another method", "a client that leaves", "chunks"],
)
def test_what_is_no_plain_call_goes_through_wsgi(line, options):
    answer, connection = ask(line, **options)

    assert answer.startswith('{"wsgi": ')
    assert answer.endswith('"body": "{}"}')
    assert connection == "close"


def test_a_call_in_pieces_is_answered(server):
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=20) as line:
        for piece in (CALL[:30], CALL[30:-1], CALL[-1:]):
            line.sendall(piece)
            time.sleep(0.02)
        reply = line.makefile("rb").readline()

    assert reply.startswith(b"HTTP/1.1 200")


def test_a_call_that_breaks_off_is_not_answered(server):
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=20) as line:
        line.sendall(CALL[:-1])
        line.shutdown(socket.SHUT_WR)

        assert line.recv(100) == b""


def test_a_closed_server_takes_no_further_call_over_an_open_connection(server, line):
    ask(line)
    server.shutdown()
    server.server_close()

    with pytest.raises((ConnectionError, http.client.HTTPException)):
        ask(line)


@pytest.mark.parametrize(
    "head", [b"Content-Length: 9\r\n", b"Content-Length: x\r\n", b"Transfer-Encoding: chunked\r\n"]
)
def test_a_body_that_is_not_whole_is_not_answered(server, head):
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=20) as line:
        line.sendall(b"PUT /x HTTP/1.1\r\nHost: x\r\n" + head + b"\r\nzz\r\n")
        line.shutdown(socket.SHUT_WR)

        assert line.recv(100) == b""


def test_a_port_that_is_taken_is_said_so(server, capsys):
    with pytest.raises(SystemExit):
        HttpServer("127.0.0.1", server.server_port, App())

    assert f"Port {server.server_port} is in use" in capsys.readouterr().err
