"""IAM policies as they are after a stack was created: what they allow, and what no policy of ours may hold."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

# Actions without a resource type in the Service Authorization Reference, for which only `*` can be written:
# https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
NO_RESOURCE_LEVEL = {
    "bedrock:GetFoundationModelAvailability",
    "bedrock:GetModelInvocationLoggingConfiguration",
    "servicequotas:ListServiceQuotas",
    "s3:GetAccountPublicAccessBlock",
    "cloudwatch:PutMetricData",
    "logs:DescribeLogGroups",
}
# Statements of deploy/mwaa.yaml that AWS documents so: the queue of an environment and its key are in AWS's account.
# https://docs.aws.amazon.com/mwaa/latest/userguide/mwaa-create-role.html
OF_MWAA = {"UseTheQueueOfTheEnvironment", "UseTheKeyOfTheQueue"}
# The census adds to an item and to a bucket, and starts statements; it never takes away, opens, or grants.
FORBIDDEN = re.compile(
    r"s3:Delete.*|s3:Put(?!Object$|ObjectAcl$).*|s3:CreateBucket|dynamodb:(Delete(?!Item$)|Create|Update(?!Item$)|Restore|Import).*"
    r"|dynamodb:(PutItem|PartiQL.*|BatchWriteItem)|glue:(Delete|BatchDelete|CreateDatabase|UpdateDatabase).*"
    r"|athena:(Create|Update|Delete).*|iam:(?!PassRole$).*|kms:(?!Decrypt$|GenerateDataKey$).*|sts:(?!AssumeRole$).*"
    r"|bedrock:(Delete|Put|Update|Tag).*|organizations:.*|sns:(?!Publish$).*|secretsmanager:(?!GetSecretValue$).*"
)


_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[^*?]+")
_ACTION = re.compile(r"[a-z0-9-]+:[A-Za-z]+")  # no wildcard in it


@dataclass(frozen=True)
class Allowed:
    """One action on one resource that a statement allows."""

    action: str
    resource: str
    sid: str


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [dict(statement) for statement in as_list(document["Statement"])]


def allowed(documents: Iterable[Mapping[str, Any]]) -> Iterator[Allowed]:
    """Every pair of action and resource that *documents* allow."""
    for document in documents:
        for statement in statements(document):
            for action in as_list(statement["Action"]):
                for resource in as_list(statement["Resource"]):
                    yield Allowed(action, resource, statement["Sid"])


def covers(pair: Allowed, action: str, resource: str) -> bool:
    """Whether *pair* allows *action* on *resource*; empty where the request names no resource."""
    return pair.action == action and (not resource or fnmatchcase(resource, pair.resource))


def violations(document: Mapping[str, Any]) -> list[str]:
    """What of an identity policy is too wide, as sentences; empty when nothing is."""
    found = []
    for statement in statements(document):
        name = statement.get("Sid", "a statement without a Sid")
        if statement.get("Effect") != "Allow":
            continue
        if {"NotAction", "NotResource", "Principal", "NotPrincipal"} & set(statement):
            found.append(f"{name} says what it does not mean")
        actions, resources = as_list(statement.get("Action", [])), as_list(statement.get("Resource", []))
        found += [
            f"{name} allows {action}" for action in actions if "*" in action or "?" in action or ":" not in action
        ]
        found += [f"{name} allows {action}" for action in actions if FORBIDDEN.fullmatch(action)]
        for resource in resources:
            if resource == "*" and not set(actions) <= NO_RESOURCE_LEVEL:
                found.append(f"{name} allows {actions} on everything")
            if resource != "*" and _is_wide(resource):
                found.append(f"{name} allows {actions} on {resource}")
        if "iam:PassRole" in actions and not _passes_one_role(statement):
            found.append(f"{name} passes a role to more than one service, or more than one role")
        if any(action.startswith("kms:") for action in actions) and "kms:ViaService" not in json.dumps(
            statement.get("Condition", {})
        ):
            found.append(f"{name} uses a key without a service between")
    return found


def _is_wide(arn: str) -> bool:
    """Whether an ARN names another account's things, all of a service, or any resource of a kind."""
    parts = arn.split(":", 5)
    if len(parts) != 6:
        return True
    _, _, service, region, account, resource = parts
    if service == "s3":
        bucket = resource.partition("/")[0]
        return "*" in bucket or "?" in bucket or not bucket
    if service == "bedrock" and resource.startswith("foundation-model/"):
        return "*" in resource or account != ""  # whatever the Region, which the inference profile decides
    if resource == "model-invocation-job/*":
        return account == "*"  # Bedrock names a job when it begins
    return "*" in region or "*" in account or resource in {"*", ""} or resource.split("/")[1:2] == ["*"]


def _passes_one_role(statement: Mapping[str, Any]) -> bool:
    condition = statement.get("Condition", {}).get("StringEquals", {})
    roles = as_list(statement["Resource"])
    return len(as_list(condition.get("iam:PassedToService", []))) == 1 and len(roles) == 1 and "*" not in roles[0]


def trust_violations(document: Mapping[str, Any]) -> list[str]:
    """What of a trust policy lets more in than one named role, or a service on behalf of this account."""
    found = []
    for statement in statements(document):
        if as_list(statement["Action"]) != ["sts:AssumeRole"]:
            found.append(f"it allows {statement['Action']}")
        principal = statement.get("Principal")
        if not isinstance(principal, dict) or set(principal) - {"AWS", "Service"}:
            found.append(f"anybody is let in: {principal}")
            continue
        found += [f"{arn} is no single role" for arn in as_list(principal.get("AWS", [])) if not _ROLE.fullmatch(arn)]
        conditions = json.dumps(statement.get("Condition", {}))
        if "Service" in principal and not ("aws:SourceAccount" in conditions and "aws:SourceArn" in conditions):
            found.append(f"{principal['Service']} may come for another account, or another resource")
    return found


class Iam:
    """The policies of a stack, read from IAM."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def policy(self, arn: str) -> dict[str, Any]:
        """The default version of a managed policy."""
        version = self.client.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        document = self.client.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
        return dict(document) if isinstance(document, dict) else json.loads(document)

    def of_role(self, name: str) -> list[dict[str, Any]]:
        """The policies that are attached to a role."""
        attached = self.client.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        return [self.policy(each["PolicyArn"]) for each in attached]

    def trust(self, name: str) -> dict[str, Any]:
        """Who may assume a role."""
        return dict(self.client.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"])
