"""Random writes, then random reads of the local DynamoDB, beside a dictionary that answers them in the naive way."""

from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TABLE = "chat"
SPARSE = {"IndexName": "sparse", "keys": ("g",), "others": set[str]()}
BY_DAY = {"IndexName": "by-day", "keys": ("d", "t"), "others": {"x"}}
ORDERS: dict[str | None, dict[str, Any]] = {None: {"keys": ("p", "s")}, "sparse": SPARSE, "by-day": BY_DAY}
TYPES = {"p": "S", "s": "N", "g": "S", "d": "S", "t": "S"}
TIMES = ["", "1", "10", "2", "é", "\U0001f600", "\uffff"]

Item = dict[str, Any]

items = st.fixed_dictionaries(
    {"p": st.sampled_from("ab"), "s": st.sampled_from(["-1", "0", "2", "10", "1.5"])},
    optional={
        "g": st.just("1"),
        "d": st.sampled_from(["d1", "d2"]),
        "t": st.sampled_from(TIMES[1:]),
        "x": st.sampled_from(["u", "uv"]),
        "n": st.sampled_from(["1", "9", "10"]),
    },
)
writes = st.lists(st.tuples(st.sampled_from(["put", "update", "delete"]), items), max_size=25)
conditions = st.sampled_from(["=", "<", "<=", ">", ">=", "BETWEEN", "begins_with"])
filters = st.sampled_from(
    [None, "attribute_exists(n)", "NOT begins_with(x, :u)", "n > :nine", "x = :u OR n <> :nine", "contains(x, :v)"]
)
reads = st.tuples(
    st.sampled_from([None, "sparse", "by-day"]),
    st.sampled_from(["a", "1", "d1"]),
    conditions,
    st.lists(st.sampled_from(TIMES[1:]), min_size=2, max_size=2).map(sorted),
    filters,
    st.integers(1, 4),
    st.booleans(),
)


def _typed(item: Item) -> Item:
    return {name: {"N" if name in "sn" else "S": value} for name, value in item.items()}


def _write(client: Any, kept: dict[Any, Item], kind: str, item: Item) -> None:
    key = {name: item[name] for name in "ps"}
    place = (item["p"], Decimal(item["s"]))
    if kind == "put":
        client.put_item(TableName=TABLE, Item=_typed(item))
        kept[place] = item
    elif kind == "delete":
        client.delete_item(TableName=TABLE, Key=_typed(key))
        kept.pop(place, None)
    else:
        others = {name: value for name, value in item.items() if name not in key}
        removed = [name for name in "gdtxn" if name not in others]
        parts = ["SET " + ", ".join(f"#{name} = :{name}" for name in others)] if others else []
        parts += ["REMOVE " + ", ".join(f"#{name}" for name in removed)] if removed else []
        client.update_item(
            TableName=TABLE,
            Key=_typed(key),
            UpdateExpression=" ".join(parts),
            ExpressionAttributeNames={f"#{name}": name for name in "gdtxn"},
            **(
                {"ExpressionAttributeValues": {f":{name}": value for name, value in _typed(others).items()}}
                if others
                else {}
            ),
        )
        kept[place] = kept.get(place, key) | others
        for name in removed:
            kept[place].pop(name, None)


def _passes(item: Item, condition: str | None) -> bool:
    x, n = item.get("x"), item.get("n")
    return {
        None: True,
        "attribute_exists(n)": "n" in item,
        "NOT begins_with(x, :u)": x is None,
        "n > :nine": n is not None and Decimal(n) > 9,
        "x = :u OR n <> :nine": x == "u" or n != "9",
        "contains(x, :v)": x == "uv",
    }[condition]


def _is_in_range(value: str, condition: str, low: str, high: str) -> bool:
    """Compare as DynamoDB does: by the bytes of UTF-8."""
    one, least, most = value.encode(), low.encode(), high.encode()
    return {
        "=": one == least,
        "<": one < least,
        "<=": one <= least,
        ">": one > least,
        ">=": one >= least,
        "BETWEEN": least <= one <= most,
        "begins_with": one.startswith(least),
    }[condition]


def _held(kept: dict[Any, Item], index: str | None) -> list[Item]:
    """Return what a table or an index holds of the items."""
    order = ORDERS[index]
    present = [item for item in kept.values() if item.keys() >= {*order["keys"]}]
    if index is None:
        return present
    shown = {"p", "s", *order["keys"], *order["others"]}
    return [{name: value for name, value in item.items() if name in shown} for item in present]


