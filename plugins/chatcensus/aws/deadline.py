"""
A deadline for a whole reply: botocore's read timeout begins anew with every byte, so a slow drip never trips it.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from botocore.httpsession import ProtocolError, URLLib3ReadTimeoutError  # type: ignore[attr-defined] # as it names them

_PART_BYTES = 65_536


@dataclass(frozen=True)
class _Read:
    """A body that has been read, where botocore expects one that streams."""

    body: bytes

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self.body


def set_deadline(client: Any, operation: str, deadline_s: float) -> Any:
    """
    Make *client* give up a reply of *operation* (such as `Converse`) that is not complete *deadline_s* after sending.

    Errors, then raised by the client: ReadTimeoutError, as for a reply that never began.
    """

    def send(request: AWSPreparedRequest, **_: object) -> AWSResponse:
        deadline, body = time.monotonic() + deadline_s, bytearray()
        request.stream_output = True
        response = client._endpoint.http_session.send(request)  # noqa: SLF001 - there is no public way to its pool
        try:
            while part := response.raw.read1(_PART_BYTES):
                body += part
                if time.monotonic() > deadline:
                    response.raw.close()
                    raise ReadTimeoutError(endpoint_url=request.url)
        except URLLib3ReadTimeoutError:
            raise ReadTimeoutError(endpoint_url=request.url) from None
        except ProtocolError:
            raise ConnectionClosedError(endpoint_url=request.url) from None
        response.raw.release_conn()
        return AWSResponse(request.url, response.status_code, response.headers, _Read(bytes(body)))

    service = client.meta.service_model.service_name
    client.meta.events.register(f"before-send.{service}.{operation}", send)
    return client
