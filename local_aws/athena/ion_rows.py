"""Ion files as rows: what the Ion Hive SerDe with path extractors makes of exported items."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from amazon.ion import simpleion
from amazon.ion.core import IonType
from amazon.ion.exceptions import IonException
from amazon.ion.simpleion import IonPyValueModel

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.trino_types import DIGITS, Type, trino_name

_MODEL = IonPyValueModel.MAY_BE_BARE | IonPyValueModel.SYMBOL_AS_TEXT | IonPyValueModel.STRUCT_AS_STD_DICT
_STEP = re.compile(r"\s*(?:'((?:[^'\\]|\\')*)'|\"([^\"\\]*)\"|([A-Za-z_$][\w$]*))", re.ASCII)
_READABLE_DEFAULTS = {
    "ion.fail_on_overflow": "true",
    "ion.ignore_malformed": "false",
    "ion.path_extractor.case_sensitive": "false",
}
Reader = Callable[[Any], Any]


def extractors(columns: list[str], parameters: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """
    Return the path of each column, steps in lower case.

    Raises: Unsupported for wildcards, indexes, and SerDe settings away from their defaults.
    """
    for key, text in parameters.items():
        is_path = re.fullmatch(r"ion\.\w+\.path_extractor", key) and key != "ion.path_extractor.case_sensitive"
        if key.startswith("ion.") and not is_path and _READABLE_DEFAULTS.get(key) != text.lower():
            raise Unsupported(f"SerDe parameter {key!r}")
    return {name: _path(parameters.get(f"ion.{name}.path_extractor", f"({name})")) for name in columns}


def _path(text: str) -> tuple[str, ...]:
    inside = re.fullmatch(r"\s*\((.*)\)\s*", text)
    steps: list[str] = []
    place = 0
    body = inside[1].rstrip() if inside else ""
    while place < len(body):
        step = _STEP.match(body, place)
        if step is None:
            raise Unsupported(f"path extractor {text!r}")
        steps.append(next(part for part in step.groups() if part is not None).replace("\\'", "'").lower())
        place = step.end()
    if not steps:
        raise Unsupported(f"path extractor {text!r}")
    return tuple(steps)


def read_rows(body: bytes, key: str, columns: list[tuple[str, Type]], parameters: dict[str, str]) -> list[list[Any]]:
    """
    Return the values of *columns* (one list a column) of one Ion file; codec by the key's ending.

    Raises: StatementError HIVE_CURSOR_ERROR for bytes that are no Ion, HIVE_BAD_DATA for values that do not fit.
    """
    paths = extractors([name for name, _ in columns], parameters)
    plan = [(paths[name], _reader(kind, name), values) for (name, kind), values in ((column, []) for column in columns)]
    count = 0
    for item in _items(body, key):
        count += 1
        folded: dict[int, dict[str, Any]] = {}
        for path, read, values in plan:
            found = _walk(item, path, folded)
            values.append(None if found is None else read(found))
    return [values for _, _, values in plan] or [[None] * count]


_LONGEST_TEXT = 1 << 20  # an item of DynamoDB holds 400 KB


def _items(body: bytes, key: str) -> Iterator[Any]:
    try:
        data = gzip.decompress(body) if key.endswith(".gz") else body
    except (OSError, EOFError, zlib.error) as problem:
        raise StatementError("HIVE_CURSOR_ERROR", f"{key} is no whole gzip file") from problem
    if not data.strip():
        return
    try:
        rows = simpleion.load(
            io.BytesIO(data),
            single_value=False,
            parse_eagerly=False,
            value_model=_MODEL,
            text_buffer_size_limit=_LONGEST_TEXT,  # else the reader refuses a text of more than 16 KB
        )
        for item in rows:
            if not isinstance(item, dict):
                raise StatementError("HIVE_CURSOR_ERROR", f"{key}: a top-level value is no struct")
            yield item
    except (IonException, ValueError, TypeError, UnicodeError) as problem:
        raise StatementError("HIVE_CURSOR_ERROR", f"{key} cannot be read as Ion") from problem


def _walk(item: Any, path: tuple[str, ...], folded: dict[int, dict[str, Any]]) -> Any:
    for step in path:
        if not isinstance(item, dict):
            return None
        known = folded.get(id(item))
        if known is None:
            known = folded[id(item)] = _fold(item)
        item = known.get(step)
    return None if _is_null(item) else item


def _fold(item: dict[str, Any]) -> dict[str, Any]:
    known = {name.lower(): value for name, value in item.items()}
    if len(known) != len(item):
        raise Unsupported("an item with two names that differ only in case: which one a column gets is left to chance")
    return known


def _is_null(value: Any) -> bool:
    return value is None or getattr(value, "ion_type", None) == IonType.NULL


def _reader(kind: Type, name: str) -> Reader:
    """Return the function that turns an Ion value into a value of *kind*, as strictly as the SerDe."""

    def bad(found: Any) -> StatementError:
        return StatementError(
            "HIVE_BAD_DATA",
            f"column {name!r} of type {trino_name(kind)}: an Ion value of type {_ion_name(found)} does not fit",
        )

    def read_boolean(value: Any) -> bool:
        if isinstance(value, bool) or getattr(value, "ion_type", None) == IonType.BOOL:
            return bool(value)
        raise bad(value)

    def read_decimal(value: Any) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, Decimal | int):
            raise bad(value)
        precision, scale = kind.args
        number = Decimal(value)
        figures, exponent = number.as_tuple()[1:]
        if -exponent > scale:
            raise StatementError(
                "HIVE_BAD_DATA",
                f"column {name!r}: a number has {-exponent} fraction digits, {trino_name(kind)} holds {scale}",
            )
        if number and len(figures) + exponent > precision - scale:
            raise StatementError("HIVE_BAD_DATA", f"column {name!r}: a number is too large for {trino_name(kind)}")
        return number

    def read_integer(value: Any) -> int:
        limit = {"tinyint": 7, "smallint": 15, "integer": 31, "bigint": 63}[kind.name]
        if isinstance(value, bool) or not isinstance(value, int):
            raise bad(value)
        if not -(2**limit) <= value < 2**limit:
            raise StatementError("HIVE_BAD_DATA", f"column {name!r}: a number is too large for {trino_name(kind)}")
        return int(value)

    def read_double(value: Any) -> float:
        if not isinstance(value, float):
            raise bad(value)
        return float(value)

    def read_text(value: Any) -> str:
        return str(value) if isinstance(value, str) else ion_text(value)

    if kind.name == "boolean":
        return read_boolean
    if kind.name == "decimal":
        return read_decimal
    if kind.name in DIGITS:
        return read_integer
    if kind.name in ("double", "real"):
        return read_double
    if kind.name == "varchar" and kind.args[0] is None:
        return read_text
    if kind.name == "array":
        return _list_reader(kind, name, bad)
    if kind.name == "row":
        return _struct_reader(kind, name, bad)
    raise Unsupported(f"Ion column {name!r} of type {trino_name(kind)}")


def _list_reader(kind: Type, name: str, bad: Callable[[Any], StatementError]) -> Reader:
    inner = _reader(kind.args[0], name)

    def read(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise bad(value)
        return [None if _is_null(item) else inner(item) for item in value]

    return read


def _struct_reader(kind: Type, name: str, bad: Callable[[Any], StatementError]) -> Reader:
    inner = [(str(label).lower(), _reader(field, name)) for label, field in kind.args]

    def read(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise bad(value)
        known = _fold(value)
        found = ((index, known.get(label), reader) for index, (label, reader) in enumerate(inner))
        return {f"f{index}": None if _is_null(item) else reader(item) for index, item, reader in found}

    return read


def ion_text(value: Any) -> str:
    """
    Return a number or boolean as Ion text (`103.`, `6d2`): what a STRING column shows of it.

    Raises: Unsupported for structs, lists and other values whose text was not checked.
    """
    if isinstance(value, bool) or getattr(value, "ion_type", None) == IonType.BOOL:
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, Decimal):
        sign, figures, exponent = value.as_tuple()
        digits = "".join(map(str, figures))
        minus = "-" if sign else ""
        if exponent == 0:
            return f"{minus}{digits}."
        if exponent > 0 or len(digits) - 1 + exponent < -6:
            return f"{minus}{digits}d{exponent}"
        return f"{minus}{abs(value):f}"
    raise Unsupported(f"Ion {_ion_name(value)} in a STRING column")


def _ion_name(value: Any) -> str:
    names = (
        (bool, "bool"),
        (int, "int"),
        (Decimal, "decimal"),
        (float, "float"),
        (str, "string"),
        (bytes, "blob"),
        (list, "list"),
        (dict, "struct"),
    )
    return next((label for kind, label in names if isinstance(value, kind)), "other")
