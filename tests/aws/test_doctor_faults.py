"""The doctor at a deployment with a fault: what it says, and the remedy."""

from dataclasses import replace
from functools import partial

import boto3
import pytest

from tests.aws.examined import HAIKU, NAMES, examined, set_faults
from tests.conftest import RESULT_BUCKET, SNAPSHOT_BUCKET


@pytest.fixture
def stack(local_aws):
    """A fresh deployment of deploy/chatcensus.yaml, for the test to spoil."""
    local_aws.create_stack()
    return local_aws


@pytest.fixture
def found(stack):
    """What the doctor finds in it, by check."""
    return partial(examined, client=stack.client)


def test_an_application_profile_is_looked_at_through_what_it_was_copied_from(stack, found):
    bedrock = stack.client("bedrock")
    source = {"copyFrom": f"arn:aws:bedrock:ap-northeast-1:123456789012:inference-profile/{HAIKU}"}
    arn = bedrock.create_inference_profile(inferenceProfileName="census", modelSource=source)["inferenceProfileArn"]
    set_faults(stack, {"quota": {"tokens_per_minute": 3_000_000}})

    findings = found(replace(NAMES, model=arn))

    assert findings["model-profile"].level == "OK"
    assert findings["model-lifecycle"].found == "anthropic.claude-haiku-5-5 is ACTIVE"
    assert "(cross-region)" in findings["quota"].found


def test_other_keys_than_the_mapping_says_fail_with_what_to_write(stack, found):
    create = partial(stack.client("dynamodb").create_table, BillingMode="PAY_PER_REQUEST")
    create(
        TableName="two-keys",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("id", "at")],
    )
    create(
        TableName="binary",
        KeySchema=[{"AttributeName": "conversation_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "conversation_id", "AttributeType": "B"}],
    )

    two_keys, binary = (found(replace(NAMES, table=table)) for table in ("two-keys", "binary"))
    control = found(replace(NAMES, control_table="two-keys"))["control-table"]

    assert two_keys["table-keys"].level == binary["table-keys"].level == control.level == "FAIL"
    assert two_keys["table-keys"].remedy == "in include/table.yaml: partition_key: id, sort_key: at"
    assert "the ledger needs pk, sk" in control.found


def test_backups_that_are_off_fail_with_the_command(stack, found):
    stack.client("dynamodb").update_continuous_backups(
        TableName=NAMES.table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )

    finding = found()["table-backups"]

    assert finding.level == "FAIL"
    assert finding.remedy.startswith(f"aws dynamodb update-continuous-backups --table-name {NAMES.table} ")


def test_invocation_logging_is_told_loudly_and_with_its_place(stack, found):
    bedrock = stack.client("bedrock")
    role = "arn:aws:iam::123456789012:role/logs"
    where = {"cloudWatchConfig": {"logGroupName": "all-calls", "roleArn": role}, "s3Config": {"bucketName": "calls"}}
    bedrock.put_model_invocation_logging_configuration(loggingConfig={**where, "textDataDeliveryEnabled": True})

    on = found()["invocation-logging"]
    bedrock.put_model_invocation_logging_configuration(loggingConfig={**where, "textDataDeliveryEnabled": False})
    without_text = found()["invocation-logging"]

    assert (on.level, without_text.level) == ("WARN", "OK")
    assert on.found == "ON: THE TEXT OF EVERY CONVERSATION IS STORED in log group all-calls and bucket calls"


def test_the_quota_is_found_on_whatever_page_it_stands_and_reckoned_at_this_tables_items(stack, found):
    item = {"conversation_id": {"S": "1"}, "turns": {"S": "x" * 2984}}
    stack.client("dynamodb").put_item(TableName=NAMES.table, Item=item)
    set_faults(stack, {"quota": {"tokens_per_minute": 1_000_000, "requests_per_minute": 2_000}})

    finding = found()["quota"]

    assert finding.level == "WARN"
    assert finding.found.startswith("1,000,000 tokens and 2,000 requests a minute (on-demand): about ")
    assert "of this table's mean item" in finding.found
    assert "set the Param tokens_per_minute to 800000" in finding.remedy


def test_a_quota_is_found_by_the_name_that_service_quotas_gives_the_model(stack, found):
    set_faults(stack, {"quota": {"tokens_per_minute": 2_000_000}})

    finding = found(replace(NAMES, model="openai.gpt-oss-20b-1:0"))["quota"]

    assert "2,000,000 tokens a minute (on-demand)" in finding.found


def test_a_quota_that_is_large_enough_is_well(stack, found):
    set_faults(stack, {"quota": {"tokens_per_minute": 2_000_000}})

    assert found()["quota"].level == "OK"


def test_a_workgroup_without_its_limits_is_told(stack, found):
    athena = stack.client("athena")
    athena.create_work_group(Name="bare", Configuration={"EnforceWorkGroupConfiguration": False})
    athena.create_work_group(
        Name="loose",
        Configuration={
            "EnforceWorkGroupConfiguration": False,
            "ResultConfiguration": {"OutputLocation": f"s3://{RESULT_BUCKET}/athena/"},
        },
    )

    bare, loose, none = (found(replace(NAMES, workgroup=name)) for name in ("bare", "loose", "none"))

    assert bare["workgroup-output"].level == "FAIL"
    assert loose["workgroup-output"].level == "WARN"
    assert {loose[check].level for check in ("workgroup-limit", "workgroup-encryption")} == {"WARN"}
    assert none["workgroup"].level == "FAIL"
    assert not none.keys() & {"workgroup-output", "workgroup-limit", "workgroup-encryption"}


def test_a_bucket_of_another_region_fails(found):
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="far-away")

    finding = found(replace(NAMES, result_bucket="far-away"))["result-bucket"]

    assert finding.level == "FAIL"
    assert finding.found == "far-away is in us-east-1, and all else in ap-northeast-1"


def test_a_bare_bucket_is_told_in_each_respect(stack, found):
    stack.client("s3").create_bucket(Bucket="bare", CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})

    findings = found(replace(NAMES, snapshot_bucket="bare"))

    assert findings["snapshot-bucket"].level == "OK"
    assert findings["snapshot-bucket-public"].level == "FAIL"
    assert findings["snapshot-bucket-encryption"].level == "WARN"
    assert findings["snapshot-bucket-lifecycle"].level == "WARN"


