"""
A deadline for a whole call: botocore's read timeout begins anew with every byte, so a slow drip never trips it.
"""

import io
import math
import socket
import time
from contextvars import ContextVar
from http.client import HTTPResponse
from typing import Any

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)

# A call stays on one thread from its start to its last byte, and urllib3 hands no value of ours to a connection.
_deadline: ContextVar[float] = ContextVar("deadline", default=math.inf)


def set_deadline(client: Any, operation: str, deadline_s: float) -> Any:
    """
    Make *client* give up a call of *operation* (such as `Converse`) that is not over *deadline_s* after it began.

    Units: the time begins before connecting; the name's look-up (until the resolver gives up), the connection and the
    TLS handshake (each until botocore's connect timeout) count, but are not interrupted.
    Errors, then raised by the client: ReadTimeoutError, as for a reply that never began; ConnectionClosedError, as
    botocore names a timeout in sending, if the request was not yet sent whole.
    Source: `botocore/awsrequest.py` and `httpsession.py` 1.43, `urllib3/connection.py` 2.7.
    """

    def start(event_name: str, **_: object) -> None:
        _deadline.set(time.monotonic() + deadline_s if event_name.endswith(f".{operation}") else math.inf)

    # botocore 1.43 has no public way to its connections.
    session = client._endpoint.http_session  # noqa: SLF001
    session._pool_classes_by_scheme.update(http=_Pool, https=_SecurePool)  # noqa: SLF001
    session.close()  # pools that exist already would go on without a deadline
    client.meta.events.register(f"before-send.{client.meta.service_model.service_name}", start)
    return client


def _shorten_timeout(sock: socket.socket, deadline: float) -> None:
    """Let the next wait on *sock* end at *deadline*; urllib3 sets the timeout back when a connection is used again."""
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("the deadline of the call is over")
    if left_s < (sock.gettimeout() or math.inf):
        sock.settimeout(left_s)


class _Received(io.RawIOBase):
    """The bytes that *sock* receives until the deadline."""

    def __init__(self, sock: socket.socket, received: io.RawIOBase) -> None:
        self.sock, self.received, self.deadline = sock, received, _deadline.get()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        _shorten_timeout(self.sock, self.deadline)
        return self.received.readinto(buffer)

    def close(self) -> None:
        self.received.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Received(sock, self.fp.detach()))


class _UntilDeadline:
    response_class = _Response
    sock: socket.socket | None

    def send(self, data: bytes) -> None:
        if self.sock:
            _shorten_timeout(self.sock, _deadline.get())
        super().send(data)  # type: ignore[misc] # of the connection that it is mixed into


class _Connection(_UntilDeadline, AWSHTTPConnection):  # type: ignore[misc] # as botocore mixes its own
    pass


class _SecureConnection(_UntilDeadline, AWSHTTPSConnection):  # type: ignore[misc] # as botocore mixes its own
    pass


class _Pool(AWSHTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(AWSHTTPSConnectionPool):
    ConnectionCls = _SecureConnection
