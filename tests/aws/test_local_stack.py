"""The template that users deploy comes up in the local AWS with everything it says."""

import boto3
import pytest
from botocore.exceptions import ClientError

from local_aws.stack import STACK, TEMPLATE, create_stack

ACCOUNT, REGION = "123456789012", "ap-northeast-1"
BUCKETS = [f"chatcensus-results-{ACCOUNT}-{REGION}", f"chatcensus-snapshots-{ACCOUNT}-{REGION}"]


def test_the_outputs_name_what_the_airflow_variables_need(local_aws):
    outputs = local_aws.create_stack()

    variables = {name: value for name, value in outputs.items() if not name.endswith("Arn")}
    assert variables == {
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

    rules = local_aws.client("s3").get_bucket_lifecycle_configuration(Bucket=BUCKETS[1])["Rules"]
    assert {rule["Status"] for rule in rules} == {"Enabled"}
    days = {rule["Filter"]["Prefix"]: rule["Expiration"]["Days"] for rule in rules if "Expiration" in rule}
    assert days == {"exports/": 9, "key/": 9, "batch/": 7, "reviews/": 30}


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


ROLE = f"arn:aws:iam::{ACCOUNT}:role/mwaa-execution"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0a1b2c3d"


@pytest.mark.parametrize(
    ("parameter", "value", "says"),
    [
        ("SnapshotRetentionDays", "6", "must be a number not less than 7"),
        ("SnapshotRetentionDays", "31", "must be a number not greater than 30"),
        ("SnapshotRetentionDays", "many", "must be a number"),
        ("CreateKey", "yes", "must be one of AllowedValues"),
        ("DatabaseName", "Chat-Census", "lower-case letters, digits and underscores, 63 at most"),
        ("ExecutionRoleArn", f"arn:aws:iam::{ACCOUNT}:root", "the ARN of a role, not of a user or an account"),
        ("ExecutionRoleArn", "*", "the ARN of a role"),
        ("ConversationKeyArns", f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/mine", "no aliases"),
        ("AlarmEmail", "ann at example.com", "one e-mail address"),
        ("MonthlyBudgetUsd", "-1", "must be a number not less than 0"),
        ("Nonsense", "1", "do not exist in the template"),
    ],
)
def test_a_parameter_out_of_bounds_is_refused_and_nothing_is_made(local_aws, parameter, value, says):
    with pytest.raises(ClientError, match=says):
        local_aws.create_stack(**{parameter: value})

    assert local_aws.client("s3").list_buckets()["Buckets"] == []


def test_a_key_of_ones_own_encrypts_tables_buckets_results_and_alarms(local_aws):
    outputs = local_aws.create_stack(CreateKey="true")
    key, s3 = outputs["KeyArn"], local_aws.client("s3")

    for bucket in BUCKETS:
        [rule] = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    table = local_aws.client("dynamodb").describe_table(TableName="chatcensus-control")["Table"]
    assert table["SSEDescription"]["KMSMasterKeyArn"] == key
    group = local_aws.client("athena").get_work_group(WorkGroup="chatcensus")["WorkGroup"]["Configuration"]
    assert group["ResultConfiguration"]["EncryptionConfiguration"] == {"EncryptionOption": "SSE_KMS", "KmsKey": key}
    topic = local_aws.client("sns").get_topic_attributes(TopicArn=outputs["AlarmTopicArn"])["Attributes"]
    assert topic["KmsMasterKeyId"] == key


def test_alarms_and_a_budget_tell_the_topic_and_the_topic_tells_a_person(local_aws):
    topic = local_aws.create_stack(AlarmEmail="ann@example.com", MonthlyBudgetUsd="200")["AlarmTopicArn"]

    alarms = local_aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert len(alarms) == 6
    assert all(alarm["AlarmActions"] == [topic] for alarm in alarms)
    [subscription] = local_aws.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "ann@example.com")
    [budget] = boto3.client("budgets").describe_budgets(AccountId=ACCOUNT)["Budgets"]
    assert budget["BudgetLimit"] == {"Amount": "200", "Unit": "USD"}
    assert "Claude Haiku 5.5 (Amazon Bedrock Edition)" in budget["CostFilters"]["Service"]


def _update(local_aws, **parameters):
    cloudformation = local_aws.client("cloudformation")
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    cloudformation.update_stack(
        StackName=STACK, TemplateBody=TEMPLATE.read_text(), Parameters=given, Capabilities=["CAPABILITY_NAMED_IAM"]
    )
    [stack] = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def test_an_update_adds_what_is_asked_for_and_keeps_what_is_there(local_aws):
    before = local_aws.create_stack()
    local_aws.client("dynamodb").put_item(
        TableName="chatcensus-control", Item={"pk": {"S": "run#1"}, "sk": {"S": "run"}}
    )

    after = _update(local_aws, CreateConversationTable="true", ExecutionRoleArn=ROLE, SnapshotRetentionDays="9")

    roles = {role["RoleName"] for role in local_aws.client("iam").list_roles()["Roles"]}
    assert roles == {"chatcensus-pipeline", "chatcensus-dashboard"}
    assert after["PipelineRoleArn"] == f"arn:aws:iam::{ACCOUNT}:role/chatcensus-pipeline"
    assert before.items() <= after.items()
    rule = local_aws.client("s3").get_bucket_lifecycle_configuration(Bucket=BUCKETS[1])["Rules"][0]
    assert rule["Expiration"] == {"Days": 9}
    assert local_aws.client("dynamodb").scan(TableName="chatcensus-control")["Count"] == 1


def test_an_update_takes_roles_away_and_changes_a_policy_where_it_is(local_aws):
    before = local_aws.create_stack(ExecutionRoleArn=ROLE)
    iam = local_aws.client("iam")

    after = _update(local_aws, CreateConversationTable="true", ConversationIndexName="by-day")

    assert iam.list_roles()["Roles"] == []
    assert "PipelineRoleArn" not in after
    assert after["ConversationPolicyArn"] == before["ConversationPolicyArn"]
    policy = iam.get_policy(PolicyArn=after["ConversationPolicyArn"])["Policy"]
    version = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])
    assert "index/by-day" in str(version["PolicyVersion"]["Document"])