def _pages(read: Any, **request: Any) -> tuple[list[Item], int]:
    """Return all items, page by page, and how many were looked at."""
    found, scanned, more = list[Item](), 0, {}
    while True:
        page = read(TableName=TABLE, **request, **more)
        assert page["ScannedCount"] <= request["Limit"]
        assert page["Count"] == len(page["Items"])
        found += page["Items"]
        scanned += page["ScannedCount"]
        if "LastEvaluatedKey" not in page:
            return found, scanned
        more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def _asked(index: str | None, condition: str | None, limit: int, **values: Any) -> dict[str, Any]:
    used = {name: value for name, value in ((":u", "u"), (":v", "v")) if condition and name in condition}
    typed = {name: {"S": value} for name, value in used.items()}
    typed |= {":nine": {"N": "9"}} if condition and ":nine" in condition else {}
    typed |= values
    return {
        "Limit": limit,
        **({"IndexName": index} if index else {}),
        **({"FilterExpression": condition} if condition else {}),
        **({"ExpressionAttributeValues": typed} if typed else {}),
    }


def _check_query(client: Any, kept: dict[Any, Item], read: tuple[Any, ...]) -> None:
    index, value, sign, (low, high), condition, limit, is_forward = read
    key, *sort = ORDERS[index]["keys"]
    expected = [item for item in _held(kept, index) if item[key] == value]
    text, typed = f"{key} = :key", {":key": {"S": value}}
    if sort == ["t"]:
        typed[":low"] = {"S": low}
        text += " AND " + {
            "BETWEEN": "t BETWEEN :low AND :high",
            "begins_with": "begins_with(t, :low)",
        }.get(sign, f"t {sign} :low")
        if sign == "BETWEEN":
            typed[":high"] = {"S": high}
        expected = [item for item in expected if _is_in_range(item["t"], sign, low, high)]
    scanned_alone = len(expected)
    expected = [item for item in expected if _passes(item, condition)]

    found, scanned = _pages(
        client.query,
        KeyConditionExpression=text,
        ScanIndexForward=is_forward,
        **_asked(index, condition, limit, **typed),
    )

    assert scanned == scanned_alone
    assert sorted(map(_sorted, found)) == sorted(_sorted(_typed(item)) for item in expected)
    if sort:
        as_sorted = [_place(item[sort[0]]) for item in found]
        assert as_sorted == sorted(as_sorted, reverse=not is_forward)


def _check_scan(client: Any, kept: dict[Any, Item], read: tuple[Any, ...]) -> None:
    index, _, _, _, condition, limit, _ = read
    held = _held(kept, index)
    for segments in (1, 3):
        parts = [
            _pages(client.scan, Segment=segment, TotalSegments=segments, **_asked(index, condition, limit))
            for segment in range(segments)
        ]
        found = [_sorted(item) for part, _ in parts for item in part]
        assert sum(scanned for _, scanned in parts) == len(held)
        assert sorted(found) == sorted(_sorted(_typed(item)) for item in held if _passes(item, condition))


def _sorted(item: Item) -> str:
    return str(sorted(item.items()))


def _place(attribute: dict[str, str]) -> Any:
    return Decimal(attribute["N"]) if "N" in attribute else attribute["S"].encode()


def _create(client: Any) -> None:
    def schema(keys: tuple[str, ...]) -> list[dict[str, str]]:
        return [{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)]

    kinds = {
        "sparse": {"ProjectionType": "KEYS_ONLY"},
        "by-day": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["x"]},
    }
    client.create_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in TYPES.items()],
        KeySchema=schema(("p", "s")),
        GlobalSecondaryIndexes=[
            {"IndexName": name, "KeySchema": schema(ORDERS[name]["keys"]), "Projection": projection}
            for name, projection in kinds.items()
        ],
        BillingMode="PAY_PER_REQUEST",
    )


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(writes, st.lists(reads, min_size=1, max_size=4))
def test_reads_of_table_and_indexes_find_what_a_dictionary_of_the_writes_holds(local_aws, written, asked):
    local_aws.reset()
    client, kept = local_aws.client("dynamodb"), dict[Any, Item]()
    _create(client)

    for kind, item in written:
        _write(client, kept, kind, item)

    for read in asked:
        _check_query(client, kept, read)
        _check_scan(client, kept, read)
