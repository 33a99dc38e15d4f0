"""No policy of ours allows more than one thing on one resource needs, and no role lets in more than one caller."""

import copy
import json
from typing import Any

import pytest

from chatcensus.aws.write_back import WriteBack
from chatcensus.include import read_yaml
from chatcensus.mapping import Stored, TableMapping
from demo.airflow_home import REPOSITORY
from local_aws.stack import TEMPLATE, create_stack
from tests.aws.test_catalog import EVALUATION
from tests.conftest import REGION, RESULT_BUCKET, SNAPSHOT_BUCKET, LocalAwsForTests
from tests.security.policies import OF_MWAA, Allowed, Iam, allowed, covers, statements, trust_violations, violations

ACCOUNT = "123456789012"
EXECUTION_ROLE = f"arn:aws:iam::{ACCOUNT}:role/mwaa-execution"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0a1b2c3d"
PROFILE = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:inference-profile/global.anthropic.claude-haiku-5-5"
OTHER_PROFILE = PROFILE.replace(REGION, "us-west-2")
OTHER_MODEL = PROFILE.replace("global.", "jp.")
OTHER_ROLE = "arn:aws:iam::210987654321:role/chat-census-route"
EVERYTHING = {
    "ExecutionRoleArn": EXECUTION_ROLE,
    "PermissionsBoundaryArn": BOUNDARY,
    "ConversationIndexName": "todo",
    "ConversationBodyBucket": "large-messages",
    "ConversationKeyArns": KEY,
    "ConversationAttributes": "conversation_id,turns,evaluation",
    "CreateBatchRole": "true",
    "CreateKey": "true",
    "ExtraRouteProfileArns": OTHER_PROFILE,
    "ExtraRouteRoleArns": OTHER_ROLE,
    "TrialModelArns": OTHER_MODEL,
}
OPTIONS = {
    "everything": EVERYTHING,
    "roles": {"ExecutionRoleArn": EXECUTION_ROLE},
    "a model without a profile": EVERYTHING | {"InferenceProfile": "", "FoundationModel": "amazon.nova-micro-v1:0"},
}
MWAA = TEMPLATE.with_name("mwaa.yaml")


@pytest.fixture(params=OPTIONS)
def iam(request: pytest.FixtureRequest, local_aws: LocalAwsForTests) -> Iam:
    local_aws.create_stack(**OPTIONS[request.param])
    return Iam(local_aws.client("iam"))


@pytest.fixture
def full(local_aws: LocalAwsForTests) -> Iam:
    local_aws.create_stack(**EVERYTHING)
    return Iam(local_aws.client("iam"))


def _policies(iam: Iam) -> list[dict[str, Any]]:
    """All that the stack allows anybody: its policies, and what a role has beside them."""
    ours = [iam.policy(each["Arn"]) for each in iam.client.list_policies(Scope="Local")["Policies"]]
    of_roles = [policy for role in iam.client.list_roles()["Roles"] for policy in iam.of_role(role["RoleName"])]
    return ours + [policy for policy in of_roles if policy not in ours]


def test_no_policy_is_too_wide(iam: Iam) -> None:
    policies = _policies(iam)

    assert len(policies) >= 5
    assert [violations(policy) for policy in policies] == [[]] * len(policies)


def test_every_statement_says_what_it_is_for_and_says_it_once(iam: Iam) -> None:
    sids = [statement["Sid"] for policy in _policies(iam) for statement in statements(policy)]

    assert len(sids) == len(set(sids))


def test_every_role_lets_in_one_caller(iam: Iam) -> None:
    roles = [role["RoleName"] for role in iam.client.list_roles()["Roles"]]

    assert {"chatcensus-pipeline", "chatcensus-dashboard"} <= set(roles)
    assert [trust_violations(iam.trust(role)) for role in roles] == [[]] * len(roles)


def test_pipeline_and_dashboard_may_be_assumed_by_the_execution_role_alone(full: Iam) -> None:
    for role in ("chatcensus-pipeline", "chatcensus-dashboard"):
        [statement] = statements(full.trust(role))
        assert statement["Principal"] == {"AWS": EXECUTION_ROLE}


def test_without_an_execution_role_there_are_policies_to_attach_and_no_roles(local_aws: LocalAwsForTests) -> None:
    outputs = local_aws.create_stack()
    iam = Iam(local_aws.client("iam"))

    assert iam.client.list_roles()["Roles"] == []
    assert "PipelineRoleArn" not in outputs
    for name in ("Conversation", "Model", "Result", "Doctor", "Dashboard"):
        assert statements(iam.policy(outputs[f"{name}PolicyArn"]))


