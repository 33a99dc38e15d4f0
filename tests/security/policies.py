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
    r"|bedrock:(Delete|Put|Update|Tag).*|organizations:.*|sns:(?!Publish$).*|secretsmanager:(?!GetSecretValue$).*",
    re.IGNORECASE,  # as IAM reads actions
)
# Services that the census or MWAA calls; an action of another one is looked at by a person first.
_SERVICES = "airflow|athena|bedrock|cloudwatch|dynamodb|glue|iam|kms|logs|s3|secretsmanager|servicequotas|sns|sqs|sts"
# The two that may read a whole bucket: of large conversations, which is not ours, and of the package.
WHOLE_BUCKET = {"ReadLargeConversations", "ReadThePackage"}

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[^*?]+")
_ACTION = re.compile(rf"({_SERVICES}):[A-Za-z]+")  # no wildcard in it
# Names below something named, such as the tables of a database; and names that begin as ours do.
_BELOW = re.compile(r"[^*?/]+/[^*?/]{3,}/([^*?]+/)?\*")
_BEGINS = {"secretsmanager": re.compile(r"secret:[^*?]{8,}\*"), "logs": re.compile(r"log-group:[^*?]{8,}\*")}


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
        if statement.get("Effect") == "Deny":
            continue
        if {"NotAction", "NotResource", "Principal", "NotPrincipal"} & set(statement):
            found.append(f"{name} says what it does not mean")
        actions, resources = as_list(statement.get("Action", [])), as_list(statement.get("Resource", []))
        found += [f"{name} names no action or no resource"] if not (actions and resources) else []
        found += [f"{name} allows {action}" for action in actions if not _ACTION.fullmatch(action)]
        found += [f"{name} allows {action}" for action in actions if FORBIDDEN.fullmatch(action)]
        for resource in resources:
            if resource == "*" and not set(actions) <= NO_RESOURCE_LEVEL:
                found.append(f"{name} allows {actions} on everything")
            if resource != "*" and (_is_wide(resource) or (_is_whole_bucket(resource) and name not in WHOLE_BUCKET)):
                found.append(f"{name} allows {actions} on {resource}")
        found += [f"{name} {why}" for why in _lax(statement, {action.lower() for action in actions})]
    return found


def _lax(statement: Mapping[str, Any], actions: set[str]) -> Iterator[str]:
    """What the condition of *statement* lets pass that those actions need held."""
    condition = statement.get("Condition", {})
    if "iam:passrole" in actions and not (
        len(_exactly(condition, "iam:PassedToService")) == 1 and len(as_list(statement["Resource"])) == 1
    ):
        yield "passes a role to more than one service, or more than one role"
    if any(action.startswith("kms:") for action in actions) and not _exactly(condition, "kms:ViaService"):
        yield "uses a key without a service between"
    if "cloudwatch:putmetricdata" in actions and not _exactly(condition, "cloudwatch:namespace"):
        yield "writes metrics of any name"
    for operator, keys in condition.items():
        unheld = [key for key in keys if condition.get("Null", {}).get(key) != "false"]
        if operator.startswith("ForAllValues:") and unheld:
            yield f"holds for a request without {unheld}"


def _exactly(condition: Mapping[str, Any], key: str) -> list[str]:
    """The only values that *condition* takes for *key*; empty where it takes others, or a request without it."""
    values = [str(value) for value in as_list(condition.get("StringEquals", {}).get(key, []))]
    return [] if any(set(value) & {"*", "?"} for value in values) else values


def _is_wide(arn: str) -> bool:
    """Whether an ARN names another account's things, all of a service, or any resource of a kind."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or "?" in arn:
        return True
    _, _, service, region, account, resource = parts
    if service == "s3":
        bucket = resource.partition("/")[0]
        return "*" in bucket or not bucket
    if service == "bedrock" and resource.startswith("foundation-model/"):
        return "*" in resource or account != ""  # whatever the Region, which the inference profile decides
    if resource == "model-invocation-job/*":
        return "*" in account  # Bedrock names a job when it begins
    if "*" in region or "*" in account or not resource:
        return True
    begins = _BEGINS.get(service)
    is_named = "*" not in resource or _BELOW.fullmatch(resource) or (begins and begins.fullmatch(resource))
    return not is_named


def _is_whole_bucket(arn: str) -> bool:
    return ":s3:::" in arn and arn.partition("/")[2].startswith("*")


def trust_violations(document: Mapping[str, Any]) -> list[str]:
    """What of a trust policy lets more in than one named role, or a service on behalf of this account."""
    found = []
    for statement in statements(document):
        if as_list(statement.get("Action")) != ["sts:AssumeRole"]:
            found.append(f"it allows {statement.get('Action')}")
        principal = statement.get("Principal")
        if not isinstance(principal, dict) or set(principal) - {"AWS", "Service"}:
            found.append(f"anybody is let in: {principal}")
            continue
        found += [f"{arn} is no single role" for arn in as_list(principal.get("AWS", [])) if not _ROLE.fullmatch(arn)]
        if "Service" in principal and not _is_for_this_account(statement.get("Condition", {})):
            found.append(f"{principal['Service']} may come for another account, or another resource")
    return found


def _is_for_this_account(condition: Mapping[str, Any]) -> bool:
    """Whether a service is let in for resources of one account alone (the confused deputy)."""
    accounts = _exactly(condition, "aws:SourceAccount")
    sources = as_list(condition.get("ArnLike", condition.get("ArnEquals", {})).get("aws:SourceArn", []))
    return len(accounts) == 1 and bool(sources) and all(arn.split(":")[4:5] == accounts for arn in sources)


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
        """The policies of a role: attached, AWS's own included, and written into it."""
        attached = self.client.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        inline = self.client.list_role_policies(RoleName=name)["PolicyNames"]
        return [self.policy(each["PolicyArn"]) for each in attached] + [
            dict(self.client.get_role_policy(RoleName=name, PolicyName=each)["PolicyDocument"]) for each in inline
        ]

    def trust(self, name: str) -> dict[str, Any]:
        """Who may assume a role."""
        return dict(self.client.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"])
