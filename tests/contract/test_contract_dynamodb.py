"""What the census relies on in DynamoDB."""

from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from tests.contract.conftest import Account, refusal

KEY = {"pk": {"S": "c"}}


@pytest.fixture(scope="module")
def table(account: Account) -> str:
    return account.table(has_backups=False)[0]


def test_a_condition_that_is_false_changes_nothing_and_may_show_the_item(account: Account, table: str) -> None:
    dynamodb = account.client("dynamodb")
    dynamodb.put_item(TableName=table, Item={**KEY, "n": {"N": "1"}})

    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException) as caught:
        dynamodb.update_item(
            TableName=table,
            Key=KEY,
            UpdateExpression="SET n = :two",
            ConditionExpression="n = :zero",
            ExpressionAttributeValues={":two": {"N": "2"}, ":zero": {"N": "0"}},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )

    assert caught.value.response["Item"] == {**KEY, "n": {"N": "1"}}
    assert dynamodb.get_item(TableName=table, Key=KEY, ConsistentRead=True)["Item"]["n"] == {"N": "1"}


def test_an_item_that_is_gone_stays_gone_when_its_existence_is_a_condition(account: Account, table: str) -> None:
    dynamodb = account.client("dynamodb")
    gone = {"pk": {"S": "gone"}}

    code = refusal(
        dynamodb.update_item,
        TableName=table,
        Key=gone,
        UpdateExpression="SET evaluation = :e",
        ConditionExpression="attribute_exists(pk)",
        ExpressionAttributeValues={":e": {"S": "x"}},
    )

    assert code == "ConditionalCheckFailedException"
    assert "Item" not in dynamodb.get_item(TableName=table, Key=gone, ConsistentRead=True)


def test_an_update_without_a_condition_makes_the_item(account: Account, table: str) -> None:
    dynamodb = account.client("dynamodb")
    ghost = {"pk": {"S": "ghost"}}

    dynamodb.update_item(
        TableName=table, Key=ghost, UpdateExpression="SET n = :n", ExpressionAttributeValues={":n": {"N": "1"}}
    )

    assert dynamodb.get_item(TableName=table, Key=ghost, ConsistentRead=True)["Item"] == {**ghost, "n": {"N": "1"}}


@pytest.mark.parametrize(
    "value",
    [
        Decimal(0),
        Decimal("-12.5"),
        Decimal(12345678901234567890123456789012345678),
        Decimal("1E-130"),
        Decimal("9.9E+125"),
        "",
        '改行\n"引用" \U0001f600',
        b"\x00\xff",
        True,
        None,
        {"a", "b"},
        {Decimal(1), Decimal("2.5")},
        {b"a"},
        [Decimal(1), "x", {"deep": [None]}],
    ],
    ids=lambda value: repr(sorted(value) if isinstance(value, set) else value),
)
def test_every_type_comes_back_as_it_was_written(account: Account, table: str, value: Any) -> None:
    dynamodb = account.client("dynamodb")
    item = {"pk": {"S": "types"}, "v": TypeSerializer().serialize(value)}

    dynamodb.put_item(TableName=table, Item=item)

    found = dynamodb.get_item(TableName=table, Key={"pk": {"S": "types"}}, ConsistentRead=True)["Item"]["v"]
    back = TypeDeserializer().deserialize(found)
    assert back == value


@pytest.mark.parametrize("number", ["1E-131", "1E+126", "123456789012345678901234567890123456789"])
def test_a_number_that_dynamodb_cannot_hold_is_refused(account: Account, table: str, number: str) -> None:
    code = refusal(account.client("dynamodb").put_item, TableName=table, Item={**KEY, "n": {"N": number}})

    assert code == "ValidationException"


def test_an_item_of_more_than_400_kilobytes_is_refused(account: Account, table: str) -> None:
    code = refusal(account.client("dynamodb").put_item, TableName=table, Item={**KEY, "t": {"S": "x" * 410_000}})

    assert code == "ValidationException"


def test_the_segments_of_a_scan_hold_every_item_once(account: Account, table: str) -> None:
    dynamodb = account.client("dynamodb")
    for number in range(40):
        dynamodb.put_item(TableName=table, Item={"pk": {"S": f"scan {number}"}})

    seen = [
        item["pk"]["S"]
        for segment in range(4)
        for page in dynamodb.get_paginator("scan").paginate(
            TableName=table, Segment=segment, TotalSegments=4, ConsistentRead=True, PaginationConfig={"PageSize": 7}
        )
        for item in page["Items"]
    ]

    assert sorted(name for name in seen if name.startswith("scan ")) == sorted(f"scan {n}" for n in range(40))


def test_counters_add_up_and_return_the_new_value(account: Account, table: str) -> None:
    dynamodb = account.client("dynamodb")
    for expected in ("5", "10"):
        answer = dynamodb.update_item(
            TableName=table,
            Key={"pk": {"S": "counter"}},
            UpdateExpression="ADD spent :five",
            ExpressionAttributeValues={":five": {"N": "5"}},
            ReturnValues="UPDATED_NEW",
        )
        assert answer["Attributes"] == {"spent": {"N": expected}}


def test_a_transaction_with_one_false_condition_writes_nothing(account: Account, table: str) -> None:
    dynamodb = account.client("dynamodb")
    other = {"pk": {"S": "other"}}

    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as caught:
        dynamodb.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": table, "Item": other}},
                {
                    "Put": {
                        "TableName": table,
                        "Item": {"pk": {"S": "nobody"}},
                        "ConditionExpression": "attribute_exists(pk)",
                    }
                },
            ]
        )

    reasons = [reason["Code"] for reason in caught.value.response["CancellationReasons"]]
    assert reasons == ["None", "ConditionalCheckFailed"]
    assert "Item" not in dynamodb.get_item(TableName=table, Key=other, ConsistentRead=True)


def test_a_table_that_is_not_there_is_not_found(account: Account) -> None:
    dynamodb = account.client("dynamodb")

    assert refusal(dynamodb.describe_table, TableName=f"{account.name}-none") == "ResourceNotFoundException"
    assert refusal(dynamodb.get_item, TableName=f"{account.name}-none", Key=KEY) == "ResourceNotFoundException"
