"""Workgroups and prepared statements: moto's, as we complete them, and what the query engine makes of them."""

import io
from collections.abc import Iterator
from typing import Any

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local_aws.aws_error import AwsError
from local_aws.server import LocalAws
from local_aws.settings import Settings
from tests.sql.athena_harness import BUCKET, OUTPUT, REGION, Athena, client, running_athena

TEN_MEGABYTES = 10_000_000


@pytest.fixture
def athena() -> Iterator[Athena]:
    with running_athena() as running:
        yield running


def create(name: str = "census", **settings: Any) -> Any:
    groups = client("athena")
    groups.create_work_group(Name=name, Configuration=settings)
    return groups


def group(name: str = "census") -> dict[str, Any]:
    return client("athena").get_work_group(WorkGroup=name)["WorkGroup"]


def refusal(action: str, **request: Any) -> str:
    with pytest.raises(ClientError) as caught:
        getattr(client("athena"), action)(**request)
    error = caught.value.response["Error"]
    return f"{error['Code']}: {error['Message']}"


@pytest.mark.usefixtures("athena")
def test_a_workgroup_keeps_its_settings_and_the_time_it_was_made() -> None:
    create(BytesScannedCutoffPerQuery=TEN_MEGABYTES, EngineVersion={"SelectedEngineVersion": "Athena engine version 3"})

    first, again = group(), group()

    assert first == again
    assert first["State"] == "ENABLED"
    assert first["Configuration"]["BytesScannedCutoffPerQuery"] == TEN_MEGABYTES
    assert first["Configuration"]["EnforceWorkGroupConfiguration"] is True
    assert first["Configuration"]["EngineVersion"]["EffectiveEngineVersion"] == "Athena engine version 3"


@pytest.mark.usefixtures("athena")
def test_an_update_changes_what_it_names_and_nothing_else() -> None:
    groups = create(
        BytesScannedCutoffPerQuery=TEN_MEGABYTES,
        ResultConfiguration={"OutputLocation": OUTPUT, "ExpectedBucketOwner": "123456789012"},
    )

    groups.update_work_group(
        WorkGroup="census",
        State="DISABLED",
        Description="for the census",
        ConfigurationUpdates={
            "RemoveBytesScannedCutoffPerQuery": True,
            "EnforceWorkGroupConfiguration": False,
            "ResultConfigurationUpdates": {"OutputLocation": "s3://other/", "RemoveExpectedBucketOwner": True},
        },
    )

    changed = group()
    assert changed["State"] == "DISABLED"
    assert changed["Description"] == "for the census"
    assert "BytesScannedCutoffPerQuery" not in changed["Configuration"]
    assert changed["Configuration"]["EnforceWorkGroupConfiguration"] is False
    assert changed["Configuration"]["ResultConfiguration"] == {"OutputLocation": "s3://other/"}
    groups.update_work_group(WorkGroup="census", State="ENABLED")
    assert {**group(), "State": "DISABLED"} == changed


@pytest.mark.usefixtures("athena")
@pytest.mark.parametrize(
    ("action", "request_", "message"),
    [
        ("create_work_group", {"Name": "primary"}, "WorkGroup primary is already created"),
        ("create_work_group", {"Name": "a b"}, "Name must match"),
        ("get_work_group", {"WorkGroup": "none"}, "WorkGroup is not found."),
        ("update_work_group", {"WorkGroup": "none"}, "WorkGroup is not found."),
        ("delete_work_group", {"WorkGroup": "none"}, "WorkGroup is not found."),
        ("delete_work_group", {"WorkGroup": "primary", "RecursiveDeleteOption": True}, "cannot be deleted"),
        ("update_work_group", {"WorkGroup": "primary", "State": "ASLEEP"}, "State must be ENABLED or DISABLED"),
    ],
)
def test_a_request_that_cannot_be_is_refused(action: str, request_: dict[str, Any], message: str) -> None:
    assert message in refusal(action, **request_)


@pytest.mark.usefixtures("athena")
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ExecutionRole": "arn:aws:iam::123456789012:role/spark"}, "LOCAL_AWS_UNSUPPORTED: workgroup setting Exec"),
        ({"EngineVersion": {"SelectedEngineVersion": "PySpark engine version 3"}}, "LOCAL_AWS_UNSUPPORTED: engine"),
    ],
)
def test_a_setting_that_we_do_not_obey_is_refused_by_name(settings: dict[str, Any], message: str) -> None:
    assert message in refusal("create_work_group", Name="census", Configuration=settings)
    assert message in refusal("update_work_group", WorkGroup="primary", ConfigurationUpdates=settings)


