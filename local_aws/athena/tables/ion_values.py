"""
Ion values as values of a column, as strictly as the readers Athena has had.

Two readers are documented: amazon-ion/ion-hive-serde (docs/type-mapping.md and its object inspectors) and Trino's
native IonDecoderFactory (lib/trino-hive-formats). Where both take a value the same way it is read; where both fail, so
does this; where they differ, the construct is refused by name.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Container, Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Any

import pyarrow as pa
from amazon.ion.core import IonType

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.language.trino_types import DIGITS, Type, trino_name
from local_aws.athena.tables.arrow_types import arrow_type
from local_aws.athena.tables.hive_text import fits
from local_aws.dynamodb.ion import field_name, quoted

Reader = Callable[[Any], Any]
# Ion types that each column type takes; `null` and a null of one of these types are NULL.
_TAKEN = {
    "boolean": {"bool"}, "decimal": {"decimal", "int"}, "real": {"float"}, "double": {"float"},
    "date": {"timestamp"}, "timestamp": {"timestamp"}, "array": {"list", "sexp"}, "row": {"struct"}, "map": {"struct"},
    **{name: {"int"} for name in DIGITS},
}  # fmt: skip
# More digits than any decimal has: what does not fit shows, and is not rounded.
_EXACT = Context(prec=76, traps=[Inexact, InvalidOperation])
# Python types that arrow reads as the reader below would, only faster; arrow refuses what the column cannot hold.
_PLAIN = {"boolean": {bool}, "decimal": {Decimal, int}, "varchar": {str}, **{name: {int} for name in DIGITS}}


def column(values: Sequence[Any], kind: Type, name: str, key: str) -> pa.Array:
    """
    Return one column's values, found in the file *key*.

    Raises: StatementError HIVE_BAD_DATA for a value that the column's type cannot hold; Unsupported.
    """
    target = arrow_type(kind)
    if set(map(type, values)) <= _PLAIN.get(kind.name, set()) | {type(None)} and not _has_length(kind):
        try:
            return pa.array(values, target)
        except (pa.ArrowInvalid, OverflowError):
            pass  # one of them does not fit; the reader says how
    read = reader(kind, f"{key}: column {name!r} of type {trino_name(kind)}")
    return pa.array([read(value) for value in values], target)


def ion_type(value: Any) -> str:
    """Return the Ion type of a value in lower case; the null of type int is `int` too."""
    marked = getattr(value, "ion_type", None)
    if marked is not None:
        return IonType(marked).name.lower()
    names = ((bool, "bool"), (int, "int"), (Decimal, "decimal"), (float, "float"), (str, "string"), (bytes, "blob"))
    more = ((list, "list"), (dict, "struct"), (datetime, "timestamp"))
    return next((label for kind, label in names + more if isinstance(value, kind)), "null")


def is_struct(value: Any) -> bool:
    """
    Tell whether a value is a struct that has names.

    Raises: Unsupported for an annotated struct, and for the null of a container: their readers were not compared.
    """
    if type(value) is dict:
        return True
    if ion_type(value) in ("struct", "list", "sexp") and not isinstance(value, list):
        raise Unsupported(f"an annotated, or null, Ion {ion_type(value)} on the way to a column")
    return False


def reader(kind: Type, where: str) -> Reader:
    """Return the function that turns an Ion value into a value of *kind*; *where* begins its complaints."""
    if kind.name == "varchar":
        return _text_reader(kind)
    if kind.name not in _TAKEN:
        # Of binary, the SerDe's own issue 101 says that it does not work; char pads.
        raise Unsupported(f"Ion column of type {trino_name(kind)}")
    taken, inner = _TAKEN[kind.name], _inner(kind, where)

    def read(value: Any) -> Any:
        if value is None:
            return None
        found = ion_type(value)
        if type(value).__name__ == "IonPyNull":
            if found in taken or found == "null":
                return None
            raise Unsupported(f"Ion null.{found} in a column of type {trino_name(kind)}")
        if kind.name == "decimal" and found == "float":
            raise Unsupported("an Ion float in a decimal column")
        if found not in taken:
            raise StatementError("HIVE_BAD_DATA", f"{where}: an Ion value of type {found} does not fit")
        return inner(value)

    return read


def _inner(kind: Type, where: str) -> Reader:
    match kind.name:
        case "boolean":
            return bool
        case "decimal":
            return lambda value: _decimal(Decimal(value), kind, where)
        case "real" | "double":
            return lambda value: _float(value, kind)
        case "date":
            return lambda value: _moment(value).date()
        case "timestamp":
            return _moment
        case "array":
            element = reader(kind.args[0], where)
            return lambda value: [element(item) for item in value]
        case "map":
            if kind.args[0].name != "varchar" or _has_length(kind.args[0]):
                raise Unsupported(f"Ion column of type {trino_name(kind)}")
            entry = reader(kind.args[1], where)
            return lambda value: [(str(name), entry(item)) for name, item in value.items()]
        case "row":
            fields = {str(label).lower(): reader(field, where) for label, field in kind.args}
            return lambda value: _row(value, fields)
    return lambda value: _integer(int(value), kind, where)


def _has_length(kind: Type) -> bool:
    return kind.name == "varchar" and kind.args[0] is not None


def _decimal(number: Decimal, kind: Type, where: str) -> Decimal:
    precision, scale = kind.args
    try:
        scaled = number.quantize(Decimal((0, (1,), -scale)), context=_EXACT)
    except Inexact as problem:
        raise StatementError("HIVE_BAD_DATA", f"{where}: a number has more than {scale} fraction digits") from problem
    except InvalidOperation:
        scaled = number
    if scaled and scaled.adjusted() + 1 > precision - scale:
        raise StatementError("HIVE_BAD_DATA", f"{where}: a number is too large")
    return scaled


def _integer(number: int, kind: Type, where: str) -> int:
    if not fits(number, kind):
        raise StatementError("HIVE_BAD_DATA", f"{where}: a number is too large")
    return number


def _float(value: Any, kind: Type) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise Unsupported("an Ion float that is no finite number")
    if kind.name == "real" and pa.scalar(number, pa.float32()).as_py() != number:
        raise Unsupported("an Ion float with more digits than its real column holds")
    return number


def _moment(value: Any) -> datetime:
    fraction = Decimal(getattr(value, "fractional_seconds", None) or 0)
    if fraction != round(fraction, 3):
        raise Unsupported("an Ion timestamp finer than milliseconds")  # one reader rounds, one cuts
    utc = value if value.tzinfo is None else value.astimezone(UTC)
    return datetime.combine(date(utc.year, utc.month, utc.day), utc.time())


def _row(value: Any, fields: dict[str, Reader]) -> dict[str, Any]:
    known = matched(value, fields)
    return {f"f{index}": read(value.get(known.get(label))) for index, (label, read) in enumerate(fields.items())}


def matched(names: Iterable[str], wanted: Container[str]) -> dict[str, str]:
    """
    Return which of *names* are *wanted* (in lower case): wanted -> as written, since case does not matter.

    Raises: Unsupported for two that differ only in case.
    """
    found: dict[str, str] = {}
    for name in names:
        if name.lower() in wanted:
            if name.lower() in found:
                raise Unsupported("two names that differ only in case: which one a column gets is left to chance")
            found[name.lower()] = name
    return found


def _text_reader(kind: Type) -> Reader:
    limit = kind.args[0]

    def read(value: Any) -> str | None:
        if value is None or type(value).__name__ == "IonPyNull":
            return None
        text = str(value) if isinstance(value, str) else ion_text(value)
        if limit is not None and (len(text) > limit or not isinstance(value, str)):
            raise Unsupported(f"an Ion value in a {trino_name(kind)} column that is longer, or no text")
        return text

    return read


def ion_text(value: Any) -> str:
    """
    Return what a STRING column shows of a value that is no text: its Ion text, `103.`, `6d2`, `{a:"b"}`.

    Source: IonDecoderFactory of Trino, which hands every other value to ion-java's text writer.
    Raises: Unsupported for values that no export of DynamoDB holds: their text was not checked.
    """
    marks = "".join(f"{mark.text}::" for mark in getattr(value, "ion_annotations", ()))
    if marks and not isinstance(value, list):
        raise Unsupported(f"an annotated Ion {ion_type(value)} in a STRING column")
    return marks + _plain_text(value)


def _plain_text(value: Any) -> str:
    match ion_type(value):
        case "null":
            return "null"
        case "bool":
            return "true" if value else "false"
        case "int":
            return str(int(value))
        case "decimal":
            return _decimal_text(value)
        case "string":
            return quoted(str(value), '"')
        case "blob":
            return f"{{{{{base64.b64encode(bytes(value)).decode()}}}}}"
        case "list":
            return f"[{','.join(map(ion_text, value))}]"
        case "struct":
            return f"{{{','.join(f'{field_name(str(name))}:{ion_text(inner)}' for name, inner in value.items())}}}"
    raise Unsupported(f"Ion {ion_type(value)} in a STRING column")


def _decimal_text(value: Decimal) -> str:
    sign, figures, exponent = value.as_tuple()
    digits = "".join(map(str, figures))
    minus = "-" if sign else ""
    if exponent == 0:
        return f"{minus}{digits}."
    if exponent > 0 or len(digits) - 1 + exponent < -6:
        return f"{minus}{digits}d{exponent}"
    return f"{minus}{abs(value):f}"
