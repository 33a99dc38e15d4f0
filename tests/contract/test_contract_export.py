"""What the census relies on in DynamoDB's export to S3: states, tokens, manifests, and the Ion text."""

import base64
import gzip
import hashlib
import json
import uuid
from decimal import Decimal
from typing import Any

import pytest
from amazon.ion import simpleion
from amazon.ion.simpleion import IonPyValueModel
from boto3.dynamodb.types import TypeSerializer

from tests.contract.conftest import Account, refusal

ITEMS = [
    {"pk": "text", "v": '改行\n"引用" タブ\t\\ \U0001f600'},
    {
        "pk": "numbers",
        "a": Decimal(103),
        "b": Decimal(600),
        "c": Decimal("0.1"),
        "d": Decimal("-12.5"),
        "e": Decimal(0),
    },
    {"pk": "small", "v": Decimal("1E-10")},
    {"pk": "flags", "yes": True, "nothing": None},
    {"pk": "bytes", "v": b"\x00\xffab"},
    {"pk": "sets", "s": {"a"}, "n": {Decimal("2.5")}, "b": {b"x"}},
    {
        "pk": "nested",
        "turns": [{"role": "user", "content": "hello"}, {"role": "assistant", "cost-usd": Decimal("0.002")}],
    },
]


@pytest.fixture(scope="module")
def bucket(account: Account) -> str:
    return account.bucket()


@pytest.fixture(scope="module")
def table(account: Account) -> tuple[str, str]:
    name, arn = account.table()
    for item in ITEMS:
        written = {key: TypeSerializer().serialize(value) for key, value in item.items()}
        account.client("dynamodb").put_item(TableName=name, Item=written)
    return name, arn


@pytest.fixture(scope="module")
def request_of_export(bucket: str, table: tuple[str, str]) -> dict[str, Any]:
    return {
        "TableArn": table[1],
        "S3Bucket": bucket,
        "S3Prefix": "snapshots",
        "ExportFormat": "ION",
        "ClientToken": uuid.uuid4().hex,
    }


@pytest.fixture(scope="module")
def export(account: Account, request_of_export: dict[str, Any]) -> dict[str, Any]:
    """The description of a full export in Ion that has ended."""
    dynamodb = account.client("dynamodb")
    begun = dynamodb.export_table_to_point_in_time(**request_of_export)["ExportDescription"]
    assert begun["ExportStatus"] == "IN_PROGRESS"

    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = dynamodb.describe_export(ExportArn=begun["ExportArn"])["ExportDescription"]
        return None if found["ExportStatus"] == "IN_PROGRESS" else found

    description: dict[str, Any] = account.wait(ended)
    assert description["ExportStatus"] == "COMPLETED", description.get("FailureCode")
    return description


def body(account: Account, bucket: str, key: str) -> bytes:
    return bytes(account.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())


def data_files(account: Account, bucket: str, export: dict[str, Any]) -> list[dict[str, Any]]:
    summary = json.loads(body(account, bucket, export["ExportManifest"]))
    lines = body(account, bucket, summary["manifestFilesS3Key"]).decode().splitlines()
    return [json.loads(line) for line in lines]


def test_the_description_says_what_was_exported(export: dict[str, Any], table: tuple[str, str], bucket: str) -> None:
    assert export["TableArn"] == table[1]
    assert export["ExportFormat"] == "ION"
    assert export["ExportType"] == "FULL_EXPORT"
    assert export["S3Bucket"] == bucket
    assert export["ItemCount"] == len(ITEMS)
    assert export["BilledSizeBytes"] >= 0
    assert export["StartTime"] <= export["EndTime"]
    export_id = export["ExportArn"].rpartition("/")[2]
    assert export["ExportManifest"] == f"snapshots/AWSDynamoDB/{export_id}/manifest-summary.json"


def test_the_manifests_agree_with_the_description_and_their_checksums(
    account: Account, bucket: str, export: dict[str, Any]
) -> None:
    key = export["ExportManifest"]
    summary = json.loads(body(account, bucket, key))

    assert summary["exportArn"] == export["ExportArn"]
    assert summary["itemCount"] == export["ItemCount"]
    assert summary["billedSizeBytes"] == export["BilledSizeBytes"]
    assert summary["outputFormat"] == "ION"
    assert sum(entry["itemCount"] for entry in data_files(account, bucket, export)) == export["ItemCount"]
    for manifest in (key, summary["manifestFilesS3Key"]):
        checksum = body(account, bucket, manifest.removesuffix(".json") + ".checksum").decode().strip()
        md5 = hashlib.md5(body(account, bucket, manifest), usedforsecurity=False).digest()
        assert checksum in {md5.hex(), base64.b64encode(md5).decode()}