def test_one_block_of_public_access_that_is_off_fails_and_is_named(stack, found):
    block = {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": False,
        "RestrictPublicBuckets": True,
    }
    stack.client("s3").put_public_access_block(Bucket=RESULT_BUCKET, PublicAccessBlockConfiguration=block)

    finding = found()["result-bucket-public"]

    assert finding.level == "FAIL"
    assert finding.found.endswith(": BlockPublicPolicy off")


@pytest.mark.parametrize(
    ("rule", "level"),
    [
        ({"Filter": {"Prefix": ""}, "Expiration": {"Days": 30}}, "OK"),
        ({"Filter": {"Prefix": "exports/"}, "Expiration": {"Days": 7}}, "OK"),
        ({"Filter": {"Prefix": ""}, "Expiration": {"Days": 31}}, "WARN"),
        ({"Filter": {"Prefix": "athena/"}, "Expiration": {"Days": 7}}, "WARN"),
        ({"Filter": {"Tag": {"Key": "a", "Value": "b"}}, "Expiration": {"Days": 7}}, "WARN"),
        ({"Filter": {"Prefix": ""}, "Expiration": {"Days": 7}, "Status": "Disabled"}, "WARN"),
        ({"Filter": {"Prefix": ""}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}, "WARN"),
    ],
)
def test_exports_that_nobody_ends_in_time_are_told(stack, found, rule, level):
    rules = {"Rules": [{"ID": "one", "Status": "Enabled", **rule}]}
    stack.client("s3").put_bucket_lifecycle_configuration(Bucket=SNAPSHOT_BUCKET, LifecycleConfiguration=rules)

    assert found()["snapshot-bucket-lifecycle"].level == level
