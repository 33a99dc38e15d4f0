"""Ion text holds exactly the item it was made of."""

import base64
from decimal import Decimal

import pytest
from amazon.ion import simpleion
from amazon.ion.core import IonType
from hypothesis import given, settings
from hypothesis import strategies as st

from local_aws.dynamodb.ion import ion_decimal, ion_line
from local_aws.dynamodb.item_image import Image


@pytest.mark.parametrize(
    ("number", "written"),
    [
        ("103", "103."),
        ("600", "6d2"),
        ("0", "0."),
        ("-0", "0."),
        ("0.000", "0."),
        ("0.1", "0.1"),
        ("1E-10", "1d-10"),
        ("-12.50", "-12.5"),
        ("0.000001", "0.000001"),
        ("0.0000001", "1d-7"),
        ("12345E-10", "0.0000012345"),
        ("1E+125", "1d125"),
        ("99999999999999999999999999999999999999", "99999999999999999999999999999999999999."),
    ],
)
def test_numbers_are_decimals_written_as_an_export_writes_them(number, written):
    assert ion_decimal(number) == written


def test_the_documented_item_is_written_as_documented():
    item = {
        "Authors": {"SS": ["Author1", "Author2"]},
        "Dimensions": {"S": "8.5 x 11.0 x 1.5"},
        "Id": {"N": "103"},
        "InPublication": {"BOOL": False},
        "PageCount": {"N": "600"},
        "Price": {"N": "2000"},
        "Title": {"S": "Book 103 Title"},
    }

    assert ion_line(item) == (
        '$ion_1_0 {Item:{Authors:$dynamodb_SS::["Author1","Author2"],Dimensions:"8.5 x 11.0 x 1.5",Id:103.,'
        'InPublication:false,PageCount:6d2,Price:2d3,Title:"Book 103 Title"}}'
    )


def test_odd_names_are_quoted_and_line_ends_never_break_the_line():
    line = ion_line({"cost-usd": {"S": "a\nb\r\x85\u2028"}, "null": {"NULL": True}, "it's": {"BOOL": True}})

    assert line == "$ion_1_0 {Item:{'cost-usd':\"a\\nb\\r\\x85\u2028\",'null':null,'it\\'s':true}}"


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def _number(sign, digits, place, *, is_plain):
    """Spell a number whose first digit stands at 10 to the power of *place*, with an exponent or without."""
    text = f"{sign}{digits}E{place - len(str(digits)) + 1}"
    return format(Decimal(text), "f") if is_plain else text


# Up to 38 digits, from 1E-130 to 9.9E+125: what DynamoDB holds.
NUMBER = st.builds(
    _number,
    st.sampled_from(["", "-"]),
    st.integers(0, 10**38 - 1) | st.integers(0, 999).map(lambda number: number * 10**35),
    st.integers(-130, 125),
    is_plain=st.booleans(),
)
BINARY = st.binary(max_size=20).map(lambda data: base64.b64encode(data).decode())
SCALAR = (
    TEXT.map(lambda value: {"S": value})
    | NUMBER.map(lambda value: {"N": value})
    | BINARY.map(lambda value: {"B": value})
    | st.booleans().map(lambda value: {"BOOL": value})
    | st.just({"NULL": True})
    | st.lists(TEXT, min_size=1, max_size=3, unique=True).map(lambda value: {"SS": value})
    | st.lists(NUMBER, min_size=1, max_size=3, unique_by=Decimal).map(lambda value: {"NS": value})
    | st.lists(BINARY, min_size=1, max_size=3, unique=True).map(lambda value: {"BS": value})
)
ATTRIBUTE = st.recursive(
    SCALAR,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda value: {"L": value})
        | st.dictionaries(TEXT, inner, max_size=3).map(lambda value: {"M": value})
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(TEXT, ATTRIBUTE, max_size=5))
def test_every_item_comes_back_from_its_ion_text(item):
    line = ion_line(item)
    assert "\n" not in line
    assert "\r" not in line

    assert _attribute(simpleion.loads(line)["Item"]) == _canonical({"M": item})


@settings(deadline=None)
@given(NUMBER)
def test_every_number_is_a_decimal_of_the_same_value(number):
    value = simpleion.loads(ion_decimal(number))

    assert value.ion_type == IonType.DECIMAL
    assert Decimal(value) == Decimal(number)
    # Compared as text too, since a comparison of values is blind to digits beyond the context's precision.
    assert _digits(Decimal(value)) == _digits(Decimal(number))


def _digits(number):
    text = "".join(map(str, number.as_tuple().digits)).lstrip("0")
    return text.rstrip("0")


@settings(deadline=None)
@given(st.dictionaries(TEXT, ATTRIBUTE, max_size=5))
def test_every_item_comes_back_from_its_image(item):
    image = Image.of(item)

    assert image.attributes() == item
    assert b"\n" not in image.text


def _attribute(value):
    """Read an Ion value back as DynamoDB's JSON."""
    kinds = [annotation.text for annotation in getattr(value, "ion_annotations", ())]
    if kinds:
        kind = kinds[0].removeprefix("$dynamodb_")
        return {kind: [_attribute(member)[kind[0]] for member in value]}
    match value.ion_type:
        case IonType.NULL:
            return {"NULL": True}
        case IonType.BOOL:
            return {"BOOL": bool(value)}
        case IonType.DECIMAL:
            return {"N": Decimal(value)}
        case IonType.STRING:
            return {"S": str(value)}
        case IonType.BLOB:
            return {"B": base64.b64encode(value).decode()}
        case IonType.LIST:
            return {"L": [_attribute(member) for member in value]}
        case IonType.STRUCT:
            return {"M": {name: _attribute(member) for name, member in value.items()}}
    raise AssertionError(f"an export never writes {value.ion_type}")


def _canonical(attribute):
    """Make equal numbers equal, however they are spelt."""
    ((kind, value),) = attribute.items()
    if kind == "N":
        return {"N": Decimal(value)}
    if kind == "NS":
        return {"NS": [Decimal(member) for member in value]}
    if kind == "L":
        return {"L": [_canonical(member) for member in value]}
    if kind == "M":
        return {"M": {name: _canonical(member) for name, member in value.items()}}
    return attribute
