"""
What the roles were seen to ask of AWS, beside what their policies allow.

The local AWS tells what was asked. What AWS does with the caller's rights, and what only a fault brings about, stands
in two lists with its reasons.
"""

import json
from collections.abc import Iterable
from urllib.request import urlopen

from tests.conftest import ACCOUNT, REGION, RESULT_BUCKET, SNAPSHOT_BUCKET, LocalAwsForTests
from tests.dags.running import BODIES, STACK
from tests.security.policies import Allowed, Iam, allowed, covers

# Operations whose IAM action has another name; every other has its own, such as dynamodb:Query.
# Source: the table "API operations" of each service in
# https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
_ACTIONS = {
    "bedrock:Converse": ["bedrock:InvokeModel"],
    "dynamodb:TransactWriteItems": ["dynamodb:UpdateItem"],  # of transactions that only update
    "s3:CompleteMultipartUpload": ["s3:PutObject"],
    "s3:CopyObject": ["s3:PutObject"],  # and s3:GetObject on the source, which has its own line below
    "s3:CreateMultipartUpload": ["s3:PutObject"],
    "s3:GetBucketEncryption": ["s3:GetEncryptionConfiguration"],
    "s3:GetBucketLifecycleConfiguration": ["s3:GetLifecycleConfiguration"],
    "s3:GetPublicAccessBlock": ["s3:GetBucketPublicAccessBlock"],
    "s3:HeadBucket": ["s3:ListBucket"],
    "s3:HeadObject": ["s3:GetObject"],
    "s3:ListMultipartUploads": ["s3:ListBucketMultipartUploads"],
    "s3:ListObjectsV2": ["s3:ListBucket"],
    "s3:ListParts": ["s3:ListMultipartUploadParts"],
    "s3:UploadPart": ["s3:PutObject"],
    "sts:GetCallerIdentity": [],  # needs no permission: its API page says so
}

