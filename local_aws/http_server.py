"""
The HTTP server: werkzeug's, but for Converse, which is read off the connection and answered over it without WSGI.

A census makes thousands of calls a minute and nothing else in such numbers: what werkzeug does for each request, and
a connection and a thread for each of them, would cost more than the stand-in's whole answer.
"""

import contextlib
import logging
import re
import socket
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import ThreadedWSGIServer

from local_aws.wsgi import ConnectionDropped, Request, Response

log = logging.getLogger(__name__)

_CALL = re.compile(rb"POST (/model/[^ /]+/converse) HTTP/1\.1\r\n")
_LENGTH = re.compile(rb"(?i)\r\ncontent-length:[ \t]*(\d{1,8})(?:\r\n|$)")
_SIGNED = re.compile(rb"(?i)\r\nauthorization:[ \t]*([^\r]+)")
_UNUSUAL = re.compile(rb"(?i)\r\n(?:expect|transfer-encoding|connection):")  # werkzeug knows what to do with these


class _Handler(MotoRequestHandler):
    """Answer without a line of log a request, and without waiting 40 ms to fill a packet."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        """Answer one call of Converse and wait for the next, or let werkzeug answer and close the connection."""
        call = self._call()
        if self.server.is_closed:
            self.close_connection = True
            return
        if call is None:
            super().handle_one_request()
            return
        self.close_connection = False
        self._send(self.server.app.answer(call))

    def _call(self) -> Request | None:
        """Return the call that has arrived; None, with nothing read, where it is anything but a plain Converse."""
        head, end, _ = self.rfile.peek().partition(b"\r\n\r\n")
        call, length = _CALL.match(head), _LENGTH.search(head)
        if not (end and call and length) or _UNUSUAL.search(head):
            return None
        self.rfile.read(len(head) + len(end))
        body = self.rfile.read(int(length[1]))
        if len(body) < int(length[1]):
            raise ConnectionDropped
        environ = {"REQUEST_METHOD": "POST", "PATH_INFO": call[1].decode("latin-1")}
        if signed := _SIGNED.search(head):
            environ["HTTP_AUTHORIZATION"] = signed[1].decode("latin-1")
        return Request(environ, body)

    def _send(self, reply: Response) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in reply.headers)
        head = f"HTTP/1.1 {reply.status}\r\n{lines}\r\n".encode("latin-1")
        for chunk in reply.chunks():
            self.connection.sendall(head + chunk)
            head = b""

    def connection_dropped(self, error: BaseException, environ: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Close a connection that is gone, or that shall look so: nothing more can come over it."""
        self.close_connection = True

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  werkzeug's name
        log.debug(f"%s {message}", type, *args)  # noqa: G004  werkzeug's format string


class HttpServer(ThreadedWSGIServer):
    """
    A thread for each connection. *app* answers over WSGI, and a call of Converse by `app.answer(request)`.

    Once closed it takes no further call over the connections that clients keep; what is under way is answered.
    """

    def __init__(self, host: str, port: int, app: Any) -> None:
        self._connections: set[socket.socket] = set()
        self.is_closed = False
        super().__init__(host, port, app, _Handler)  # closes itself where the port is taken

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Close the port and wake the threads that wait for another call."""
        self.is_closed = True
        super().server_close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
