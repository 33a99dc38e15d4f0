"""What the classify step leans on holds in the local DynamoDB: scans in segments, conditions, limits."""

from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import pytest
from botocore.exceptions import ClientError

from local_aws.dynamodb.item_size import item_bytes
from local_aws.dynamodb.transactions import Transactions

TABLE = "chat-conversations"


@pytest.fixture
def dynamodb(local_aws):
    local_aws.create_stack()
    return local_aws.client("dynamodb")


def _put(dynamodb, count, **attributes):
    keys = [f"c{number:03d}" for number in range(count)]
    for key in keys:
        dynamodb.put_item(TableName=TABLE, Item={"conversation_id": {"S": key}, **attributes})
    return keys


def _scan(dynamodb, **arguments):
    pages, start = [], {}
    while True:
        page = dynamodb.scan(TableName=TABLE, **arguments, **start)
        pages.append([item["conversation_id"]["S"] for item in page["Items"]])
        if "LastEvaluatedKey" not in page:
            return pages
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def _flat(pages):
    return list(chain.from_iterable(pages))


@pytest.mark.parametrize("total", [1, 2, 3, 16])
def test_the_segments_of_a_scan_hold_every_item_exactly_once(dynamodb, total):
    keys = _put(dynamodb, 60)

    segments = [_flat(_scan(dynamodb, Segment=number, TotalSegments=total, Limit=7)) for number in range(total)]

    assert sorted(_flat(segments)) == keys
    assert sum(1 for segment in segments if segment) > total / 2


def test_a_page_counts_items_before_the_filter_and_paging_still_finds_all(dynamodb):
    keys = _put(dynamodb, 20)
    for key in keys[15:]:
        dynamodb.put_item(TableName=TABLE, Item={"conversation_id": {"S": key}, "evaluation": {"M": {}}})

    pages = _scan(dynamodb, Limit=5, FilterExpression="attribute_exists(evaluation)")

    assert sorted(_flat(pages)) == keys[15:]
    assert [] in pages


def test_a_page_ends_at_one_megabyte(dynamodb):
    keys = _put(dynamodb, 8, text={"S": "x" * 300_000})

    pages = _scan(dynamodb)

    assert sorted(_flat(pages)) == keys
    assert all(len(page) <= 3 for page in pages)


def test_paging_goes_on_when_the_last_item_of_a_page_was_deleted(dynamodb):
    keys = _put(dynamodb, 10)
    first = dynamodb.scan(TableName=TABLE, Limit=4)

    dynamodb.delete_item(TableName=TABLE, Key=first["LastEvaluatedKey"])
    rest = dynamodb.scan(TableName=TABLE, ExclusiveStartKey=first["LastEvaluatedKey"])

    assert sorted(item["conversation_id"]["S"] for page in (first, rest) for item in page["Items"]) == keys


def test_of_many_writers_at_once_one_meets_the_condition(dynamodb, local_aws):
    _put(dynamodb, 1)

    def claim(number):
        try:
            dynamodb.update_item(
                TableName=TABLE,
                Key={"conversation_id": {"S": "c000"}},
                UpdateExpression="SET claimed_by = :me",
                ConditionExpression="attribute_exists(conversation_id) AND attribute_not_exists(claimed_by)",
                ExpressionAttributeValues={":me": {"N": str(number)}},
            )
        except dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        won = list(threads.map(claim, range(24)))

    assert won.count(True) == 1
    item = dynamodb.get_item(TableName=TABLE, Key={"conversation_id": {"S": "c000"}})["Item"]
    assert item["claimed_by"] == {"N": str(won.index(True))}
    assert local_aws.stats()["dynamodb_writes"] == {TABLE: 2}


def test_additions_of_many_writers_add_up(dynamodb):
    def add(_number):
        dynamodb.update_item(
            TableName="chatcensus-control",
            Key={"pk": {"S": "run"}, "sk": {"S": "spend"}},
            UpdateExpression="ADD spent :x",
            ExpressionAttributeValues={":x": {"N": "7"}},
        )

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, range(40)))

    item = dynamodb.get_item(TableName="chatcensus-control", Key={"pk": {"S": "run"}, "sk": {"S": "spend"}})["Item"]
    assert item["spent"] == {"N": "280"}


