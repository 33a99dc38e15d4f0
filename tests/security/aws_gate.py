"""A door between the web server and the local AWS: it can be shut, and then AWS is slow, away, or answers an error."""

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

# A real error of AWS quotes what was asked and by whom; none of that may reach a reader or the log.
CANARY = "arn:aws:sts::123456789012:assumed-role/canary-of-the-message"
_ERROR = f"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>{CANARY} is not authorized</Message></Error>"


class AwsGate(ThreadingHTTPServer):
    """
    `.url` in the place of *endpoint_url*; `.seen` is `"GET /bucket/key 200"` of each request, oldest first.

    `.hold()` lets requests wait, `.held` are those that do; `.refuse()` ends each connection without a word; `.deny()`
    answers AccessDenied; `.pass_on()` lets all through again and forgets what it has seen.
    """

    daemon_threads = True

    def __init__(self, endpoint_url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.behind = urlsplit(endpoint_url).netloc
        self.opened = threading.Event()
        self.pass_on()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def pass_on(self) -> None:
        self.seen: list[str] = []
        self.held: list[str] = []
        self.mode = "pass_on"
        self.opened.set()

    def hold(self) -> None:
        self.opened.clear()
        self.mode = "hold"

    def refuse(self) -> None:
        self.mode = "refuse"

    def deny(self) -> None:
        self.mode = "deny"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: AwsGate

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.server.mode == "refuse":
            self.close_connection = True
            return
        if self.server.mode == "deny":
            self._answer(403, {"Content-Type": "application/xml"}, _ERROR.encode())
            return
        if self.server.mode == "hold":
            self.server.held.append(self.path)
            self.server.opened.wait(30)
        behind = http.client.HTTPConnection(self.server.behind, timeout=30)
        behind.request(self.command, self.path, body, dict(self.headers))
        answer = behind.getresponse()
        content = answer.read()
        behind.close()
        self.server.seen.append(f"{self.command} {self.path} {answer.status}")
        self._answer(answer.status, dict(answer.getheaders()), content)

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_HEAD = _pass  # noqa: N815 - the names that http.server looks for

    def log_message(self, *_: object) -> None:
        """Say nothing: a test's output is its own."""