def test_every_role_has_the_permissions_boundary_that_was_asked_for(full: Iam) -> None:
    for role in full.client.list_roles()["Roles"]:
        described = full.client.get_role(RoleName=role["RoleName"])["Role"]
        assert described["PermissionsBoundary"]["PermissionsBoundaryArn"] == BOUNDARY


LONGEST = {
    "ConversationTableName": "t" * 255,
    "ControlTableName": "c" * 255,
    "ConversationIndexName": "i" * 255,
    "ConversationBodyBucket": "b" * 63,
    "DatabaseName": "d" * 63,
    "WorkgroupName": "w" * 128,
    "BucketPrefix": "p" * 21,
    "InferenceProfile": "p" * 128,
    "FoundationModel": "m" * 128,
    "RolePrefix": "r" * 40,
}


def test_policies_fit_into_what_iam_allows_with_the_longest_names_too(local_aws: LocalAwsForTests) -> None:
    local_aws.create_stack(**EVERYTHING | LONGEST)
    full = Iam(local_aws.client("iam"))

    assert all(len(json.dumps(policy, separators=(",", ":"))) <= 6144 for policy in _policies(full))
    for role in full.client.list_roles()["Roles"]:
        assert len(full.of_role(role["RoleName"])) <= 10  # the default quota