def test_an_update_past_400_kb_is_refused_and_changes_nothing(dynamodb):
    _put(dynamodb, 1, text={"S": "x" * 400_000})

    with pytest.raises(ClientError, match="size") as refused:
        dynamodb.update_item(
            TableName=TABLE,
            Key={"conversation_id": {"S": "c000"}},
            UpdateExpression="SET evaluation = :e",
            ExpressionAttributeValues={":e": {"S": "y" * 12_000}},
        )

    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert set(dynamodb.get_item(TableName=TABLE, Key={"conversation_id": {"S": "c000"}})["Item"]) == {
        "conversation_id",
        "text",
    }


def test_an_update_of_a_deleted_item_with_its_condition_leaves_no_ghost(dynamodb):
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.update_item(
            TableName=TABLE,
            Key={"conversation_id": {"S": "gone"}},
            UpdateExpression="SET evaluation = :e",
            ConditionExpression="attribute_exists(conversation_id)",
            ExpressionAttributeValues={":e": {"S": "y"}},
        )

    assert _scan(dynamodb) == [[]]


def test_scans_run_while_others_write(dynamodb):
    _put(dynamodb, 40)

    with ThreadPoolExecutor(4) as threads:
        scans = [threads.submit(_scan, dynamodb, Limit=5) for _ in range(3)]
        for number in range(100, 140):
            dynamodb.put_item(TableName=TABLE, Item={"conversation_id": {"S": f"c{number}"}})
        found = [set(_flat(scan.result())) for scan in scans]

    assert all({f"c{number:03d}" for number in range(40)} <= keys for keys in found)


EVERY_TYPE = {
    "s": {"S": "改行\n"},
    "n": {"N": "-12.5"},
    "b": {"B": b"\0\xff"},
    "yes": {"BOOL": True},
    "nothing": {"NULL": True},
    "ss": {"SS": ["x", "y"]},
    "ns": {"NS": ["1", "2.5"]},
    "bs": {"BS": [b"1", b"\xfe"]},
    "l": {"L": [{"B": b"deep"}, {"M": {"n": {"N": "7"}}}]},
}


@pytest.mark.parametrize("name", EVERY_TYPE)
def test_a_condition_on_any_type_holds_for_an_item_at_rest(dynamodb, name):
    item = {"conversation_id": {"S": "c"}, **EVERY_TYPE}
    dynamodb.put_item(TableName=TABLE, Item=item)

    dynamodb.update_item(
        TableName=TABLE,
        Key={"conversation_id": {"S": "c"}},
        UpdateExpression="SET seen = :yes",
        ConditionExpression="#a = :a",
        ExpressionAttributeNames={"#a": name},
        ExpressionAttributeValues={":a": EVERY_TYPE[name], ":yes": {"BOOL": True}},
    )

    found = dynamodb.get_item(TableName=TABLE, Key={"conversation_id": {"S": "c"}})["Item"]
    assert found == {**item, "seen": {"BOOL": True}}


def test_updates_of_what_is_deep_within_an_item_are_kept(dynamodb):
    key = {"conversation_id": {"S": "c"}}
    dynamodb.put_item(TableName=TABLE, Item={**key, **EVERY_TYPE})
    for expression, values in [
        ("SET l[1].n = l[1].n + :one", {":one": {"N": "1"}}),
        ("ADD ss :z", {":z": {"SS": ["z"]}}),
        ("DELETE bs :one", {":one": {"BS": [b"1"]}}),
        ("REMOVE l[0]", None),
    ]:
        arguments = {"ExpressionAttributeValues": values} if values else {}
        dynamodb.update_item(TableName=TABLE, Key=key, UpdateExpression=expression, **arguments)

    found = dynamodb.get_item(TableName=TABLE, Key=key)["Item"]
    assert found["l"] == {"L": [{"M": {"n": {"N": "8"}}}]}
    assert sorted(found["ss"]["SS"]) == ["x", "y", "z"]
    assert found["bs"] == {"BS": [b"\xfe"]}