def test_workgroups_are_listed_in_pages(athena: Athena) -> None:
    assert athena
    for name in ("b", "a", "c"):
        groups = create(name)

    first = groups.list_work_groups(MaxResults=2)
    rest = groups.list_work_groups(MaxResults=2, NextToken=first["NextToken"])

    assert [found["Name"] for found in first["WorkGroups"] + rest["WorkGroups"]] == ["a", "b", "c", "primary"]
    assert "NextToken" not in rest


@pytest.mark.usefixtures("athena")
def test_a_group_without_a_description_says_so_only_in_the_list() -> None:
    create()

    listed = client("athena").list_work_groups()["WorkGroups"]

    assert [found["Description"] for found in listed] == ["", ""]
    assert "Description" not in group()
    assert group()["Configuration"]["ResultConfiguration"] == {}
    assert group("primary")["Configuration"]["EnableMinimumEncryptionConfiguration"] is False


@pytest.mark.usefixtures("athena")
@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"MaxResults": 51}, "less than or equal to 50"),
        ({"MaxResults": 0, "NextToken": ""}, "2 validation errors detected: Value at 'nextToken'"),
        ({"NextToken": "made-up"}, "The nextPageToken is malformed: made-up"),
        ({"MaxResults": "1"}, "STRING_VALUE can not be converted to an Integer"),
    ],
)
def test_a_page_of_workgroups_that_cannot_be_is_refused(request_: dict[str, Any], message: str) -> None:
    groups = boto3.client("athena", REGION, config=Config(parameter_validation=False))

    with pytest.raises(ClientError, match=message) as caught:
        groups.list_work_groups(**request_)
    is_read = caught.value.response["Error"]["Code"] == "InvalidRequestException"
    assert caught.value.response.get("AthenaErrorCode") == ("INVALID_INPUT" if is_read else None)


def test_a_disabled_workgroup_starts_nothing(athena: Athena) -> None:
    create().update_work_group(WorkGroup="census", State="DISABLED")

    with pytest.raises(AwsError, match="WorkGroup census is disabled"):
        athena.start("select 1", WorkGroup="census")


def test_a_query_that_reads_more_than_its_workgroup_allows_is_cancelled(athena: Athena) -> None:
    create(BytesScannedCutoffPerQuery=TEN_MEGABYTES)
    athena.rows(
        f"create external table big (n int) partitioned by (part string) stored as parquet location 's3://{BUCKET}/b/'"
    )
    athena.put_parquet_table("small", {"n": "int"}, [[1]])
    body = athena.s3.get_object(Bucket=BUCKET, Key="tables/small/part")["Body"].read()
    for number in range(2):
        athena.s3.put_object(Bucket=BUCKET, Key=f"b/part={number}/file", Body=body if number else large_parquet())
        athena.rows(f"alter table big add partition (part = '{number}')")

    over = athena.wait(athena.start("select n from big where n < 0", WorkGroup="census"))
    under = athena.wait(athena.start("select n from big where part = '1'", WorkGroup="census"))

    assert over["Status"]["State"] == "CANCELLED"
    assert over["Status"]["StateChangeReason"] == "Bytes scanned limit was exceeded"
    assert over["Statistics"]["DataScannedInBytes"] == TEN_MEGABYTES
    assert under["Status"]["State"] == "SUCCEEDED"
    assert 0 < under["Statistics"]["DataScannedInBytes"] < TEN_MEGABYTES


def large_parquet() -> bytes:
    """Return a file whose one column takes 12 MB."""
    out = io.BytesIO()
    numbers = np.random.default_rng(1).integers(0, 2**31, 3_000_000, dtype=np.int32)
    pq.write_table(pa.table({"n": numbers}), out, compression="none", use_dictionary=False)
    return out.getvalue()


