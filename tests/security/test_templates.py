"""The CloudFormation templates: what they ask, keep, tag and watch."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from moto.cloudformation.models import Stack

from demo.airflow_home import REPOSITORY

TEMPLATES = sorted((REPOSITORY / "deploy").glob("*.yaml"))
LARGEST = 51_200  # bytes of a template that the API takes without a bucket
HOLDS_DATA = {"AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key", "AWS::Glue::Database"}
# Of the types we use, those whose Tags a bill can be split by; CloudFormation gives stack tags to the rest.
TAGGED = {
    "AWS::DynamoDB::Table",
    "AWS::S3::Bucket",
    "AWS::KMS::Key",
    "AWS::Athena::WorkGroup",
    "AWS::IAM::Role",
    "AWS::SNS::Topic",
    "AWS::MWAA::Environment",
    "AWS::EC2::VPC",
    "AWS::EC2::NatGateway",
}
# https://docs.aws.amazon.com/bedrock/latest/userguide/monitoring-runtime-metrics.html and
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
METRICS = {
    "AWS/Bedrock": {"InvocationThrottles": ["ModelId"], "InvocationServerErrors": ["ModelId"]},
    "AWS/DynamoDB": {
        "ReadThrottleEvents": ["TableName"],
        "WriteThrottleEvents": ["TableName"],
        "ConsumedWriteCapacityUnits": ["TableName"],
    },
}


def _read(path: Path) -> dict[str, Any]:
    return Stack.parse_template(path.read_text(encoding="utf-8"))


@pytest.fixture(params=TEMPLATES, ids=lambda path: path.stem)
def template(request: pytest.FixtureRequest) -> dict[str, Any]:
    return _read(request.param)


def test_there_is_a_template_for_our_resources_one_for_airflow_and_one_for_a_network() -> None:
    assert [path.stem for path in TEMPLATES] == ["chatcensus", "mwaa", "network"]


def test_the_templates_pass_cfn_lint() -> None:
    linted = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), *TEMPLATES], capture_output=True, text=True, check=False
    )

    assert (linted.returncode, linted.stdout) == (0, "")


def test_a_template_needs_no_bucket_to_be_deployed_from() -> None:
    assert all(path.stat().st_size <= LARGEST for path in TEMPLATES)


def test_every_parameter_says_what_it_is_and_what_it_may_be(template: dict[str, Any]) -> None:
    for name, parameter in template["Parameters"].items():
        assert parameter.get("Description"), name
        is_free = parameter["Type"] == "CommaDelimitedList" or "AWS::" in parameter["Type"]
        assert is_free or {"AllowedPattern", "AllowedValues", "MinValue"} & set(parameter), name
        assert ("AllowedPattern" in parameter) == ("ConstraintDescription" in parameter), name


def test_every_parameter_stands_in_one_group_of_the_form(template: dict[str, Any]) -> None:
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    shown = [name for group in groups for name in group["Parameters"]]

    assert sorted(shown) == sorted(template["Parameters"])


def test_every_default_is_one_that_its_own_parameter_takes(template: dict[str, Any]) -> None:
    for name, parameter in template["Parameters"].items():
        default = str(parameter.get("Default", ""))
        if "AllowedPattern" in parameter:
            assert re.fullmatch(parameter["AllowedPattern"], default), name
        if "AllowedValues" in parameter:
            assert default in map(str, parameter["AllowedValues"]), name


def test_what_holds_data_outlives_the_stack_but_no_creation_that_failed(template: dict[str, Any]) -> None:
    # With `Retain` a first try that fails leaves tables and buckets, whose names the second try then finds taken:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
    for name, resource in template["Resources"].items():
        if resource["Type"] in HOLDS_DATA:
            kept = (resource["DeletionPolicy"], resource["UpdateReplacePolicy"])
            assert kept == ("RetainExceptOnCreate", "Retain"), name


def test_a_workgroup_in_which_statements_ran_can_be_deleted() -> None:
    workgroup = _read(REPOSITORY / "deploy/chatcensus.yaml")["Resources"]["Workgroup"]

    assert workgroup["Properties"]["RecursiveDeleteOption"] is True


def test_a_network_without_internet_reaches_all_that_mwaa_starts_with_and_a_run_asks_for() -> None:
    resources = _read(REPOSITORY / "deploy/network.yaml")["Resources"].values()
    names = [each["Properties"]["ServiceName"] for each in resources if each["Type"] == "AWS::EC2::VPCEndpoint"]
    services = {str(name).partition("${AWS::Region}.")[2].rstrip("'}") for name in names}

    # https://github.com/awslabs/aws-support-tools (MWAA) looks for these.
    assert services >= {"airflow.api", "airflow.env", "airflow.ops", "ecr.api", "ecr.dkr", "sqs", "kms", "logs"}
    assert services >= {"s3", "monitoring", "dynamodb", "bedrock-runtime", "athena", "glue", "sts", "sns"}
    assert services >= {"secretsmanager", "bedrock", "servicequotas"}


def test_the_smallest_class_of_environment_asks_for_one_worker() -> None:
    template = _read(REPOSITORY / "deploy/mwaa.yaml")

    assert template["Conditions"]["WithOneWorker"] == {"Fn::Equals": [{"Ref": "EnvironmentClass"}, "mw1.micro"]}
    workers = template["Resources"]["Environment"]["Properties"]["MaxWorkers"]
    assert workers == {"Fn::If": ["WithOneWorker", 1, {"Ref": "MaxWorkers"}]}


@pytest.mark.parametrize(
    ("cidr", "is_private"),
    [
        ("10.0.0.0/16", True),
        ("172.31.0.0/16", True),
        ("192.168.0.0/20", True),
        ("172.200.0.0/16", False),
        ("192.0.2.0/22", False),
        ("10.0.0.0/8", False),
    ],
)
def test_a_network_takes_private_addresses_alone(cidr: str, *, is_private: bool) -> None:
    pattern = _read(REPOSITORY / "deploy/network.yaml")["Parameters"]["VpcCidr"]["AllowedPattern"]

    assert bool(re.fullmatch(pattern, cidr)) == is_private


def test_what_costs_money_carries_the_tag_of_the_project(template: dict[str, Any]) -> None:
    for name, resource in template["Resources"].items():
        if resource["Type"] in TAGGED:
            tags = resource["Properties"]["Tags"]
            tags = tags if isinstance(tags, dict) else {tag["Key"]: tag["Value"] for tag in tags}
            assert tags["project"] == "chatcensus", name


def test_every_bucket_is_private_encrypted_and_open_to_tls_alone(template: dict[str, Any]) -> None:
    resources = template["Resources"].values()
    buckets = [each["Properties"] for each in resources if each["Type"] == "AWS::S3::Bucket"]
    policies = [each["Properties"] for each in resources if each["Type"] == "AWS::S3::BucketPolicy"]

    assert len(policies) == len(buckets)
    for bucket in buckets:
        assert all(bucket["PublicAccessBlockConfiguration"].values())
        assert len(bucket["PublicAccessBlockConfiguration"]) == 4
        assert bucket["BucketEncryption"]
    for policy in policies:
        [statement] = policy["PolicyDocument"]["Statement"]
        assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


# Types whose statements tests/security/test_iam.py reads, or the test above.
GRANTS = {
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Role",
    "AWS::KMS::Key",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::TopicPolicy",
}


def test_nothing_is_granted_but_where_the_tests_look(template: dict[str, Any]) -> None:
    for name, resource in template["Resources"].items():
        assert ('"Statement"' in json.dumps(resource)) == (resource["Type"] in GRANTS), name
        assert resource["Type"] in GRANTS or not resource["Type"].startswith("AWS::IAM::"), name
        if resource["Type"] == "AWS::IAM::Role":
            attached = json.dumps(resource["Properties"]["ManagedPolicyArns"])
            assert "Policies" not in resource["Properties"], name
            assert "arn:" not in attached, f"{name} has a policy that is not of this template"


def test_nothing_in_the_network_takes_connections_from_outside(template: dict[str, Any]) -> None:
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        rules = properties.get("SecurityGroupIngress", [])
        rules += [properties] if resource["Type"] == "AWS::EC2::SecurityGroupIngress" else []
        assert not any(rule.get("CidrIp") == "0.0.0.0/0" or "CidrIpv6" in rule for rule in rules), name
        assert properties.get("MapPublicIpOnLaunch") in (None, False), name


def test_every_alarm_watches_a_metric_that_there_is_and_tells_the_topic(template: dict[str, Any]) -> None:
    for name, resource in template["Resources"].items():
        if resource["Type"] != "AWS::CloudWatch::Alarm":
            continue
        alarm = resource["Properties"]
        dimensions = [dimension["Name"] for dimension in alarm["Dimensions"]]
        assert METRICS[alarm["Namespace"]][alarm["MetricName"]] == dimensions, name
        assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}], name
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html: a week at most.
        assert alarm["Period"] * alarm["EvaluationPeriods"] <= 7 * 86_400, name
        assert alarm["TreatMissingData"] == ("breaching" if name == "NoRunAlarm" else "notBreaching"), name


def test_no_bucket_or_role_is_made_of_a_name_that_could_grow_too_long() -> None:
    template = _read(REPOSITORY / "deploy/chatcensus.yaml")
    longest = "x" * 21
    assert re.fullmatch(template["Parameters"]["BucketPrefix"]["AllowedPattern"], longest)
    assert len(f"{longest}-snapshots-123456789012-ap-southeast-1") <= 63
    assert re.fullmatch(template["Parameters"]["RolePrefix"]["AllowedPattern"], "x" * 40)
    assert len("x" * 40 + "-dashboard") <= 64
