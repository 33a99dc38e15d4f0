"""
What a FilterExpression says of an item, judged on DynamoDB's JSON.

The expression is parsed by moto 5.2.5; it is judged here, since moto compares values of unlike types and takes an
attribute that is not there for null.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.dynamodb import comparisons as parsed

from local_aws.aws_error import AwsError
from local_aws.dynamodb.key_order import value_of

Attributes = Mapping[str, Any]

_ORDERED = {"S", "N", "B"}
_SETS = {"SS", "NS", "BS"}


def parse_filter(text: str | None, names: Mapping[str, str], values: Attributes) -> Any:
    """
    Return what `holds` takes; None where there is no filter.

    Raises: AwsError (ValidationException).
    """
    if not text:
        return None
    try:
        return parsed.get_filter_expression(text, dict(names), dict(values))
    except JsonRESTError as error:
        raise AwsError("ValidationException", error.message) from None
    except Exception as error:  # noqa: BLE001  the parser stumbles in many ways; its text may hold a value
        kind = type(error).__name__
        raise AwsError("ValidationException", f"Invalid FilterExpression: Syntax error ({kind})") from None


def named_in(condition: Any) -> Iterator[str]:
    """Yield the attributes at the top of an item that a filter looks at."""
    if isinstance(condition, parsed.AttributePath):
        yield condition.path[0]
    for inner in (*getattr(condition, "arguments", ()), *(getattr(condition, side, None) for side in ("lhs", "rhs"))):
        if inner is not None:
            yield from named_in(inner)


def holds(condition: Any, item: Attributes) -> bool:
    """Say whether an item passes."""
    match condition:
        case None | parsed.OpDefault():
            return True
        case parsed.OpNot():
            return not holds(condition.lhs, item)
        case parsed.OpAnd():
            return holds(condition.lhs, item) and holds(condition.rhs, item)
        case parsed.OpOr():
            return holds(condition.lhs, item) or holds(condition.rhs, item)
        case parsed.Op():
            return _compares(condition.OP, _operand(condition.lhs, item), _operand(condition.rhs, item))
        case parsed.FuncAttrExists():
            return _operand(condition.attr, item) is not None
        case parsed.FuncAttrType():
            attribute, wanted = _operand(condition.attr, item), _operand(condition.type, item)
            return attribute is not None and wanted is not None and wanted.get("S") in attribute
        case parsed.FuncBeginsWith():
            return _begins(_operand(condition.attr, item), _operand(condition.substr, item))
        case parsed.FuncContains():
            return _contains(_operand(condition.attr, item), _operand(condition.operand, item))
        case parsed.FuncBetween():
            attribute = _operand(condition.attr, item)
            return _compares(">=", attribute, _operand(condition.start, item)) and _compares(
                "<=", attribute, _operand(condition.end, item)
            )
        case parsed.FuncIn():
            attribute = _operand(condition.attr, item)
            return any(_compares("=", attribute, _operand(one, item)) for one in condition.possible_values)
    raise AwsError("ValidationException", f"The local AWS does not judge {type(condition).__name__} in a filter")


def _operand(operand: Any, item: Attributes) -> Attributes | None:
    """Return the attribute that an operand stands for, None where it is not there."""
    if isinstance(operand, parsed.AttributeValue):
        return {operand.type: operand.value}
    if isinstance(operand, parsed.FuncSize):
        attribute = _operand(operand.attr, item)
        return None if attribute is None else _size(attribute)
    found = item.get(operand.path[0])
    for step in operand.path[1:]:
        inner = (found or {}).get("L" if isinstance(step, int) else "M")
        if isinstance(step, int):
            found = inner[step] if inner and step < len(inner) else None
        else:
            found = inner.get(step) if inner else None
    return found


def _size(attribute: Attributes) -> Attributes | None:
    ((kind, value),) = attribute.items()
    if kind in {"N", "BOOL", "NULL"}:
        return None
    return {"N": str(len(value_of(attribute)) if kind == "B" else len(value.encode()) if kind == "S" else len(value))}


def _plain(attribute: Attributes) -> Any:
    """Return what equals exactly what is equal for DynamoDB."""
    ((kind, value),) = attribute.items()
    if kind in _ORDERED:
        return kind, value_of(attribute)
    if kind in _SETS:
        return kind, {value_of({kind[0]: member}) for member in value}
    if kind == "L":
        return kind, [_plain(member) for member in value]
    if kind == "M":
        return kind, {name: _plain(member) for name, member in value.items()}
    return kind, value


def _compares(sign: str, one: Attributes | None, other: Attributes | None) -> bool:
    if one is None or other is None:
        return sign == "<>"
    if sign in {"=", "<>"}:
        return (_plain(one) == _plain(other)) == (sign == "=")
    if one.keys() != other.keys() or not one.keys() <= _ORDERED:
        return False
    low, high = value_of(one), value_of(other)
    if sign in {"<", "<="}:
        return bool(low < high or (sign == "<=" and low == high))
    return bool(low > high or (sign == ">=" and low == high))


def _begins(attribute: Attributes | None, prefix: Attributes | None) -> bool:
    if not attribute or not prefix or attribute.keys() != prefix.keys() or not attribute.keys() <= {"S", "B"}:
        return False
    return bool(value_of(attribute).startswith(value_of(prefix)))


def _contains(attribute: Attributes | None, member: Attributes | None) -> bool:
    if not attribute or not member:
        return False
    ((kind, value),), sought = attribute.items(), _plain(member)
    if kind in {"S", "B"}:
        return kind in member and value_of(member) in value_of(attribute)
    if kind in _SETS:
        return kind[0] in member and sought[1] in _plain(attribute)[1]
    return kind == "L" and any(_plain(one) == sought for one in value)
