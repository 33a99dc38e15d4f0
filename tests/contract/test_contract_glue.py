"""What the census relies on in the Glue catalog."""

from typing import Any

import pytest

from tests.contract.conftest import Account, refusal

STORAGE: dict[str, Any] = {
    "Columns": [{"Name": "category", "Type": "string"}, {"Name": "score", "Type": "decimal(38,0)"}],
    "Location": "s3://nowhere/AWSDynamoDB/",
    "InputFormat": "com.amazon.ionhiveserde.formats.IonInputFormat",
    "OutputFormat": "com.amazon.ionhiveserde.formats.IonOutputFormat",
    "SerdeInfo": {
        "SerializationLibrary": "com.amazon.ionhiveserde.IonHiveSerDe",
        "Parameters": {"ion.category.path_extractor": "(Item evaluation category)"},
    },
}
TABLE: dict[str, Any] = {
    "Name": "conversations_ion",
    "TableType": "EXTERNAL_TABLE",
    "Parameters": {"EXTERNAL": "TRUE", "classification": "ion"},
    "PartitionKeys": [{"Name": "export_id", "Type": "string"}],
    "StorageDescriptor": STORAGE,
}


@pytest.fixture(scope="module")
def database(account: Account) -> str:
    name = account.database()
    glue = account.client("glue")
    glue.create_table(DatabaseName=name, TableInput=TABLE)
    account.remove_later(glue.delete_table, DatabaseName=name, Name=TABLE["Name"])
    return name


def test_a_table_comes_back_as_it_was_put_in(account: Account, database: str) -> None:
    found = account.client("glue").get_table(DatabaseName=database, Name=TABLE["Name"])["Table"]

    assert {name: found[name] for name in TABLE} == TABLE
    assert found["DatabaseName"] == database


def test_a_table_that_is_there_is_not_created_again(account: Account, database: str) -> None:
    assert refusal(account.client("glue").create_table, DatabaseName=database, TableInput=TABLE) == (
        "AlreadyExistsException"
    )


def test_an_update_with_a_version_that_has_passed_is_refused(account: Account, database: str) -> None:
    glue = account.client("glue")
    before = glue.get_table(DatabaseName=database, Name=TABLE["Name"])["Table"]["VersionId"]
    new = {**TABLE, "Parameters": {**TABLE["Parameters"], "told": "once"}}
    glue.update_table(DatabaseName=database, TableInput=new, VersionId=before)

    code = refusal(glue.update_table, DatabaseName=database, TableInput=TABLE, VersionId=before)

    assert code == "ConcurrentModificationException"
    assert glue.get_table(DatabaseName=database, Name=TABLE["Name"])["Table"]["Parameters"]["told"] == "once"


def test_a_partition_is_created_once_updated_and_removed(account: Account, database: str) -> None:
    glue = account.client("glue")
    place = {"DatabaseName": database, "TableName": TABLE["Name"]}
    first = {"Values": ["e1"], "StorageDescriptor": {**STORAGE, "Location": "s3://nowhere/e1/data/"}}
    moved = {"Values": ["e1"], "StorageDescriptor": {**STORAGE, "Location": "s3://nowhere/e2/data/"}}

    glue.create_partition(**place, PartitionInput=first)
    assert refusal(glue.create_partition, **place, PartitionInput=first) == "AlreadyExistsException"
    glue.update_partition(**place, PartitionValueList=["e1"], PartitionInput=moved)
    found = glue.get_partition(**place, PartitionValues=["e1"])["Partition"]
    assert found["StorageDescriptor"]["Location"] == "s3://nowhere/e2/data/"
    glue.delete_partition(**place, PartitionValues=["e1"])

    assert refusal(glue.get_partition, **place, PartitionValues=["e1"]) == "EntityNotFoundException"


def test_partitions_come_in_pages(account: Account, database: str) -> None:
    glue = account.client("glue")
    place = {"DatabaseName": database, "TableName": TABLE["Name"]}
    for number in range(5):
        inputs = {"Values": [f"p{number}"], "StorageDescriptor": STORAGE}
        glue.create_partition(**place, PartitionInput=inputs)

    pages = glue.get_paginator("get_partitions").paginate(**place, PaginationConfig={"PageSize": 2})
    values = sorted(partition["Values"][0] for page in pages for partition in page["Partitions"])

    assert values == [f"p{number}" for number in range(5)]


def test_what_is_not_there_is_not_found(account: Account, database: str) -> None:
    glue = account.client("glue")

    assert refusal(glue.get_table, DatabaseName=database, Name="none") == "EntityNotFoundException"
    assert refusal(glue.get_database, Name=f"{database}_none") == "EntityNotFoundException"
    assert refusal(glue.create_table, DatabaseName=f"{database}_none", TableInput=TABLE) == "EntityNotFoundException"
