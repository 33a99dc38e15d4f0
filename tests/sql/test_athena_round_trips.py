"""Random rows of random types, written as files of each format: SELECT gives back the texts expected here."""

import gzip
import io
import json
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.sql.athena_harness import BUCKET, Athena, running_athena

_SEEDS = range(6)
_TEXTS = (
    "", " ", "plain", "改行\nと\t", 'quote"and\\', "a,b", "null", "\\N", "NULL", "{x=1}", "😀𠮷", "'", "\u2028",
    "</a>", "\x7f",
)  # fmt: skip
_ENDS = ("\n", " ", "")
# A type is a Hive name without arguments, ("decimal", p, s), ("array", of), ("map", of) with text keys, ("struct", …).
Kind = Any


@pytest.fixture(scope="module")
def athena() -> Iterator[Athena]:
    with running_athena() as running:
        yield running


def hive(kind: Kind) -> str:
    if isinstance(kind, str):
        return kind
    name, *rest = kind
    if name == "decimal":
        return f"decimal({rest[0]},{rest[1]})"
    if name == "struct":
        return f"struct<{','.join(f'f{number}:{hive(part)}' for number, part in enumerate(rest))}>"
    return f"array<{hive(rest[0])}>" if name == "array" else f"map<string,{hive(rest[0])}>"


def a_kind(random: Random, plain: tuple[str, ...], depth: int = 2) -> Kind:
    form = random.choice(("plain", "plain", "decimal", "array", "map", "struct")) if depth else "plain"
    if form == "plain":
        return random.choice(plain)
    if form == "decimal":
        precision = random.randint(1, 38)
        return "decimal", precision, random.randint(0, precision)
    width = random.randint(1, 3) if form == "struct" else 1
    return form, *(a_kind(random, plain, depth - 1) for _ in range(width))


def a_value(random: Random, kind: Kind, texts: tuple[str, ...], nulls: float = 0.2) -> Any:
    if random.random() < nulls:
        return None
    match kind:
        case "string":
            return random.choice(texts)
        case "boolean":
            return random.random() < 0.5
        case "bigint":
            return random.choice((0, -1, 2**63 - 1, -(2**63), random.randint(-(2**40), 2**40)))
        case "date":
            return date(1, 1, 1) + timedelta(days=random.randint(0, 3_652_058))
        case "timestamp":
            return datetime(1970, 1, 1) + timedelta(milliseconds=random.randint(-(10**13), 10**14))  # noqa: DTZ001
        case "decimal", precision, scale:
            number = random.choice((0, 1, 10**precision - 1, random.randint(0, 10**precision - 1)))
            return Decimal(f"{random.choice(('', '-'))}{number}e-{scale}")
        case "array", part:
            return [a_value(random, part, texts) for _ in range(random.randint(0, 3))]
        case "map", part:
            names = random.sample(("k", "b c", "é"), random.randint(0, 3))
            return tuple((name, a_value(random, part, texts)) for name in names)
        case "struct", *parts:
            return {f"f{number}": a_value(random, part, texts) for number, part in enumerate(parts)}
    raise NotImplementedError(kind)


def shown(value: Any, kind: Kind) -> str | None:
    """Return a value as Athena prints it."""
    if value is None:
        return None
    match kind:
        case "boolean":
            return "true" if value else "false"
        case "timestamp":
            return value.isoformat(sep=" ", timespec="milliseconds")
        case "decimal", _, scale:
            digits = "".join(map(str, value.as_tuple().digits)).zfill(scale + 1)
            cut = len(digits) - scale
            return ("-" if value < 0 else "") + digits[:cut] + (f".{digits[cut:]}" if scale else "")
        case "array", part:
            return f"[{', '.join(shown_inside(item, part) for item in value)}]"
        case "map", part:
            return f"{{{', '.join(f'{name}={shown_inside(item, part)}' for name, item in value)}}}"
        case "struct", *parts:
            pairs = zip(value.items(), parts, strict=True)
            return f"{{{', '.join(f'{name}={shown_inside(item, part)}' for (name, item), part in pairs)}}}"
    return str(value)


def shown_inside(value: Any, kind: Kind) -> str:
    return "null" if value is None else str(shown(value, kind))