@pytest.mark.parametrize("exists", [True, False], ids=["an item", "no item"])
def test_an_update_that_is_refused_half_way_leaves_what_was_there(dynamodb, exists):
    key = {"conversation_id": {"S": "c"}}
    if exists:
        dynamodb.put_item(TableName=TABLE, Item={**key, "n": {"N": "1"}})

    with pytest.raises(ClientError, match="size"):
        dynamodb.update_item(
            TableName=TABLE,
            Key=key,
            UpdateExpression="SET a = :a, b = :b",
            ExpressionAttributeValues={":a": {"S": "a" * 250_000}, ":b": {"S": "b" * 250_000}},
        )

    assert dynamodb.scan(TableName=TABLE)["Items"] == ([{**key, "n": {"N": "1"}}] if exists else [])


def test_the_size_of_a_table_follows_every_write(dynamodb):
    def size():
        return dynamodb.describe_table(TableName=TABLE)["Table"]["TableSizeBytes"]

    assert size() == 0
    _put(dynamodb, 3, text={"S": "x" * 100})
    assert size() == 3 * (len("conversation_id") + len("c000") + len("text") + 100)
    dynamodb.update_item(
        TableName=TABLE,
        Key={"conversation_id": {"S": "c000"}},
        UpdateExpression="REMOVE #t",
        ExpressionAttributeNames={"#t": "text"},
    )
    dynamodb.delete_item(TableName=TABLE, Key={"conversation_id": {"S": "c001"}})
    assert size() == 2 * (len("conversation_id") + len("c000")) + len("text") + 100


def test_a_query_goes_on_page_by_page_in_both_directions(dynamodb):
    for number in range(7):
        dynamodb.put_item(TableName="chatcensus-control", Item={"pk": {"S": "run"}, "sk": {"S": f"{number}"}})
    dynamodb.put_item(TableName="chatcensus-control", Item={"pk": {"S": "other"}, "sk": {"S": "0"}})

    def keys(**order):
        pages = dynamodb.get_paginator("query").paginate(
            TableName="chatcensus-control",
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": "run"}},
            PaginationConfig={"PageSize": 3},
            **order,
        )
        return [item["sk"]["S"] for page in pages for item in page["Items"]]

    assert keys() == [f"{number}" for number in range(7)]
    assert keys(ScanIndexForward=False) == [f"{number}" for number in range(6, -1, -1)]


@pytest.mark.parametrize(
    ("number", "size"),
    [("0", 1), ("7", 2), ("1234", 3), ("-1234", 4), ("1E-130", 2), ("1.50E+3", 2), ("120000", 2), ("9" * 38, 20)],
)
def test_a_number_takes_a_byte_for_two_digits_whatever_its_exponent(number, size):
    assert item_bytes({"": {"N": number}}) == size


@pytest.mark.parametrize("key", [{"M": {}}, {"S": ""}, {"N": "1"}, {"L": []}], ids=["map", "empty", "number", "list"])
def test_a_key_of_the_wrong_type_is_refused(dynamodb, key):
    with pytest.raises(ClientError) as refused:
        dynamodb.put_item(TableName=TABLE, Item={"conversation_id": key})

    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert _scan(dynamodb) == [[]]


@pytest.fixture
def by_number(local_aws):
    client = local_aws.client("dynamodb")
    for name, kind in (("numbers", "N"), ("binaries", "B")):
        client.create_table(
            TableName=name,
            AttributeDefinitions=[
                {"AttributeName": "k", "AttributeType": kind},
                {"AttributeName": "g", "AttributeType": "S"},
            ],
            KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by-g",
                    "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
            BillingMode="PAY_PER_REQUEST",
        )
    return client