def test_the_dashboard_reads_what_is_published_and_the_ledger_and_writes_nothing(full: Iam) -> None:
    pairs = list(allowed(full.of_role("chatcensus-dashboard")))

    assert {pair.action.partition(":")[2] for pair in pairs} == {
        "BatchGetItem", "Decrypt", "GetItem", "GetObject", "ListBucket", "Query",
    }  # fmt: skip
    for key in ("reports/edition=x/tables/operators/evaluation_quality.csv", "summaries/x", "athena/x", "curated/x"):
        assert not _may(pairs, "s3:GetObject", f"arn:aws:s3:::{RESULT_BUCKET}/{key}")
    assert not _may(pairs, "s3:GetObject", f"arn:aws:s3:::{SNAPSHOT_BUCKET}/exports/x")
    assert not _may(pairs, "dynamodb:Query", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/chat-conversations")


def test_a_model_behind_a_profile_can_be_called_through_that_profile_alone(full: Iam) -> None:
    calls = [each for each in _statements_of(full, "chatcensus-pipeline") if each["Action"] == "bedrock:InvokeModel"]
    models = [each for each in calls if "foundation-model" in str(each["Resource"])]

    assert any(PROFILE in each["Resource"] for each in calls)
    through = [each["Condition"]["StringEquals"]["bedrock:InferenceProfileArn"] for each in models]
    assert [PROFILE in profiles for profiles in through] == [True, False]
    assert through[1] in (OTHER_PROFILE, [OTHER_PROFILE])


def test_the_roles_of_routes_are_entered_and_no_other(full: Iam) -> None:
    entered = [
        each["Resource"] for each in _statements_of(full, "chatcensus-pipeline") if each["Action"] == "sts:AssumeRole"
    ]

    assert entered in ([OTHER_ROLE], [[OTHER_ROLE]])
    pairs = list(allowed(full.of_role("chatcensus-pipeline")))
    assert _may(pairs, "bedrock:InvokeModel", "arn:aws:bedrock:eu-west-3::foundation-model/anthropic.claude-haiku-5-5")
    assert not _may(pairs, "bedrock:InvokeModel", f"arn:aws:bedrock:{REGION}::foundation-model/amazon.nova-pro-v1:0")
    assert _may(pairs, "bedrock:GetInferenceProfile", PROFILE)


def test_the_attributes_of_an_update_are_limited_where_they_are_named(full: Iam) -> None:
    [write] = [each for each in _statements_of(full, "chatcensus-pipeline") if each["Sid"] == "WriteEvaluations"]

    named = write["Condition"]["ForAllValues:StringEquals"]["dynamodb:Attributes"]
    assert named == ["conversation_id", "turns", "evaluation"]


def test_the_role_that_is_passed_is_the_one_for_batch_jobs(full: Iam) -> None:
    passes = [s for policy in _policies(full) for s in statements(policy) if "iam:PassRole" in s["Action"]]

    [only] = passes
    assert only["Resource"] == f"arn:aws:iam::{ACCOUNT}:role/chatcensus-batch"
    assert only["Condition"] == {"StringEquals": {"iam:PassedToService": "bedrock.amazonaws.com"}}


def test_the_topic_and_the_key_let_in_two_services_for_this_account_alone(local_aws: LocalAwsForTests) -> None:
    outputs = local_aws.create_stack(**EVERYTHING)
    topic = local_aws.client("sns").get_topic_attributes(TopicArn=outputs["AlarmTopicArn"])["Attributes"]["Policy"]
    key = local_aws.client("kms").get_key_policy(KeyId=outputs["KeyArn"], PolicyName="default")["Policy"]

    for statement in statements(json.loads(topic)) + statements(json.loads(key))[1:]:
        assert statement["Principal"] == {"Service": ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"]}
        assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    # What AWS gives every key, so that IAM decides: without it nobody could administer the key.
    [account, _] = statements(json.loads(key))
    assert account["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}


def test_the_execution_role_of_mwaa_has_what_mwaa_documents_and_may_assume_two_roles(
    local_aws: LocalAwsForTests,
) -> None:
    ec2 = local_aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    parameters = {"VpcId": vpc, "SubnetIds": "subnet-1,subnet-2", "PermissionsBoundaryArn": BOUNDARY}
    create_stack(local_aws.client("cloudformation"), parameters, name="airflow", template=MWAA)
    iam = Iam(local_aws.client("iam"))
    [policy] = iam.of_role("chatcensus-airflow")

    ours = {"Statement": [each for each in statements(policy) if each["Sid"] not in OF_MWAA]}
    assert violations(ours) == []
    assert {each["Sid"] for each in statements(policy)} >= OF_MWAA
    assert trust_violations(iam.trust("chatcensus-airflow")) == []
    [assume] = [each for each in statements(policy) if each["Action"] == "sts:AssumeRole"]
    assert assume["Resource"] == [
        f"arn:aws:iam::{ACCOUNT}:role/chatcensus-{name}" for name in ("pipeline", "dashboard")
    ]


def _may(pairs: list[Allowed], action: str, resource: str) -> bool:
    return any(covers(pair, action, resource) for pair in pairs)


def _statements_of(iam: Iam, role: str) -> list[dict[str, Any]]:
    return [statement for policy in iam.of_role(role) for statement in statements(policy)]


class _Written:
    """Stands for DynamoDB: keeps the request of a write."""

    def update_item(self, **request: Any) -> None:
        self.named = {*request["Key"], *request["ExpressionAttributeNames"].values()} - {"content_hash"}


@pytest.mark.parametrize(
    ("preset", "row"), [("simple", "ours"), ("bedrock-chat", "bedrock-chat"), ("generative-ai-use-cases",) * 2]
)
def test_the_attributes_that_the_document_lists_are_those_that_a_write_names(preset: str, row: str) -> None:
    mapping = read_yaml(REPOSITORY / f"include/presets/{preset}.yaml", TableMapping)
    item = dict.fromkeys(mapping.key_names, "k")
    client, stored = _Written(), Stored(item, has_room=True)
    page = (REPOSITORY / "docs/aws-resources.md").read_text()

    WriteBack(client, "table", mapping).write(stored, EVALUATION)  # type: ignore[arg-type]

    assert f"| {row} | `{','.join(_in_order(client.named, mapping))}` |" in page


def _in_order(named: set[str], mapping: TableMapping) -> list[str]:
    first = [*mapping.key_names, mapping.marker]
    return [*first, *sorted(named - set(first))]


# The checks themselves

_GOOD = {
    "Statement": [
        {
            "Sid": "Good",
            "Effect": "Allow",
            "Action": ["s3:GetObject"],
            "Resource": ["arn:aws:s3:::bucket/exports/*"],
        }
    ]
}
_PASS = {
    "Action": "iam:PassRole",
    "Resource": f"arn:aws:iam::{ACCOUNT}:role/one",
    "Condition": {"StringEquals": {"iam:PassedToService": "bedrock.amazonaws.com"}},
}


@pytest.mark.parametrize(
    "change",
    [
        {"Action": "*"},
        {"Action": "s3:*"},
        {"Action": ["s3:Get*"]},
        {"Action": "s3:DeleteObject"},
        {"Action": "s3:PutBucketPolicy"},
        {"Action": "dynamodb:DeleteTable"},
        {"Action": "dynamodb:PutItem"},
        {"Action": "glue:DeleteTable"},
        {"Action": "iam:CreateRole"},
        {"Action": "kms:CreateGrant"},
        {"NotAction": "s3:GetObject"},
        {"NotResource": "arn:aws:s3:::other"},
        {"Resource": "*"},
        {"Action": ["servicequotas:ListServiceQuotas", "s3:GetObject"], "Resource": "*"},
        {"Resource": "arn:aws:s3:::*"},
        {"Resource": "arn:aws:s3:::bucket-*/exports/*"},
        {"Action": "dynamodb:Scan", "Resource": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/*"},
        {"Action": "dynamodb:Scan", "Resource": f"arn:aws:dynamodb:*:{ACCOUNT}:table/one"},
        {"Action": "glue:GetTable", "Resource": f"arn:aws:glue:{REGION}:*:catalog"},
        {"Action": "bedrock:InvokeModel", "Resource": "arn:aws:bedrock:*::foundation-model/*"},
        {"Action": "kms:Decrypt", "Resource": KEY},
        # What a checker is easily blind to
        {"Action": "S3:DELETEOBJECT"},
        {"Action": "s3:Get?bject"},
        {"Action": "s3:*Object"},
        {"Action": "lambda:InvokeFunction", "Resource": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:one"},
        {"Action": []},
        {"Resource": []},
        {"Effect": "allow", "Action": "s3:*"},
        {"Resource": "arn:aws:s3:::bucket/*"},
        {"Resource": "arn:aws:s3:::bucket/*/exports/x"},
        {"Action": "dynamodb:Scan", "Resource": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/c*"},
        {"Action": "dynamodb:Scan", "Resource": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/?????"},
        {"Action": "dynamodb:Scan", "Resource": f"arn:aws:dynamodb:{REGION}:????????????:table/one"},
        {"Action": "sts:AssumeRole", "Resource": f"arn:aws:iam::{ACCOUNT}:role/chatcensus-*"},
        {"Action": "secretsmanager:GetSecretValue", "Resource": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:*"},
        {"Action": "cloudwatch:PutMetricData", "Resource": "*"},
        {"Action": "dynamodb:DeleteItem", "Resource": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/one"}
        | {"Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": "claim#*"}}},
        *[
            {"Action": "kms:Decrypt", "Resource": KEY, "Condition": {operator: {"kms:ViaService": value}}}
            for operator, value in [
                ("StringNotEquals", "s3.amazonaws.com"),
                ("StringLike", "*"),
                ("StringEqualsIfExists", "s3.amazonaws.com"),
                ("Null", "true"),
            ]
        ],
        _PASS | {"Action": "iam:passrole", "Condition": {}},
        _PASS | {"Condition": {"StringLike": {"iam:PassedToService": "*"}}},
        _PASS | {"Resource": f"arn:aws:iam::{ACCOUNT}:role/*"},
        _PASS | {"Condition": {}},
        _PASS
        | {"Condition": {"StringEquals": {"iam:PassedToService": ["bedrock.amazonaws.com", "ec2.amazonaws.com"]}}},
    ],
)
def test_a_policy_that_is_too_wide_is_found(change: dict[str, Any]) -> None:
    planted = copy.deepcopy(_GOOD)
    planted["Statement"][0] |= change

    assert violations(_GOOD) == []
    assert violations(planted)


def test_a_right_use_of_a_key_and_of_a_role_is_no_finding() -> None:
    condition = {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}
    use = {"Sid": "Use", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": KEY, "Condition": condition}

    assert violations({"Statement": [use, {"Sid": "Pass", "Effect": "Allow", **_PASS}]}) == []


@pytest.mark.parametrize(
    "statement",
    [
        {"Principal": "*"},
        {"Principal": {"AWS": "*"}},
        {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}},
        {"Principal": {"AWS": ACCOUNT}},
        {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/ann"}},
        {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/*"}},
        {"Principal": {"Federated": "accounts.google.com"}},
        {"Principal": {"AWS": EXECUTION_ROLE}, "Action": ["sts:AssumeRole", "sts:TagSession"]},
        {"Principal": {"Service": "bedrock.amazonaws.com"}},
        {
            "Principal": {"Service": "bedrock.amazonaws.com"},
            "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
        },
        {
            "Principal": {"Service": "bedrock.amazonaws.com"},
            "Condition": {
                "StringNotEquals": {"aws:SourceAccount": ACCOUNT},
                "ArnLike": {"aws:SourceArn": f"arn:aws:bedrock:{REGION}:{ACCOUNT}:model-invocation-job/*"},
            },
        },
        {
            "Principal": {"Service": "bedrock.amazonaws.com"},
            "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}, "ArnLike": {"aws:SourceArn": "*"}},
        },
        {"NotPrincipal": {"AWS": EXECUTION_ROLE}},
        {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
        | {"Condition": {"StringEquals": {"sts:ExternalId": "guess-me"}}},
    ],
)
def test_a_trust_that_is_too_wide_is_found(statement: dict[str, Any]) -> None:
    assert trust_violations({"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", **statement}})


def test_a_policy_of_aws_or_one_written_into_a_role_is_looked_at_too(full: Iam) -> None:
    statement = {"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"}
    everything = {"Version": "2012-10-17", "Statement": [statement]}
    full.client.put_role_policy(
        RoleName="chatcensus-dashboard", PolicyName="inline", PolicyDocument=json.dumps(everything)
    )

    assert [found for policy in _policies(full) for found in violations(policy)] == [
        "All allows *",
        "All allows ['*'] on everything",
    ]