def ion(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case Decimal():
            _, digits, exponent = value.as_tuple()
            sign = "-" if value.is_signed() else ""
            return f"{sign}{''.join(map(str, digits))}d{exponent}"
        case list():
            return f"[{','.join(map(ion, value))}]"
        case dict() | tuple():
            return f"{{{','.join(f'{ion(name)}:{ion(item)}' for name, item in dict(value).items())}}}"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\x7f")


def plain_json(value: Any) -> str:
    match value:
        case Decimal():
            return f"{value:f}"
        case list():
            return f"[{', '.join(map(plain_json, value))}]"
        case dict() | tuple():
            return f"{{{', '.join(f'{json.dumps(name)}: {plain_json(item)}' for name, item in dict(value).items())}}}"
    return json.dumps(value, default=str)


def arrow(kind: Kind, *, is_large: bool) -> pa.DataType:
    simple = {"boolean": pa.bool_(), "bigint": pa.int64(), "date": pa.date32(), "timestamp": pa.timestamp("ms")}
    match kind:
        case "string":
            return pa.large_string() if is_large else pa.string()
        case "decimal", precision, scale:
            return pa.decimal128(precision, scale)
        case "array", part:
            return (pa.large_list if is_large else pa.list_)(arrow(part, is_large=is_large))
        case "map", part:
            return pa.map_(pa.string(), arrow(part, is_large=is_large))
        case "struct", *parts:
            return pa.struct([(f"f{number}", arrow(part, is_large=is_large)) for number, part in enumerate(parts)])
    return simple[kind]


def read_back(athena: Athena, place: str, kinds: list[Kind], body: bytes, form: str) -> list[tuple[str | None, ...]]:
    ending = ".gz" if body.startswith(b"\x1f\x8b") else ""
    athena.s3.put_object(Bucket=BUCKET, Key=f"{place}/file{ending}", Body=body)
    columns = ", ".join(f"c{number} {hive(kind)}" for number, kind in enumerate(kinds))
    name = re.sub(r"\W", "_", place)
    athena.rows(f"create external table {name} ({columns}) {form} location 's3://{BUCKET}/{place}/'")
    return athena.rows(f"select * from {name}")


def made(
    seed: int, plain: tuple[str, ...], texts: tuple[str, ...] = _TEXTS
) -> tuple[Random, list[Kind], list[list[Any]], list[tuple[str | None, ...]]]:
    """Return types, rows, and the rows as they are to be shown."""
    random = Random(seed)
    kinds = [a_kind(random, plain) for _ in range(6)]
    rows = [[a_value(random, kind, texts) for kind in kinds] for _ in range(random.choice((0, 1, 40)))]
    return random, kinds, rows, [tuple(map(shown, row, kinds)) for row in rows]


@pytest.mark.parametrize("seed", _SEEDS)
def test_rows_come_back_from_ion(athena: Athena, seed: int) -> None:
    random, kinds, rows, expected = made(seed, ("string", "boolean"))
    items = [
        {f"C{number}": cell for number, cell in enumerate(row) if cell is not None or random.random() < 0.5}
        for row in rows
    ]
    body = gzip.compress("".join(f"$ion_1_0 {ion({'Item': item})}{random.choice(_ENDS)}" for item in items).encode())
    paths = ", ".join(f"'ion.c{number}.path_extractor' = '(Item C{number})'" for number in range(len(kinds)))
    form = f"row format serde 'com.amazon.ionhiveserde.IonHiveSerDe' with serdeproperties ({paths}) stored as ion"

    assert read_back(athena, f"ion/{seed}", kinds, body, form) == expected


@pytest.mark.parametrize("seed", _SEEDS)
def test_rows_come_back_from_parquet_however_it_was_written(athena: Athena, seed: int) -> None:
    random, kinds, rows, expected = made(seed, ("string", "boolean", "bigint", "date", "timestamp"))
    is_large = random.random() < 0.5
    cells = [pa.array([row[index] for row in rows], arrow(kind, is_large=is_large)) for index, kind in enumerate(kinds)]
    out = io.BytesIO()
    pq.write_table(
        pa.table(cells, names=[f"C{index}" for index in range(len(cells))]),
        out,
        use_dictionary=random.random() < 0.5,
        row_group_size=random.choice((1, 7, 1000)),
        data_page_version=random.choice(("1.0", "2.0")),
        store_schema=random.random() < 0.7,
    )

    assert read_back(athena, f"parquet/{seed}", kinds, out.getvalue(), "stored as parquet") == expected


@pytest.mark.parametrize("serde", ["org.openx.data.jsonserde.JsonSerDe", "org.apache.hive.hcatalog.data.JsonSerDe"])
@pytest.mark.parametrize("seed", _SEEDS)
def test_rows_come_back_from_json(athena: Athena, seed: int, serde: str) -> None:
    _, kinds, rows, expected = made(seed, ("string", "boolean", "bigint", "date"))
    lines = [plain_json({f"c{number}": cell for number, cell in enumerate(row)}) for row in rows]
    place = f"json/{serde.split('.')[1]}/{seed}"

    found = read_back(athena, place, kinds, "\n".join(lines).encode(), f"row format serde '{serde}'")

    assert found == expected


@pytest.mark.parametrize("seed", _SEEDS)
def test_rows_come_back_from_csv(athena: Athena, seed: int) -> None:
    texts = tuple(text for text in _TEXTS if "\n" not in text)
    random = Random(seed)
    rows = [tuple(random.choice(texts) for _ in range(4)) for _ in range(40)]
    lines = (",".join('"' + re.sub(r'(["\\])', r"\\\1", text) + '"' for text in row) for row in rows)
    body = "".join(line + random.choice(("\n", "\r\n")) for line in lines).encode()
    form = "row format serde 'org.apache.hadoop.hive.serde2.OpenCSVSerde'"

    assert read_back(athena, f"csv/{seed}", ["string"] * 4, body, form) == rows
