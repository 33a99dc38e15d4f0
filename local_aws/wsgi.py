"""One HTTP request and one reply as plain values, so that they can be stored, repeated and dispatched."""

import json
import re
import time
from dataclasses import dataclass, replace
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import ClientDisconnected
from werkzeug.wsgi import get_input_stream

from local_aws.aws_error import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_KEPT = re.compile(
    r"HTTP_.*|CONTENT_TYPE|REQUEST_METHOD|PATH_INFO|QUERY_STRING|SCRIPT_NAME|SERVER_.*|RAW_URI|REQUEST_URI|moto\..*"
)
# A session token is a credential, not a part of the request; the body is no longer chunked once it has been read.
_DROPPED = {"HTTP_X_AMZ_SECURITY_TOKEN", "HTTP_TRANSFER_ENCODING", "HTTP_EXPECT"}
_FORM = "application/x-www-form-urlencoded"
_SCOPE = re.compile(r"Credential=[^/]*/\d+/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")


class ConnectionDropped(ConnectionError):
    """Tell the server to close the connection without a reply."""


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_null(inner) for name, inner in value.items() if inner is not None}
    return [_without_null(inner) for inner in value] if isinstance(value, list) else value


def _no_json(_name: str) -> None:
    raise ValueError  # NaN and Infinity, which Python alone takes for JSON


@dataclass(frozen=True)
class Request:
    """Hold what a service needs of one WSGI request: the text part of its environ and the whole body."""

    environ: dict[str, Any]
    body: bytes

    @classmethod
    def read(cls, environ: dict[str, Any]) -> "Request":
        """Read the request off the wire, chunked or not. Raises: ConnectionDropped where its body is not whole."""
        if not environ.get("CONTENT_LENGTH", "0").isdecimal():
            raise ConnectionDropped
        try:
            body = get_input_stream(environ, safe_fallback=True).read()
        except (ClientDisconnected, OSError):
            raise ConnectionDropped from None
        return cls.of_environ(environ, body)

    @classmethod
    def of_environ(cls, environ: dict[str, Any], body: bytes) -> "Request":
        """Keep of the environ what a service needs."""
        kept = {key: value for key, value in environ.items() if _KEPT.fullmatch(key) and key not in _DROPPED}
        return cls(kept, body)

    @classmethod
    def for_target(cls, target: str, body: dict[str, Any], service: str, region: str) -> "Request":
        """Make a request of the JSON protocol as an SDK would, for calls that never leave this process."""
        scope = f"local/20260101/{region}/{service}/aws4_request"
        environ = {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/",
            "QUERY_STRING": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "127.0.0.1",
            "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
            "HTTP_X_AMZ_TARGET": target,
            "CONTENT_TYPE": "application/x-amz-json-1.0",
        }
        return cls(environ, json.dumps(body).encode())

    @property
    def method(self) -> str:
        return str(self.environ["REQUEST_METHOD"])

    @property
    def path(self) -> str:
        return str(self.environ.get("PATH_INFO", "/")).encode("latin-1").decode("utf-8", "replace")

    @property
    def target(self) -> str:
        """The operation of the JSON protocol, such as `DynamoDB_20120810.Scan`; empty for other protocols."""
        return str(self.environ.get("HTTP_X_AMZ_TARGET", ""))

    @property
    def region(self) -> str | None:
        """The Region the caller signed for."""
        scope = self._scope
        return scope.group(1) if scope else None

    @property
    def service(self) -> str | None:
        """The service the caller signed for, by its signing name."""
        scope = self._scope
        return scope.group(2) if scope else None

    @property
    def _scope(self) -> re.Match[str] | None:
        return _SCOPE.search(self.environ.get("HTTP_AUTHORIZATION", ""))

    def json(self) -> dict[str, Any]:
        """
        Return the body's JSON object.

        Raises: AwsError (SerializationException) when it is none.
        """
        try:
            value = json.loads(self.body or b"{}", parse_constant=_no_json)
            if b"\\u" in self.body:
                json.dumps(value, ensure_ascii=False).encode()  # half of a pair of surrogates is no text
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise AwsError("SerializationException", "The body of the request is no JSON object.")
        return value

    def without_null(self) -> "Request":
        """Return the request without members that are null: AWS takes them for absent, moto for values."""
        if b"null" not in self.body:
            self.json()
            return self
        return self.with_json(_without_null(self.json()))

    def with_json(self, body: dict[str, Any]) -> "Request":
        return replace(self, body=json.dumps(body).encode())

    def as_environ(self) -> dict[str, Any]:
        """Return a fresh WSGI environ that gives the body once more."""
        is_form = str(self.environ.get("CONTENT_TYPE", "")).startswith(_FORM) and (self.method == "PUT" or self.target)
        return {
            **self.environ,
            # Some clients call any body a form; moto would take it apart and keep nothing.
            **({"CONTENT_TYPE": "binary/octet-stream"} if is_form else {}),
            "CONTENT_LENGTH": str(len(self.body)),
            "wsgi.input": BytesIO(self.body),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": BytesIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }


@dataclass(frozen=True)
class Response:
    """
    Hold one whole reply.

    Units: *byte_s* seconds before each byte of the body, 0 for all at once; *is_cut* closes the connection halfway.
    """

    status: str
    headers: list[tuple[str, str]]
    body: bytes
    byte_s: float = 0.0
    is_cut: bool = False

    @classmethod
    def of_app(cls, app: "Callable[..., Iterable[bytes]]", request: Request) -> "Response":
        """Run a WSGI application to its end and keep what it said."""
        said: dict[str, Any] = {}

        def start_response(
            status: str, headers: list[tuple[str, str]], _exc_info: object = None
        ) -> "Callable[..., None]":
            said.update(status=status, headers=list(headers))
            return lambda _data: None

        chunks = app(request.as_environ(), start_response)
        try:
            body = b"".join(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close:
                close()
        return cls(said["status"], said["headers"], body)

    @classmethod
    def of_json(cls, value: object, status: str = "200 OK") -> "Response":
        body = json.dumps(value, ensure_ascii=False).encode()
        return cls(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))], body)

    @classmethod
    def of_error(cls, error: AwsError, request: Request) -> "Response":
        """Spell an error the way the caller's protocol does: JSON with a header, or XML."""
        status = f"{error.status} {error.code}"
        speaks_xml = request.service in {None, "s3"} or request.path == "/"
        if request.target or request.path.startswith("/model/") or not speaks_xml:
            reply = cls.of_json({"__type": error.code, "message": error.message, **error.members}, status)
            reply.headers.append(("x-amzn-ErrorType", error.code))
            return reply
        inner = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
        # S3 reads the error at the top, the query protocol (CloudFormation, STS) one level down.
        text = f"<Error>{inner}</Error>" if request.path != "/" else f"<Response><Error>{inner}</Error></Response>"
        body = text.encode()
        return cls(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))], body)

    def chunks(self) -> "Iterator[bytes]":
        """Yield the body as it is to be sent; an empty first part sends status and headers alone."""
        if self.is_cut:
            yield self.body[: len(self.body) // 2]
            raise ConnectionDropped
        if not self.byte_s:
            yield self.body
            return
        yield b""
        for place in range(len(self.body)):
            time.sleep(self.byte_s)
            yield self.body[place : place + 1]

    @property
    def is_success(self) -> bool:
        return int(self.status[:3]) < 400

    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body))
