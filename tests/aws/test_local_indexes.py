"""Reads of the local DynamoDB say what the writes made, at every index, and cost what they read."""

import json
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local_aws.dynamodb.key_order import after_prefix

TABLE = "chat"
CREATE = {
    "TableName": TABLE,
    "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in ("pS", "sN", "dS", "tN")],
    "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
    "BillingMode": "PAY_PER_REQUEST",
}


def _index(name, *keys, kind="ALL", others=()):
    schema = [{"AttributeName": key, "KeyType": role} for key, role in zip(keys, ("HASH", "RANGE"), strict=False)]
    projection = {"ProjectionType": kind, **({"NonKeyAttributes": list(others)} if others else {})}
    return {"IndexName": name, "KeySchema": schema, "Projection": projection}


ALL = [
    _index("all", "d", "t"),
    _index("keys", "d", "t", kind="KEYS_ONLY"),
    _index("day", "d", kind="INCLUDE", others=["x"]),
]
LOCAL = _index("local", "p", "t", kind="KEYS_ONLY")


@pytest.fixture
def dynamodb(local_aws):
    client = local_aws.client("dynamodb")
    client.create_table(**CREATE, GlobalSecondaryIndexes=ALL, LocalSecondaryIndexes=[LOCAL])
    return client


def _item(p, s, **others):
    return {"p": {"S": p}, "s": {"N": str(s)}, **others}


def _put(dynamodb, *items):
    for item in items:
        dynamodb.put_item(TableName=TABLE, Item=item)


def _pages(dynamodb, action, **arguments):
    pages = dynamodb.get_paginator(action).paginate(TableName=TABLE, **arguments)
    return [item for page in pages for item in page["Items"]]


def _query(dynamodb, index, condition, **values):
    """Return the sort keys of what a Query finds, forward and backward."""
    found = [
        [
            item["s"]["N"]
            for item in _pages(
                dynamodb,
                "query",
                IndexName=index,
                KeyConditionExpression=condition,
                ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
                ScanIndexForward=is_forward,
                PaginationConfig={"PageSize": 2},
            )
        ]
        for is_forward in (True, False)
    ]
    assert found[0] == found[1][::-1]
    return found[0]


@pytest.fixture
def day(dynamodb):
    """Six items of one day, at 1 to 6, and what an index by day does not hold."""
    _put(dynamodb, *(_item("a", n, d={"S": "2026-10-01"}, t={"N": str(n)}, x={"S": "x"}) for n in range(1, 7)))
    _put(dynamodb, _item("a", 7, d={"S": "2026-10-02"}, t={"N": "1"}), _item("a", 8, t={"N": "1"}), _item("a", 9))
    return dynamodb


@pytest.mark.parametrize(
    ("condition", "values", "found"),
    [
        ("d = :d", {}, "123456"),
        ("d = :d AND t = :a", {"a": 3}, "3"),
        ("d = :d and t < :a", {"a": 3}, "12"),
        ("t <= :a AND d = :d", {"a": 3}, "123"),
        ("d=:d AND t>:a", {"a": 3}, "456"),
        ("(d = :d) AND (t >= :a)", {"a": 3}, "3456"),
        ("d = :d AND t BETWEEN :a AND :b", {"a": 2, "b": 4}, "234"),
    ],
)
@pytest.mark.parametrize("index", ["all", "keys"])
def test_a_query_of_an_index_finds_its_range_in_order(day, index, condition, values, found):
    numbers = {name: {"N": str(value)} for name, value in values.items()}

    assert _query(day, index, condition, d={"S": "2026-10-01"}, **numbers) == list(found)