def test_deleting_the_stack_leaves_the_data_and_takes_permissions_and_alarms(local_aws):
    outputs = local_aws.create_stack(
        ExecutionRoleArn=ROLE, CreateKey="true", CreateBatchRole="true", AlarmEmail="ann@example.com"
    )

    local_aws.client("cloudformation").delete_stack(StackName=STACK)

    iam = local_aws.client("iam")
    assert (iam.list_roles()["Roles"], iam.list_policies(Scope="Local")["Policies"]) == ([], [])
    assert local_aws.client("cloudwatch").describe_alarms()["MetricAlarms"] == []
    assert local_aws.client("sns").list_topics()["Topics"] == []
    assert sorted(bucket["Name"] for bucket in local_aws.client("s3").list_buckets()["Buckets"]) == BUCKETS
    assert len(local_aws.client("dynamodb").list_tables()["TableNames"]) == 2
    assert local_aws.client("glue").get_database(Name="chatcensus")
    assert local_aws.client("kms").describe_key(KeyId=outputs["KeyArn"])["KeyMetadata"]["Enabled"]


def test_a_change_set_as_the_deploy_command_makes_it_gives_a_stack_with_its_outputs(local_aws):
    cloudformation = local_aws.client("cloudformation")
    request = {
        "StackName": STACK,
        "ChangeSetName": "deploy",
        "TemplateBody": TEMPLATE.read_text(),
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
        "Parameters": [{"ParameterKey": "ExecutionRoleArn", "ParameterValue": ROLE}],
    }
    cloudformation.create_change_set(**request, ChangeSetType="CREATE")

    cloudformation.execute_change_set(ChangeSetName="deploy", StackName=STACK)

    [stack] = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    assert outputs["SnapshotBucketName"] == BUCKETS[1]
    assert outputs["PipelineRoleArn"].endswith("role/chatcensus-pipeline")


def test_an_update_leaves_the_parameters_that_it_does_not_name(local_aws):
    local_aws.create_stack(ConversationKeyArns=f"{KEY},{KEY}2", SnapshotRetentionDays="9")
    cloudformation = local_aws.client("cloudformation")
    [stack] = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    names = [parameter["ParameterKey"] for parameter in stack["Parameters"]]
    before = {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in stack["Parameters"]}

    cloudformation.update_stack(
        StackName=STACK,
        TemplateBody=TEMPLATE.read_text(),
        Parameters=[{"ParameterKey": name, "UsePreviousValue": True} for name in names if name != "ExecutionRoleArn"]
        + [{"ParameterKey": "ExecutionRoleArn", "ParameterValue": ROLE}],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )

    [stack] = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    after = {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in stack["Parameters"]}
    assert after == before | {"ExecutionRoleArn": ROLE}
    assert (after["ConversationKeyArns"], after["SnapshotRetentionDays"]) == (f"{KEY},{KEY}2", "9")


@pytest.mark.parametrize("way_out", ["nat", "endpoints"])
def test_the_network_and_airflow_come_up_one_after_the_other(local_aws, way_out):
    cloudformation = local_aws.client("cloudformation")
    network = create_stack(
        cloudformation, {"WayOut": way_out}, name="network", template=TEMPLATE.with_name("network.yaml")
    )

    airflow = create_stack(
        cloudformation,
        {**network, "CreateEnvironment": "true"},
        name="airflow",
        template=TEMPLATE.with_name("mwaa.yaml"),
    )

    assert len(network["SubnetIds"].split(",")) == 2
    subnets = local_aws.client("ec2").describe_subnets(SubnetIds=network["SubnetIds"].split(","))["Subnets"]
    assert [subnet["CidrBlock"] for subnet in subnets] == ["10.192.0.0/24", "10.192.1.0/24"]
    assert airflow["ExecutionRoleArn"] == f"arn:aws:iam::{ACCOUNT}:role/chatcensus-airflow"
    versioning = local_aws.client("s3").get_bucket_versioning(Bucket=airflow["BucketName"])
    assert versioning["Status"] == "Enabled"
