"""
Functions of varbinary: encodings, hashes, byte order.

Source: Trino's VarbinaryFunctions and HmacFunctions; Java's Base64 decoders want no padding, or the right one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import struct
from typing import TYPE_CHECKING

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.language.natives import Native, helpers, scalars
from local_aws.athena.language.trino_types import BIGINT, DOUBLE, INTEGER, REAL, VARBINARY, VARCHAR, Type

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_aws.athena.functions.containers import Scalar


def _bad(message: str) -> StatementError:
    return StatementError("INVALID_FUNCTION_ARGUMENT", message)


def _from_hex(text: str | bytes) -> bytes:
    digits = text.decode("latin-1") if isinstance(text, bytes) else text
    if len(digits) % 2 or not re.fullmatch(r"[0-9a-fA-F]*", digits):
        raise _bad("from_hex takes an even number of hexadecimal digits")
    return bytes.fromhex(digits)


def _from_base64(alphabet: str) -> Callable[[str], bytes]:
    def decode(text: str) -> bytes:
        letters = text.rstrip("=")
        padding = len(text) - len(letters)
        is_padded = padding == 0 or (len(text) % 4 == 0 and padding <= 2)
        if not re.fullmatch(f"[A-Za-z0-9{re.escape(alphabet)}]*", letters) or len(letters) % 4 == 1 or not is_padded:
            raise _bad("this is not base64")
        return base64.b64decode(letters + "=" * (-len(letters) % 4), altchars=alphabet.encode())

    return decode


def _from_utf8(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as problem:
        raise Unsupported("from_utf8() of bytes that are no UTF-8") from problem


def _unpack(layout: str) -> Callable[[bytes], int | float]:
    def unpack(data: bytes) -> int | float:
        if len(data) != struct.calcsize(layout):
            raise _bad(f"expected {struct.calcsize(layout)}-byte input, but got instead: {len(data)}")
        return struct.unpack(layout, data)[0]

    return unpack


def _substr(data: bytes, start: int, length: int = 2**63 - 1) -> bytes:
    first = start - 1 if start > 0 else len(data) + start
    return b"" if start == 0 or length <= 0 or first < 0 else data[first : first + length]


def _bytes_to(result: Type, compute: Callable[[bytes], object]) -> tuple[Native, ...]:
    return (Native((VARBINARY,), result, compute),)


def _hash(name: str) -> tuple[Native, ...]:
    return _bytes_to(VARBINARY, lambda data: hashlib.new(name, data, usedforsecurity=False).digest())


def _keyed(name: str) -> tuple[Native, ...]:
    return (Native((VARBINARY, VARBINARY), VARBINARY, lambda data, key: hmac.digest(key, data, name)),)


_TABLE: dict[str, tuple[Native, ...]] = {
    "to_utf8": (Native((VARCHAR,), VARBINARY, lambda text: text.encode()),),
    "from_utf8": _bytes_to(VARCHAR, _from_utf8),
    "to_hex": _bytes_to(VARCHAR, lambda data: data.hex().upper()),
    "from_hex": (Native((VARCHAR,), VARBINARY, _from_hex), *_bytes_to(VARBINARY, _from_hex)),
    "to_base64": _bytes_to(VARCHAR, lambda data: base64.b64encode(data).decode()),
    "to_base64url": _bytes_to(VARCHAR, lambda data: base64.urlsafe_b64encode(data).decode()),
    "from_base64": (Native((VARCHAR,), VARBINARY, _from_base64("+/")),),
    "from_base64url": (Native((VARCHAR,), VARBINARY, _from_base64("-_")),),
    "md5": _hash("md5"),
    "sha1": _hash("sha1"),
    "sha256": _hash("sha256"),
    "sha512": _hash("sha512"),
    "hmac_md5": _keyed("md5"),
    "hmac_sha1": _keyed("sha1"),
    "hmac_sha256": _keyed("sha256"),
    "hmac_sha512": _keyed("sha512"),
    "crc32": _bytes_to(BIGINT, binascii.crc32),
    "to_big_endian_64": (Native((BIGINT,), VARBINARY, lambda number: struct.pack(">q", number)),),
    "to_big_endian_32": (Native((INTEGER,), VARBINARY, lambda number: struct.pack(">i", number)),),
    "from_big_endian_64": _bytes_to(BIGINT, _unpack(">q")),
    "from_big_endian_32": _bytes_to(INTEGER, _unpack(">i")),
    "to_ieee754_64": (Native((DOUBLE,), VARBINARY, lambda number: struct.pack(">d", number)),),
    "to_ieee754_32": (Native((REAL,), VARBINARY, lambda number: struct.pack(">f", number)),),
    "from_ieee754_64": _bytes_to(DOUBLE, _unpack(">d")),
    "from_ieee754_32": _bytes_to(REAL, _unpack(">f")),
}
# Names that mean texts as well: the choice between the two is made where texts are translated.
_SHARED: dict[str, tuple[Native, ...]] = {
    "substr_bytes": (
        Native((VARBINARY, BIGINT), VARBINARY, _substr),
        Native((VARBINARY, BIGINT, BIGINT), VARBINARY, _substr),
    ),
}
HELPERS = (*helpers(_TABLE), *helpers(_SHARED))
FUNCTIONS: dict[str, Scalar] = scalars(_TABLE)
SHARED: dict[str, Scalar] = scalars(_SHARED)