def test_a_query_by_the_beginning_of_a_sort_key_finds_just_those(local_aws):
    client = local_aws.client("dynamodb")
    client.create_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in "ps"],
        KeySchema=CREATE["KeySchema"],
        BillingMode="PAY_PER_REQUEST",
    )
    keys = ["", "a", "ab", "ab\U0010ffff", "ab\U0010ffffz", "ac", "b"]
    for key in keys[1:]:
        client.put_item(TableName=TABLE, Item={"p": {"S": "p"}, "s": {"S": key}})

    found = client.query(
        TableName=TABLE,
        KeyConditionExpression="p = :p AND begins_with(s, :s)",
        ExpressionAttributeValues={":p": {"S": "p"}, ":s": {"S": "ab"}},
    )

    assert [item["s"]["S"] for item in found["Items"]] == keys[2:5]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("s = :v", "2"),
        ("s >= :v", "23"),
        ("s > :v", "3"),
        ("s <= :v", "12"),
        ("s < :v", "1"),
        ("s BETWEEN :v AND :v", "2"),
    ],
)
def test_a_query_of_a_table_includes_its_bounds_or_not(dynamodb, condition, found):
    _put(dynamodb, *(_item("a", n) for n in (1, 2, 3)), _item("b", 2))

    items = _pages(
        dynamodb,
        "query",
        KeyConditionExpression=f"p = :p AND {condition}",
        ExpressionAttributeValues={":p": {"S": "a"}, ":v": {"N": "2"}},
    )

    assert [item["s"]["N"] for item in items] == list(found)


def test_a_query_of_a_table_without_a_sort_key_finds_its_one_item(local_aws):
    local_aws.create_stack()
    client = local_aws.client("dynamodb")
    for key in ("a", "b"):
        client.put_item(TableName="chat-conversations", Item={"conversation_id": {"S": key}})

    found = client.query(
        TableName="chat-conversations",
        KeyConditionExpression="conversation_id = :k",
        ExpressionAttributeValues={":k": {"S": "a"}},
    )

    assert found["Items"] == [{"conversation_id": {"S": "a"}}]


@given(st.text(min_size=1) | st.binary(min_size=1), st.text() | st.binary())
def test_what_follows_a_prefix_is_beyond_all_that_begin_with_it(prefix, rest):
    end = after_prefix(prefix)

    if isinstance(rest, type(prefix)):
        assert prefix + rest < end
        assert prefix.startswith(rest) or rest.startswith(prefix) or (rest < prefix) == (rest < end)


@pytest.mark.parametrize(
    ("index", "attributes"), [("all", "pdstx"), ("keys", "pdst"), ("day", "pdsx"), ("local", "pst")]
)
def test_an_index_shows_what_it_projects(day, index, attributes):
    names = {name for item in _pages(day, "scan", IndexName=index) for name in item if item["s"]["N"] == "1"}

    assert names == set(attributes)


def test_a_local_index_fetches_from_the_table_what_it_does_not_hold(day):
    asked = {
        "TableName": TABLE,
        "IndexName": "local",
        "KeyConditionExpression": "p = :p AND t = :t",
        "ExpressionAttributeValues": {":p": {"S": "a"}, ":t": {"N": "2"}},
        "ReturnConsumedCapacity": "TOTAL",
    }

    held, fetched = day.query(**asked), day.query(**asked, Select="ALL_ATTRIBUTES")

    assert [set(answer["Items"][0]) for answer in (held, fetched)] == [{*"pst"}, {*"pstdx"}]
    assert [answer["ConsumedCapacity"]["CapacityUnits"] for answer in (held, fetched)] == [0.5, 1.0]


WRITES = st.lists(
    st.tuples(
        st.sampled_from(["put", "update", "delete", "batch", "transact", "refused"]),
        st.sampled_from("ab"),
        st.integers(0, 3),
        st.sampled_from(["2026-10-01", "2026-10-02", None]),
        st.sampled_from([1, 2, None]),
    ),
    max_size=25,
)


def _write(dynamodb, kind, item):
    key = {name: item[name] for name in "ps"}
    match kind:
        case "put":
            dynamodb.put_item(TableName=TABLE, Item=item)
        case "update":
            names = {f"#{name}": name for name in "dt"}
            values = {f":{name}": item[name] for name in "dt" if name in item}
            sets = ", ".join(f"#{name} = :{name}" for name in "dt" if name in item)
            removes = ", ".join(f"#{name}" for name in "dt" if name not in item)
            parts = [f"SET {sets}" if sets else "", f"REMOVE {removes}" if removes else ""]
            more = {"ExpressionAttributeValues": values} if values else {}
            dynamodb.update_item(
                TableName=TABLE, Key=key, UpdateExpression=" ".join(parts), ExpressionAttributeNames=names, **more
            )
        case "delete":
            dynamodb.delete_item(TableName=TABLE, Key=key)
        case "batch":
            other = {**item, "p": {"S": "c"}}
            dynamodb.batch_write_item(RequestItems={TABLE: [{"PutRequest": {"Item": one}} for one in (item, other)]})
        case "transact":
            dynamodb.transact_write_items(TransactItems=[{"Put": {"TableName": TABLE, "Item": item}}])
        case "refused":
            never = {"TableName": TABLE, "Item": item, "ConditionExpression": "attribute_exists(never)"}
            with pytest.raises(ClientError):
                dynamodb.transact_write_items(
                    TransactItems=[{"Put": {"TableName": TABLE, "Item": {**item, "p": {"S": "d"}}}}, {"Put": never}]
                )


