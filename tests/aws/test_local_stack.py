"""The template that users deploy comes up in the local AWS with everything it says."""

import subprocess
import sys
from pathlib import Path

import pytest

from local_aws.stack import TEMPLATE

ACCOUNT, REGION = "123456789012", "ap-northeast-1"
BUCKETS = [f"chatcensus-results-{ACCOUNT}-{REGION}", f"chatcensus-snapshots-{ACCOUNT}-{REGION}"]


def test_the_outputs_name_what_the_airflow_variables_need(local_aws):
    outputs = local_aws.create_stack()

    assert outputs == {
        "ConversationTableName": "chat-conversations",
        "ControlTableName": "chatcensus-control",
        "SnapshotBucketName": BUCKETS[1],
        "ResultBucketName": BUCKETS[0],
        "DatabaseName": "chatcensus",
        "WorkgroupName": "chatcensus",
    }


def test_creating_the_stack_twice_keeps_what_is_there(local_aws):
    first = local_aws.create_stack()
    local_aws.client("dynamodb").put_item(TableName="chat-conversations", Item={"conversation_id": {"S": "c1"}})

    assert local_aws.create_stack() == first
    assert local_aws.client("dynamodb").scan(TableName="chat-conversations")["Count"] == 1


@pytest.mark.parametrize("table", ["chat-conversations", "chatcensus-control"])
def test_both_tables_can_be_recovered_to_a_point_in_time_and_are_billed_on_demand(local_aws, table):
    local_aws.create_stack()
    dynamodb = local_aws.client("dynamodb")

    backups = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    described = dynamodb.describe_table(TableName=table)["Table"]
    assert described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"


def test_the_users_own_table_is_left_alone_unless_asked_for(local_aws):
    local_aws.create_stack(CreateConversationTable="false")

    assert local_aws.client("dynamodb").list_tables()["TableNames"] == ["chatcensus-control"]


@pytest.mark.parametrize("bucket", BUCKETS)
def test_buckets_are_private_and_encrypted(local_aws, bucket):
    local_aws.create_stack()
    s3 = local_aws.client("s3")

    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    (ownership,) = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert ownership == {"ObjectOwnership": "BucketOwnerEnforced"}


def test_whole_conversations_are_deleted_after_the_days_asked_for(local_aws):
    local_aws.create_stack(SnapshotRetentionDays="9")

    (rule,) = local_aws.client("s3").get_bucket_lifecycle_configuration(Bucket=BUCKETS[1])["Rules"]
    assert rule["Status"] == "Enabled"
    assert rule["Expiration"] == {"Days": 9}
    assert rule["Filter"] == {"Prefix": ""}


def test_the_workgroup_enforces_its_output_place_encryption_and_scan_limit(local_aws):
    local_aws.create_stack()

    group = local_aws.client("athena").get_work_group(WorkGroup="chatcensus")["WorkGroup"]["Configuration"]
    assert group["EnforceWorkGroupConfiguration"] is True
    assert group["BytesScannedCutoffPerQuery"] == 107374182400
    assert group["ResultConfiguration"] == {
        "OutputLocation": f"s3://{BUCKETS[0]}/athena/",
        "EncryptionConfiguration": {"EncryptionOption": "SSE_S3"},
    }


def test_the_database_is_in_the_catalog(local_aws):
    local_aws.create_stack()

    assert local_aws.client("glue").get_database(Name="chatcensus")["Database"]["Name"] == "chatcensus"


def test_the_template_passes_cfn_lint():
    linted = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), TEMPLATE], capture_output=True, text=True, check=False
    )

    assert (linted.returncode, linted.stdout) == (0, "")
