"""
URLs as java.net.URI reads them; a form in which it may see something else than RFC 2396 says is refused.

Source: Trino's UrlFunctions, Guava's form escaper, java.net.URLDecoder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.functions.strings import length_of, varchar
from local_aws.athena.language.natives import Native, helpers, same, scalars
from local_aws.athena.language.trino_types import BIGINT, VARCHAR

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_aws.athena.functions.containers import Scalar

_PARTS = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.DOTALL)
_AUTHORITY = re.compile(
    r"(?:[A-Za-z0-9_.!~*'();:&=+$,%-]*@)?"
    r"((?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
    r"|(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d))"
    r"(?::(\d{1,9}))?",
    re.ASCII,
)
_ILLEGAL = re.compile(r"[\x00-\x20\x7f\"<>\\^`{|}]|%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True)
class _Url:
    protocol: str
    host: str
    port: int | None
    path: str
    query: str | None
    fragment: str


def _parse(text: str) -> _Url | None:
    """Return the parts of *text*, None when it is no URI."""
    if _ILLEGAL.search(text):
        return None
    if re.search(r"[\[\]]", text) or re.search("[\x80-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f\u3000]", text):
        raise Unsupported("a URL with brackets, or with unusual spaces")
    found = _PARTS.fullmatch(text)
    if found is None or text.count("#") > 1:
        raise Unsupported("a URL of an unusual form")
    protocol, authority, path, query, fragment = found.groups()
    if protocol is not None and authority is None and not path.startswith("/"):
        if not path:
            raise Unsupported("a URL of an unusual form")
        return _Url(protocol, "", None, "", None, fragment or "")
    if protocol is None and ":" in path.partition("/")[0]:
        raise Unsupported("a URL of an unusual form")
    server = _AUTHORITY.fullmatch(authority) if authority is not None else None
    if authority is not None and server is None:
        raise Unsupported("a URL whose host is of an unusual form")
    port = int(server[2]) if server and server[2] else None
    return _Url(protocol or "", server[1] if server else "", port, path, query, fragment or "")


def _decoded(text: str) -> str:
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError as problem:
        raise Unsupported("a URL whose escapes are no UTF-8") from problem


def _part(read: Callable[[_Url], str | int | None]) -> Callable[[str], str | int | None]:
    def extract(text: str) -> str | int | None:
        url = _parse(text)
        return None if url is None else read(url)

    return extract


def _parameter(text: str, name: str) -> str | None:
    url = _parse(text)
    if url is None or url.query is None:
        return None
    for argument in url.query.split("&"):
        key, _, value = argument.partition("=")
        if key == name:
            return _decode(value)
    return None


def _encode(text: str) -> str:
    # quote() leaves ~ alone, Guava's escaper does not.
    return quote(text, safe="* ").replace("~", "%7E").replace(" ", "+")


def _decode(text: str) -> str:
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise StatementError("INVALID_FUNCTION_ARGUMENT", "URLDecoder: Illegal hex characters in escape (%) pattern")
    return _decoded(text.replace("+", " "))


_TABLE: dict[str, tuple[Native, ...]] = {
    "url_extract_protocol": (Native((VARCHAR,), same, _part(lambda url: url.protocol)),),
    "url_extract_host": (Native((VARCHAR,), same, _part(lambda url: url.host)),),
    "url_extract_port": (Native((VARCHAR,), BIGINT, _part(lambda url: url.port)),),
    "url_extract_path": (Native((VARCHAR,), same, _part(lambda url: _decoded(url.path))),),
    "url_extract_query": (Native((VARCHAR,), same, _part(lambda url: _decoded(url.query or ""))),),
    "url_extract_fragment": (Native((VARCHAR,), same, _part(lambda url: _decoded(url.fragment))),),
    "url_extract_parameter": (Native((VARCHAR, VARCHAR), same, _parameter),),
    "url_encode": (Native((VARCHAR,), lambda values: varchar(12 * length_of(values[0].type)), _encode),),
    "url_decode": (Native((VARCHAR,), same, _decode),),
}
HELPERS = helpers(_TABLE)
FUNCTIONS: dict[str, Scalar] = scalars(_TABLE)