def _check_indexes(dynamodb):
    """Compare every index with what the items of the table say."""
    items = _pages(dynamodb, "scan", PaginationConfig={"PageSize": 3})
    described = dynamodb.describe_table(TableName=TABLE)["Table"]
    assert described["ItemCount"] == len(items)
    for index in described["GlobalSecondaryIndexes"] + described["LocalSecondaryIndexes"]:
        keys = [one["AttributeName"] for one in index["KeySchema"]]
        kept = {*keys, *"ps", *index["Projection"].get("NonKeyAttributes", [])}
        kept = kept if index["Projection"]["ProjectionType"] != "ALL" else {*"psdtx"}
        wanted = [{name: item[name] for name in item if name in kept} for item in items if item.keys() >= {*keys}]
        for segments in (1, 3):
            found = [
                item
                for segment in range(segments)
                for item in _pages(
                    dynamodb,
                    "scan",
                    IndexName=index["IndexName"],
                    Segment=segment,
                    TotalSegments=segments,
                    PaginationConfig={"PageSize": 2},
                )
            ]
            assert sorted(map(str, map(_sorted, found))) == sorted(map(str, map(_sorted, wanted)))
        assert index["ItemCount"] == len(wanted)
        assert index["IndexSizeBytes"] == sum(map(_size, wanted))


def _size(item):
    """Return the bytes of an item whose texts are ASCII and whose numbers have one digit."""
    numbers = sum(2 - (value == {"N": "0"}) for value in item.values() if "N" in value)
    return numbers + sum(len(name) + len(value.get("S", "")) for name, value in item.items())


def _sorted(item):
    return dict(sorted(item.items()))


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(WRITES)
def test_indexes_follow_every_kind_of_write(local_aws, writes):
    local_aws.reset()
    dynamodb = local_aws.client("dynamodb")
    dynamodb.create_table(**CREATE, GlobalSecondaryIndexes=ALL, LocalSecondaryIndexes=[LOCAL])
    for kind, p, s, d, t in writes:
        others = {**({"d": {"S": d}} if d else {}), **({"t": {"N": str(t)}} if t else {}), "x": {"S": "x"}}
        _write(dynamodb, kind, _item(p, s, **others))

    _check_indexes(dynamodb)


def test_an_index_that_is_added_holds_what_was_there_and_one_that_is_deleted_is_gone(local_aws):
    dynamodb = local_aws.client("dynamodb")
    _create_without_index(dynamodb)
    _put(dynamodb, _item("a", 1, d={"S": "2026-10-01"}), _item("a", 2), _item("a", 3, d={"N": "1"}))

    _add_index(dynamodb)
    _put(dynamodb, _item("b", 4, d={"S": "2026-10-01"}))

    assert sorted(item["s"]["N"] for item in _pages(dynamodb, "scan", IndexName="day")) == ["1", "4"]
    assert dynamodb.describe_table(TableName=TABLE)["Table"]["GlobalSecondaryIndexes"][0]["IndexStatus"] == "ACTIVE"
    dynamodb.update_table(TableName=TABLE, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "day"}}])
    with pytest.raises(ClientError, match="The table does not have the specified index: day") as refused:
        dynamodb.scan(TableName=TABLE, IndexName="day")
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_what_an_update_of_the_table_does_not_define_again_stays_defined(day):
    key = {"AttributeName": "x", "AttributeType": "S"}
    day.update_table(
        TableName=TABLE,
        AttributeDefinitions=[key],
        GlobalSecondaryIndexUpdates=[{"Create": _index("by-x", "x")}],
    )

    described = day.describe_table(TableName=TABLE)["Table"]["AttributeDefinitions"]
    assert sorted(one["AttributeName"] for one in described) == ["d", "p", "s", "t", "x"]
    with pytest.raises(ClientError, match="Type mismatch for Index Key d"):
        _put(day, _item("a", 1, d={"N": "1"}))
    assert day.scan(TableName=TABLE, IndexName="by-x")["Count"] == 6