@pytest.mark.parametrize(
    ("written", "kept"),
    [("1.0", "1"), ("0100", "100"), ("1E2", "100"), ("-0", "0"), ("-1.50", "-1.5"), ("9.9E+125", "9.9E+125")],
)
def test_a_number_comes_back_without_idle_zeros_however_it_was_written(by_number, written, kept):
    by_number.put_item(
        TableName="numbers", Item={"k": {"N": "1"}, "n": {"N": written}, "l": {"L": [{"NS": [written]}]}}
    )

    item = by_number.get_item(TableName="numbers", Key={"k": {"N": "1.0"}})["Item"]

    assert item == {"k": {"N": "1"}, "n": {"N": kept}, "l": {"L": [{"NS": [kept]}]}}


@pytest.mark.parametrize(
    ("table", "item", "message"),
    [
        ("binaries", {"k": {"B": b""}}, "cannot contain an empty binary value. Key: k"),
        ("numbers", {"k": {"N": "1"}, "g": {"N": "1"}}, "Type mismatch for Index Key g Expected: S Actual: N"),
    ],
)
def test_a_key_that_no_table_or_index_can_hold_is_refused(by_number, table, item, message):
    with pytest.raises(ClientError, match=message):
        by_number.put_item(TableName=table, Item=item)

    assert by_number.scan(TableName=table)["Items"] == []


def test_a_batch_that_names_an_item_twice_is_refused_whole(by_number):
    puts = [{"PutRequest": {"Item": {"k": {"N": number}}}} for number in ("1", "1.0")]

    with pytest.raises(ClientError, match="contains duplicates"):
        by_number.batch_write_item(RequestItems={"numbers": puts})

    assert by_number.scan(TableName="numbers")["Items"] == []


def _count_up(client, by="1"):
    update = {
        "TableName": "numbers",
        "Key": {"k": {"N": "1"}},
        "UpdateExpression": "ADD n :by",
        "ExpressionAttributeValues": {":by": {"N": by}},
    }
    client.transact_write_items(TransactItems=[{"Update": update}], ClientRequestToken="token")


def test_a_transaction_that_comes_again_with_its_token_is_done_once(by_number):
    _count_up(by_number)
    _count_up(by_number)

    assert by_number.get_item(TableName="numbers", Key={"k": {"N": "1"}})["Item"]["n"] == {"N": "1"}


def test_another_transaction_with_the_same_token_is_refused(by_number):
    _count_up(by_number)

    with pytest.raises(ClientError) as refused:
        _count_up(by_number, by="2")

    assert refused.value.response["Error"]["Code"] == "IdempotentParameterMismatchException"


def test_a_token_is_forgotten_after_ten_minutes():
    transactions = Transactions()
    transactions.done("token", "digest", 0)

    assert transactions.is_repeat("token", "digest", 599_999_999)
    assert not transactions.is_repeat("token", "another", 600_000_000)


@pytest.mark.parametrize("expression", ["", " ", "a" * 4097])
def test_an_expression_that_is_empty_or_too_long_is_refused(by_number, expression):
    with pytest.raises(ClientError, match=r"can not be empty|exceeded the maximum"):
        by_number.put_item(TableName="numbers", Item={"k": {"N": "1"}}, ConditionExpression=expression)

    assert by_number.scan(TableName="numbers")["Items"] == []


def test_a_page_that_begins_at_no_key_is_refused(by_number):
    by_number.put_item(TableName="numbers", Item={"k": {"N": "1"}})

    with pytest.raises(ClientError, match="starting key is invalid"):
        by_number.scan(TableName="numbers", ExclusiveStartKey={"z": {"N": "1"}})


def test_a_value_may_be_nested_32_levels_deep_and_no_deeper(by_number):
    value = {"S": "x"}
    for _ in range(32):
        value = {"L": [value]}
    by_number.put_item(TableName="numbers", Item={"k": {"N": "1"}, "deep": value})

    with pytest.raises(ClientError, match="Nesting Levels have exceeded supported limits"):
        by_number.put_item(TableName="numbers", Item={"k": {"N": "2"}, "deep": {"L": [value]}})