def test_a_workgroup_with_executions_is_deleted_only_recursively(local_aws: Any) -> None:
    s3, athena = local_aws.client("s3"), local_aws.client("athena")
    s3.create_bucket(Bucket="results", CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
    settings = {"ResultConfiguration": {"OutputLocation": "s3://results/"}}
    athena.create_work_group(Name="census", Configuration=settings)
    execution_id = athena.start_query_execution(QueryString="select 1", WorkGroup="census")["QueryExecutionId"]

    with pytest.raises(ClientError, match="WorkGroup census is not empty"):
        athena.delete_work_group(WorkGroup="census")
    athena.delete_work_group(WorkGroup="census", RecursiveDeleteOption=True)

    assert [found["Name"] for found in athena.list_work_groups()["WorkGroups"]] == ["primary"]
    with pytest.raises(ClientError, match="was not found"):
        athena.get_query_execution(QueryExecutionId=execution_id)


@pytest.mark.usefixtures("athena")
def test_prepared_statements_belong_to_their_workgroup() -> None:
    athena = create()
    for workgroup, text in (("primary", "select 1"), ("census", "select 2")):
        athena.create_prepared_statement(StatementName="same", WorkGroup=workgroup, QueryStatement=text)

    athena.update_prepared_statement(
        StatementName="same", WorkGroup="census", QueryStatement="select 3", Description="three"
    )
    athena.create_prepared_statement(StatementName="other", WorkGroup="census", QueryStatement="select 4")

    def of(workgroup: str) -> dict[str, Any]:
        answer = athena.get_prepared_statement(StatementName="same", WorkGroup=workgroup)["PreparedStatement"]
        del answer["LastModifiedTime"]
        return answer

    assert of("primary") == {"StatementName": "same", "QueryStatement": "select 1", "WorkGroupName": "primary"}
    assert of("census")["QueryStatement"] == "select 3"
    assert of("census")["Description"] == "three"
    listed = athena.list_prepared_statements(WorkGroup="census")["PreparedStatements"]
    assert [found["StatementName"] for found in listed] == ["other", "same"]
    athena.delete_prepared_statement(StatementName="same", WorkGroup="primary")
    assert "PreparedStatement same was not found in workGroup primary" in refusal(
        "get_prepared_statement", StatementName="same", WorkGroup="primary"
    )
    assert of("census")["QueryStatement"] == "select 3"


@pytest.mark.usefixtures("athena")
def test_a_prepared_statement_that_cannot_be_is_refused() -> None:
    athena = create()
    place = {"StatementName": "same", "WorkGroup": "census"}
    missing = "ResourceNotFoundException: PreparedStatement same was not found"
    assert missing in refusal("update_prepared_statement", **place, QueryStatement="select 1")
    assert missing in refusal("delete_prepared_statement", **place)

    athena.create_prepared_statement(**place, QueryStatement="select 1")

    assert "already exists" in refusal("create_prepared_statement", **place, QueryStatement="select 1")
    assert "StatementName must match" in refusal(
        "create_prepared_statement", StatementName="1 x", WorkGroup="census", QueryStatement="select 1"
    )
    assert "WorkGroup is not found." in refusal("list_prepared_statements", WorkGroup="none")
    assert "WorkGroup census is not empty" in refusal("delete_work_group", WorkGroup="census")
    athena.delete_work_group(WorkGroup="census", RecursiveDeleteOption=True)
    create()
    assert athena.list_prepared_statements(WorkGroup="census")["PreparedStatements"] == []


def test_a_deleted_workgroup_starts_nothing(athena: Athena) -> None:
    create().delete_work_group(WorkGroup="census")

    with pytest.raises(AwsError, match="WorkGroup is not found"):
        athena.start("select 1", WorkGroup="census")


def test_workgroups_and_prepared_statements_survive_a_restart(tmp_path: Any) -> None:
    for life in range(2):
        aws = LocalAws(Settings(data=tmp_path)).start()
        athena = aws.client("athena")
        if life == 0:
            athena.create_work_group(Name="census")
            athena.create_work_group(Name="gone")
            athena.delete_work_group(WorkGroup="gone")
            athena.update_work_group(WorkGroup="census", State="DISABLED")
            athena.create_prepared_statement(StatementName="one", WorkGroup="census", QueryStatement="select 1")
        found = {entry["Name"]: entry["State"] for entry in athena.list_work_groups()["WorkGroups"]}
        kept = athena.get_prepared_statement(StatementName="one", WorkGroup="census")["PreparedStatement"]
        aws.stop()
        assert found == {"census": "DISABLED", "primary": "ENABLED"}
        assert kept["QueryStatement"] == "select 1"


@pytest.mark.parametrize(
    ("action", "request_"),
    [
        ("create_named_query", {"Name": "a", "Database": "d", "QueryString": "select 1"}),
        ("list_named_queries", {}),
        ("create_data_catalog", {"Name": "a", "Type": "HIVE"}),
        ("create_capacity_reservation", {"Name": "a", "TargetDpus": 24}),
        ("list_tags_for_resource", {"ResourceARN": "arn:aws:athena:r:1:workgroup/primary"}),
        ("list_engine_versions", {}),
        ("start_session", {"WorkGroup": "primary", "EngineConfiguration": {"MaxConcurrentDpus": 4}}),
    ],
)
def test_what_moto_would_answer_with_nothing_behind_it_is_refused_by_name(
    local_aws: Any, action: str, request_: dict[str, Any]
) -> None:
    with pytest.raises(ClientError, match="The local AWS does not answer Athena's"):
        getattr(local_aws.client("athena"), action)(**request_)