def test_every_listed_file_is_there_with_its_md5_and_every_line_begins_with_the_version(
    account: Account, bucket: str, export: dict[str, Any]
) -> None:
    for entry in data_files(account, bucket, export):
        data = body(account, bucket, entry["dataFileS3Key"])
        assert entry["dataFileS3Key"].endswith(".ion.gz")
        assert base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode() == entry["md5Checksum"]
        lines = gzip.decompress(data).decode().splitlines() if data else []
        assert len(lines) == entry["itemCount"]
        assert all(line.startswith("$ion_1_0 {Item:{") for line in lines)


def test_the_ion_text_holds_every_item_as_it_was_written(account: Account, bucket: str, export: dict[str, Any]) -> None:
    found = {}
    for entry in data_files(account, bucket, export):
        data = body(account, bucket, entry["dataFileS3Key"])
        text = gzip.decompress(data) if data else b""
        rows = simpleion.loads(text, single_value=False, value_model=IonPyValueModel.STRUCT_AS_STD_DICT)
        found.update({str(row["Item"]["pk"]): plain(row["Item"]) for row in rows})

    assert found == {item["pk"]: item for item in ITEMS}


def plain(value: Any) -> Any:
    """Return an Ion value as boto3's deserializer has it: sets by their annotation, numbers as decimals."""
    kind = {str(one.text) for one in getattr(value, "ion_annotations", ())}
    match value:
        case list():
            members = [plain(one) for one in value]
            return set(members) if kind & {"$dynamodb_SS", "$dynamodb_NS", "$dynamodb_BS"} else members
        case dict():
            return {str(name): plain(inner) for name, inner in value.items()}
        case Decimal():
            return Decimal(value)
        case bytes():
            return bytes(value)
        case str():
            return str(value)
    return None if value is None or getattr(value, "ion_type", None) is simpleion.IonType.NULL else bool(value)


def test_the_same_token_is_the_same_export(
    account: Account, export: dict[str, Any], request_of_export: dict[str, Any]
) -> None:
    again = account.client("dynamodb").export_table_to_point_in_time(**request_of_export)["ExportDescription"]

    assert again["ExportArn"] == export["ExportArn"]


def test_the_same_token_with_other_parameters_is_a_conflict(
    account: Account, export: dict[str, Any], request_of_export: dict[str, Any]
) -> None:
    assert export
    call = account.client("dynamodb").export_table_to_point_in_time

    assert refusal(call, **{**request_of_export, "S3Prefix": "elsewhere"}) == "ExportConflictException"


def test_an_export_is_listed_with_its_table(account: Account, export: dict[str, Any], table: tuple[str, str]) -> None:
    listed = account.client("dynamodb").list_exports(TableArn=table[1])["ExportSummaries"]

    assert [(entry["ExportArn"], entry["ExportStatus"]) for entry in listed] == [(export["ExportArn"], "COMPLETED")]


def test_without_point_in_time_recovery_nothing_is_exported(account: Account, bucket: str) -> None:
    _, arn = account.table(has_backups=False)

    code = refusal(account.client("dynamodb").export_table_to_point_in_time, TableArn=arn, S3Bucket=bucket)

    assert code == "PointInTimeRecoveryUnavailableException"


def test_a_window_shorter_than_fifteen_minutes_is_refused(
    account: Account, bucket: str, table: tuple[str, str], export: dict[str, Any]
) -> None:
    end = export["ExportTime"]
    code = refusal(
        account.client("dynamodb").export_table_to_point_in_time,
        TableArn=table[1],
        S3Bucket=bucket,
        ExportType="INCREMENTAL_EXPORT",
        IncrementalExportSpecification={"ExportFromTime": end.timestamp() - 60, "ExportToTime": end.timestamp()},
    )

    assert code in {"ValidationException", "InvalidExportTimeException"}


def test_an_export_that_is_not_there_is_not_found(account: Account, export: dict[str, Any]) -> None:
    code = refusal(account.client("dynamodb").describe_export, ExportArn=export["ExportArn"][:-1] + "x")

    assert code in {"ExportNotFoundException", "ValidationException"}