def _create_without_index(dynamodb):
    definitions = [one for one in CREATE["AttributeDefinitions"] if one["AttributeName"] in "ps"]
    dynamodb.create_table(**{**CREATE, "AttributeDefinitions": definitions})


def _add_index(dynamodb):
    dynamodb.update_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": "d", "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[{"Create": _index("day", "d", kind="KEYS_ONLY")}],
    )


def test_an_index_that_is_being_built_says_so_and_is_not_read(local_aws):
    dynamodb = local_aws.client("dynamodb")
    _create_without_index(dynamodb)
    _build_for(local_aws, 3600)

    _add_index(dynamodb)

    (index,) = dynamodb.describe_table(TableName=TABLE)["Table"]["GlobalSecondaryIndexes"]
    assert (index["IndexStatus"], index["Backfilling"]) == ("CREATING", True)
    with pytest.raises(ClientError, match="Cannot read from backfilling global secondary index: day"):
        dynamodb.query(
            TableName=TABLE,
            IndexName="day",
            KeyConditionExpression="d = :d",
            ExpressionAttributeValues={":d": {"S": "2026-10-01"}},
        )


@pytest.mark.parametrize("seconds", [None, "soon", -1])
def test_a_time_to_build_that_is_none_is_refused(local_aws, seconds):
    with pytest.raises(urllib.error.HTTPError) as refused:
        _build_for(local_aws, seconds)

    assert refused.value.code == 400
    refused.value.close()


def _build_for(local_aws, seconds):
    request = urllib.request.Request(
        f"{local_aws.endpoint_url}/_local/indexes", json.dumps({"build_s": seconds}).encode(), method="PUT"
    )
    urllib.request.urlopen(request).close()


def _units(answer):
    return answer["ConsumedCapacity"]["CapacityUnits"]


def test_reads_cost_what_dynamodb_bills_for_them(dynamodb, local_aws):
    _put(dynamodb, *(_item("a", n, x={"S": "x" * 5_000}, d={"S": "d"}, t={"N": "1"}) for n in range(4)))
    asked = {"TableName": TABLE, "ReturnConsumedCapacity": "TOTAL"}
    key = {"p": {"S": "a"}, "s": {"N": "1"}}

    assert _units(dynamodb.get_item(**asked, Key=key)) == 1.0
    assert _units(dynamodb.get_item(**asked, Key=key, ConsistentRead=True)) == 2.0
    assert _units(dynamodb.get_item(**asked, Key={**key, "s": {"N": "9"}})) == 0.5
    assert _units(dynamodb.scan(**asked)) == 2.5
    assert _units(dynamodb.scan(**asked, ConsistentRead=True, FilterExpression="attribute_exists(never)")) == 5.0
    assert _units(dynamodb.scan(**asked, IndexName="keys", Select="COUNT")) == 0.5
    keys = [{**key, "s": {"N": str(n)}} for n in range(5)]
    batch = dynamodb.batch_get_item(RequestItems={TABLE: {"Keys": keys}}, ReturnConsumedCapacity="TOTAL")
    assert batch["ConsumedCapacity"] == [{"TableName": TABLE, "CapacityUnits": 4.5}]
    assert len(batch["Responses"][TABLE]) == 4
    assert local_aws.stats()["dynamodb_reads"] == {
        TABLE: {"items": 2 + 4 + 4 + 4, "read_units": 1 + 2 + 0.5 + 2.5 + 5 + 4.5},
        f"{TABLE}/keys": {"items": 4, "read_units": 0.5},
    }


def test_of_an_index_the_capacity_is_said_to_be_the_indexs(day):
    answer = day.scan(TableName=TABLE, IndexName="keys", ReturnConsumedCapacity="INDEXES")

    assert answer["ConsumedCapacity"] == {
        "TableName": TABLE,
        "CapacityUnits": 0.5,
        "Table": {"CapacityUnits": 0.0},
        "GlobalSecondaryIndexes": {"keys": {"CapacityUnits": 0.5}},
    }