_SNAPSHOTS, _RESULTS = f"arn:aws:s3:::{SNAPSHOT_BUCKET}", f"arn:aws:s3:::{RESULT_BUCKET}"
_GLUE = f"arn:aws:glue:{REGION}:{ACCOUNT}"
_OF_GLUE = (f"{_GLUE}:catalog", f"{_GLUE}:database/chatcensus", f"{_GLUE}:table/chatcensus/any")
_WRITTEN = tuple(f"{_RESULTS}/{folder}/x" for folder in ("athena", "curated", "summaries"))
_READ = (f"{_SNAPSHOTS}/exports/x", f"{_SNAPSHOTS}/key/x", *_WRITTEN, f"{_RESULTS}/published/x")
# What AWS does with the rights of the caller, and what a request to one resource needs on others.
_ON_BEHALF = {
    # DynamoDB writes an export as the caller:
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport_Requesting.html
    "an export": [
        (action, f"{_SNAPSHOTS}/exports/x") for action in ("s3:AbortMultipartUpload", "s3:PutObject", "s3:PutObjectAcl")
    ],
    # Athena reads the catalog as the caller, and looks for the database `default` first:
    # https://docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html
    "the catalog of a statement": [
        (f"glue:{action}", resource)
        for action in ("BatchGetPartition", "GetDatabase", "GetPartition", "GetPartitions", "GetTable")
        for resource in _OF_GLUE
    ]
    + [("glue:GetDatabase", f"{_GLUE}:database/default")],
    # An action on a table is checked on its database and on the catalog too:
    # https://docs.aws.amazon.com/glue/latest/dg/glue-specifying-resource-arns.html
    "the parents of a table": [
        (f"glue:{action}", resource)
        for action in ("CreatePartition", "CreateTable", "GetTables", "UpdatePartition", "UpdateTable")
        for resource in _OF_GLUE[:2]
    ],
    # Athena reads data, and writes results and UNLOADs, as the caller, in parts where they are large:
    # https://docs.aws.amazon.com/athena/latest/ug/s3-permissions.html and .../athena/latest/ug/querying.html
    "the data of a statement": [("s3:GetObject", resource) for resource in _READ]
    + [
        (action, resource)
        for action in ("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObject")
        for resource in _WRITTEN
    ]
    + [
        (action, bucket)
        for action in ("s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads")
        for bucket in (_SNAPSHOTS, _RESULTS)
    ],
    # S3 says that an object is not there only to who may list: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    "a missing object": [("s3:ListBucket", _RESULTS), ("s3:ListBucket", f"arn:aws:s3:::{BODIES}")],
    # CopyObject reads its source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
    "a copy": [("s3:GetObject", f"{_RESULTS}/summaries/x")],
}
# What is asked for only after a fault, and the test of that fault or the code that meets it.
_ONLY_BY_FAULTS = {
    # A statement that takes too long, or whose task is killed: tests/aws/test_athena.py.
    "a statement is stopped": [
        ("athena:StopQueryExecution", f"arn:aws:athena:{REGION}:{ACCOUNT}:workgroup/chatcensus")
    ],
    # A partition is there already when a task comes again after it was made: tests/aws/test_catalog.py.
    "a partition is moved": [("glue:UpdatePartition", _OF_GLUE[2])],
    # DynamoDB has left keys of a batch unprocessed: read_runs in plugins/chatcensus/dashboard/runs.py.
    "a row is read alone": [
        ("dynamodb:GetItem", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/chatcensus-control"),
    ],
}

# What only another DAG asks for, and the test that compares it with the policies.
_BY_OTHER_DAGS = {
    "a review": [  # tests/dags/test_review.py
        (action, f"{_SNAPSHOTS}/{folder}/x")
        for action in ("s3:GetObject", "s3:PutObject")
        for folder in ("gold", "reviews")
    ],
    "a taxonomy review": [  # tests/dags/test_taxonomy_review.py
        (action, f"{_RESULTS}/taxonomy/x") for action in ("s3:GetObject", "s3:PutObject")
    ],
}


class Recorded:
    """What each access key has asked for, of all runs together."""

    def __init__(self) -> None:
        self.asked: dict[str, set[tuple[str, str]]] = {}

    def take(self, aws: LocalAwsForTests) -> None:
        with urlopen(f"{aws.endpoint_url}/_local/operations") as answer:
            for each in json.load(answer)["operations"]:
                self.asked.setdefault(each["who"], set()).add((each["operation"], each["resource"]))

    def actions(self, role: str) -> set[tuple[str, str]]:
        """The IAM actions that *role* needed, and the resource of each; `doctor` runs with the pipeline's."""
        return {
            (action, resource)
            for who in (role, *(["doctor"] if role == "pipeline" else []))
            for operation, resource in self.asked.get(who, set())
            for action in _ACTIONS.get(operation, [operation])
        }


def policies_of_roles(aws: LocalAwsForTests) -> dict[str, list[Allowed]]:
    """What the template allows each role, read from a stack that this makes."""
    aws.reset()
    aws.create_stack(**STACK)
    iam = Iam(aws.client("iam"))
    return {role: list(allowed(iam.of_role(f"chatcensus-{role}"))) for role in ("pipeline", "dashboard")}


def missing(pairs: Iterable[Allowed], asked: Iterable[tuple[str, str]]) -> list[str]:
    """What of *asked* none of *pairs* allows."""
    pairs = list(pairs)
    return sorted(f"{a} on {r}" for a, r in asked if not any(covers(pair, a, r) for pair in pairs))


def unused(pairs: Iterable[Allowed], asked: Iterable[tuple[str, str]]) -> list[str]:
    """What of *pairs* nothing of *asked* needs."""
    asked = list(asked)
    return sorted(f"{p.sid}: {p.action} on {p.resource}" for p in pairs if not any(covers(p, a, r) for a, r in asked))


def beside() -> set[tuple[str, str]]:
    """What a role needs although its code never asks for it in a run that goes well."""
    return {
        pair for table in (_ON_BEHALF, _ONLY_BY_FAULTS, _BY_OTHER_DAGS) for pairs in table.values() for pair in pairs
    }
