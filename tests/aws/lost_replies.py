"""A line to the local AWS on which replies get lost: the request arrives and is done, its answer never comes back."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config


@contextmanager
def losing_the_first_reply(endpoint_url: str, service: str, action: str, max_attempts: int = 10) -> Iterator[Any]:
    """Yield a client of *service* whose first reply to *action* is lost; the SDK repeats requests, as ours do."""
    lost: list[str] = []
    target = urlsplit(endpoint_url).netloc

    class Line(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            connection = http.client.HTTPConnection(target)
            connection.request("POST", self.path, body, dict(self.headers))
            reply = connection.getresponse()
            answer = reply.read()
            connection.close()
            if not lost and self.headers["X-Amz-Target"].endswith(f".{action}"):
                lost.append(action)
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in reply.getheaders():
                if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    line = ThreadingHTTPServer(("127.0.0.1", 0), Line)
    line.daemon_threads = True
    thread = Thread(target=line.serve_forever, args=(0.02,))
    thread.start()
    client = boto3.session.Session("testing", "testing", region_name="ap-northeast-1").client(
        service,
        endpoint_url=f"http://127.0.0.1:{line.server_port}",
        config=Config(retries={"mode": "standard", "total_max_attempts": max_attempts}, proxies={}),
    )
    try:
        yield client
        assert lost == [action]
    finally:
        client.close()
        line.shutdown()
        thread.join()
        line.server_close()