def test_a_page_that_ends_at_its_limit_names_the_keys_of_index_and_table(day):
    asked = {"TableName": TABLE, "IndexName": "keys", "KeyConditionExpression": "d = :d"}
    values = {"ExpressionAttributeValues": {":d": {"S": "2026-10-01"}}}

    page = day.query(**asked, **values, Limit=6)

    assert page["LastEvaluatedKey"] == _item("a", 6, d={"S": "2026-10-01"}, t={"N": "6"})
    last = day.query(**asked, **values, ExclusiveStartKey=page["LastEvaluatedKey"])
    assert (last["Count"], "LastEvaluatedKey" in last) == (0, False)


def test_counting_sends_no_items(day):
    answer = day.scan(
        TableName=TABLE, Select="COUNT", FilterExpression="x = :x", ExpressionAttributeValues={":x": {"S": "x"}}
    )

    assert (answer["Count"], answer["ScannedCount"], "Items" in answer) == (6, 9, False)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"IndexName": "none"}, "The table does not have the specified index: none"),
        ({"IndexName": "all", "ConsistentRead": True}, "Consistent reads are not supported on global"),
        ({"IndexName": "keys", "ProjectionExpression": "x"}, r"secondary index keys does not project \[x\]"),
        ({"IndexName": "keys", "Select": "ALL_ATTRIBUTES"}, "ALL_ATTRIBUTES is not supported"),
        ({"ExclusiveStartKey": {"p": {"S": "a"}}}, "starting key is invalid"),
        ({"Segment": 2, "TotalSegments": 2}, "must be less than parameter TotalSegments"),
        ({"Segment": 0}, "TotalSegments parameter is required"),
        ({"FilterExpression": "x = :x"}, "not defined; attribute value: :x"),
        ({"ExpressionAttributeNames": {"#x": "x"}}, r"unused in expressions: keys: \{#x\}"),
        ({"FilterExpression": "x = = y"}, "Invalid FilterExpression"),
        ({"ProjectionExpression": "x, x"}, "overlap"),
        ({"ProjectionExpression": "x..y"}, "Syntax error"),
        ({"ProjectionExpression": "user"}, "reserved keyword: user"),
        ({"AttributesToGet": ["x"]}, "does not answer AttributesToGet"),
    ],
    ids=str,
)
def test_a_scan_that_dynamodb_refuses_is_refused(day, asked, reason):
    with pytest.raises(ClientError, match=reason) as refused:
        day.scan(TableName=TABLE, **asked)

    assert refused.value.response["Error"]["Code"] == "ValidationException"


@pytest.mark.parametrize(
    ("condition", "values", "reason"),
    [
        ("t = :t", {"t": {"N": "1"}}, "missed key schema element: d"),
        ("d > :d", {"d": {"S": "x"}}, "Query key condition not supported"),
        ("d = :d AND x = :x", {"d": {"S": "x"}, "x": {"S": "x"}}, "missed key schema element"),
        ("d = :d AND t = :t", {"d": {"S": "x"}, "t": {"S": "1"}}, "does not match schema type"),
        ("d = :d OR t = :t", {"d": {"S": "x"}, "t": {"N": "1"}}, "Syntax error"),
        ("d = :d AND t BETWEEN :a AND :b", {"d": {"S": "x"}, "a": {"N": "2"}, "b": {"N": "1"}}, "upper bound"),
        ("d = :d AND t > :a AND t < :b", {"d": {"S": "x"}, "a": {"N": "1"}, "b": {"N": "2"}}, "one condition per key"),
        ("d = :d AND begins_with(t, :t)", {"d": {"S": "x"}, "t": {"N": "1"}}, "not supported"),
    ],
)
def test_a_query_that_dynamodb_refuses_is_refused(day, condition, values, reason):
    with pytest.raises(ClientError, match=reason) as refused:
        day.query(
            TableName=TABLE,
            IndexName="all",
            KeyConditionExpression=condition,
            ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
        )

    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_a_filter_of_a_query_may_not_name_its_key(day):
    with pytest.raises(ClientError, match="non-primary key attributes: Primary key attribute: t"):
        day.query(
            TableName=TABLE,
            IndexName="all",
            KeyConditionExpression="d = :d",
            FilterExpression="t = :t",
            ExpressionAttributeValues={":d": {"S": "2026-10-01"}, ":t": {"N": "1"}},
        )


FULL = {
    "p": {"S": "a"},
    "s": {"N": "1"},
    "text": {"S": "改行"},
    "n": {"N": "10"},
    "yes": {"BOOL": True},
    "nothing": {"NULL": True},
    "tags": {"SS": ["a", "b"]},
    "raw": {"B": b"\x01\x02"},
    "list": {"L": [{"N": "1"}, {"M": {"deep": {"S": "x"}}}]},
    "map": {"M": {"below": {"N": "2"}}},
}


@pytest.mark.parametrize(
    ("condition", "values", "passes"),
    [
        ("n > :v", {"N": "9"}, True),
        ("n > :v", {"S": "9"}, False),
        ("n = :v", {"BOOL": True}, False),
        ("n BETWEEN :v AND n", {"N": "10"}, True),
        ("text BETWEEN :v AND text", {"N": "1"}, False),
        ("gone = :v", {"NULL": True}, False),
        ("gone <> :v", {"NULL": True}, True),
        ("nothing = :v", {"NULL": True}, True),
        ("size(text) = :v", {"N": "6"}, True),
        ("size(gone) = :v", {"N": "0"}, False),
        ("size(raw) = :v", {"N": "2"}, True),
        ("contains(tags, :v)", {"S": "a"}, True),
        ("contains(tags, :v)", {"N": "1"}, False),
        ("contains(list, :v)", {"N": "1"}, True),
        ("begins_with(text, :v)", {"S": "改"}, True),
        ("begins_with(raw, :v)", {"B": b"\x01"}, True),
        ("list[1].deep = :v", {"S": "x"}, True),
        ("list[7].deep = :v", {"S": "x"}, False),
        ("map.below = :v", {"N": "2"}, True),
        ("attribute_type(yes, :v)", {"S": "BOOL"}, True),
        ("n IN (:v, text)", {"N": "10"}, True),
        ("NOT (n = :v OR text = :v)", {"N": "10"}, False),
        ("attribute_not_exists(gone) AND n <= :v", {"N": "10"}, True),
        ("attribute_exists(map.below) AND map.below < :v", {"N": "1"}, False),
    ],
)
def test_a_filter_compares_like_with_like(dynamodb, condition, values, passes):
    _put(dynamodb, FULL)

    names = {"ExpressionAttributeNames": {}}
    for word in ("text", "list", "map", "raw"):
        if word in condition:
            condition = condition.replace(word, f"#{word}")
            names["ExpressionAttributeNames"][f"#{word}"] = word
    found = dynamodb.scan(
        TableName=TABLE,
        FilterExpression=condition,
        ExpressionAttributeValues={":v": values},
        **(names if names["ExpressionAttributeNames"] else {}),
    )

    assert found["Count"] == passes


def test_a_projection_takes_what_is_there_and_no_more(dynamodb):
    _put(dynamodb, FULL)

    found = dynamodb.get_item(
        TableName=TABLE,
        Key={"p": {"S": "a"}, "s": {"N": "1"}},
        ProjectionExpression="n, #l[1].deep, #m.nothing, gone, #r[0]",
        ExpressionAttributeNames={"#l": "list", "#m": "map", "#r": "raw"},
    )

    assert found["Item"] == {"n": {"N": "10"}, "list": {"L": [{"M": {"deep": {"S": "x"}}}]}}


@pytest.mark.parametrize("key", [{"p": {"S": "a"}}, {"p": {"N": "1"}, "s": {"N": "1"}}, _item("a", 1, x={"S": "x"})])
def test_a_key_that_is_not_the_tables_is_refused(dynamodb, key):
    with pytest.raises(ClientError, match="does not match the schema"):
        dynamodb.get_item(TableName=TABLE, Key=key)


def test_a_batch_of_more_than_16_megabytes_leaves_the_rest_for_another(dynamodb):
    _put(dynamodb, *(_item("a", n, x={"S": "x" * 400_000}) for n in range(45)))
    left = {TABLE: {"Keys": [_item("a", n) for n in range(45)], "ConsistentRead": True}}

    found = []
    while left:
        answer = dynamodb.batch_get_item(RequestItems=left)
        found.append(len(answer["Responses"][TABLE]))
        left = answer["UnprocessedKeys"]

    assert found == [41, 4]
