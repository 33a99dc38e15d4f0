"""
The policies allow what the code asks of AWS, on what it asks it of, and nothing else.

The real DAG runs over a table of each kind, each role with an access key of its own; the local AWS tells what was
asked. What AWS does with the caller's rights, and what only a fault brings about, stands in two lists with its reasons.
"""

import json
import subprocess
import sys
from collections.abc import Collection, Iterable
from typing import Any
from urllib.request import urlopen

import pytest

from demo.airflow_home import REPOSITORY, VARIABLES, process_environment
from demo.progress import local_airflow
from tests.conftest import REGION, RESULT_BUCKET, SNAPSHOT_BUCKET, LocalAwsForTests
from tests.dags.deployed import deploy
from tests.dags.test_runs import Census, _environment
from tests.dags.test_strategies import _by, _create, _index, _mark
from tests.security.policies import Allowed, Iam, allowed, covers
from tests.unit.test_presets import BEDROCK_CHAT, LARGE, MESSAGES, chat_item

pytestmark = pytest.mark.airflow

ACCOUNT = "123456789012"
INDEX, BODIES = "todo", "large-messages"
EXECUTION_ROLE = f"arn:aws:iam::{ACCOUNT}:role/mwaa-execution"
STACK = {
    "ExecutionRoleArn": EXECUTION_ROLE,
    "ConversationIndexName": INDEX,
    "ConversationBodyBucket": BODIES,
    "InferenceProfile": "",
    "FoundationModel": VARIABLES["chatcensus_model"],
}

# Operations whose IAM action has another name; every other has its own, such as dynamodb:Query.
# Source: the table "API operations" of each service in
# https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
ACTIONS = {
    "bedrock:Converse": ["bedrock:InvokeModel"],
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
ON_BEHALF = {
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
ONLY_BY_FAULTS = {
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

_DASHBOARD = """
from chatcensus.dashboard.published import PublishedReport
from chatcensus.dashboard.runs import read_run, read_runs
assert PublishedReport().read() is not None
assert read_runs(["monday"]) and read_run("monday")
"""


class Recorded:
    """What each access key has asked for, of all phases together."""

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
            for action in ACTIONS.get(operation, [operation])
        }


@pytest.fixture(scope="module")
def recorded(local_aws_server: LocalAwsForTests, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """Run everything once."""
    aws, told, deployed = local_aws_server, Recorded(), deploy(tmp_path_factory.mktemp("drift"))
    aws.reset()
    topic = aws.create_stack(**STACK)["AlarmTopicArn"]
    environment = _environment(deployed / "home", aws, chatcensus_alert_topic=topic) | {
        "AIRFLOW__CORE__DAGS_FOLDER": str(deployed / "dags"),
        "AIRFLOW_CONN_CHATCENSUS_AWS": "aws://pipeline:secret@",
        "AIRFLOW_CONN_CHATCENSUS_DASHBOARD": "aws://dashboard:secret@",
        "AIRFLOW_CONN_AWS_DEFAULT": "aws://nobody:secret@",
        "AWS_ACCESS_KEY_ID": "nobody",
    }

    with local_airflow(environment, deployed / "airflow.log") as airflow:
        census, mapping = Census(aws, airflow), deployed / "include/table.yaml"

        mapping.write_text(mapping.read_text().replace("exports: full", "exports: incremental"))
        census.load(12)
        _succeeds(census, "monday")
        census.load(3, seed=2)
        _succeeds(census, "tuesday")
        _succeeds(census, "again", reevaluate="category=coding", publish=False)
        _run_python(["-c", _DASHBOARD], environment)
        # Whatever it finds: here the question is what it looks at.
        _run_python(["-m", "chatcensus", "doctor"], environment | {"AWS_ACCESS_KEY_ID": "doctor"}, codes={0, 1})
        told.take(aws)

        for number, partition in enumerate(
            (
                f"{{strategy: pending-index, index: {INDEX}, attribute: pending, values: ['1']}}",
                f"{{strategy: date-index, index: {INDEX}, first_day: '2026-01-01'}}",
            )
        ):
            aws.reset()
            aws.create_stack(**STACK)
            mapping.write_text(_by(partition))
            census.load(4)
            key = ("pending", "day")[number]
            _index(aws, INDEX, key)
            _mark(census, key, lambda item, key=key: "1" if key == "pending" else item["created_at"]["S"][:10])
            _succeeds(census, "indexed", publish=False)
            told.take(aws)

        aws.reset()
        _create_with(aws, [chat_item(), LARGE | {"SK": "ann#CONV#02"}], HASH="PK", RANGE="SK")
        s3 = aws.client("s3")
        s3.create_bucket(Bucket=BODIES, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket=BODIES, Key=LARGE["LargeMessagePath"], Body=json.dumps(MESSAGES).encode())
        preset = (REPOSITORY / "include/presets/bedrock-chat.yaml").read_text()
        mapping.write_text(preset.replace(str(BEDROCK_CHAT.body.bucket), BODIES))
        _succeeds(census, "bodies", publish=False)
        told.take(aws)

        aws.reset()
        _create_with(aws, [_message(1, "user"), _message(2, "assistant")], HASH="id", RANGE="createdDate")
        mapping.write_text((REPOSITORY / "include/presets/generative-ai-use-cases.yaml").read_text())
        _succeeds(census, "messages", publish=False)
        told.take(aws)
    return told


def _succeeds(census: Census, run_id: str, **conf: Any) -> None:
    assert census.run(run_id, **conf) == "success", census.airflow.log_file.read_text()[-4000:]


def _message(number: int, role: str) -> dict[str, Any]:
    return {
        "id": "chat#a",
        "createdDate": f"179082384567{number}#0",
        "role": role,
        "content": "SQL",
        "userId": "user#ann",
    }


def _create_with(aws: LocalAwsForTests, items: list[dict[str, Any]], **keys: str) -> None:
    aws.create_stack(CreateConversationTable="false", **STACK)
    _create(aws, items, **keys)


def _run_python(arguments: list[str], environment: dict[str, str], codes: Collection[int] = (0,)) -> None:
    told = subprocess.run(
        [sys.executable, *arguments],
        env=process_environment(environment) | {"PYTHONPATH": str(REPOSITORY / "plugins")},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode in codes, told.stderr[-2000:]


@pytest.fixture(scope="module")
def policies(local_aws_server: LocalAwsForTests, recorded: Recorded) -> dict[str, list[Allowed]]:  # noqa: ARG001  its stack
    """What each role may do; the stack of the last phase has the policies of all of them."""
    iam = Iam(local_aws_server.client("iam"))
    return {role: list(allowed(iam.of_role(f"chatcensus-{role}"))) for role in ("pipeline", "dashboard")}


def _missing(pairs: Iterable[Allowed], asked: Iterable[tuple[str, str]]) -> list[str]:
    pairs = list(pairs)
    return sorted(f"{a} on {r}" for a, r in asked if not any(covers(pair, a, r) for pair in pairs))


def _unused(pairs: Iterable[Allowed], asked: Iterable[tuple[str, str]]) -> list[str]:
    asked = list(asked)
    return sorted(f"{p.sid}: {p.action} on {p.resource}" for p in pairs if not any(covers(p, a, r) for a, r in asked))


def _beside() -> set[tuple[str, str]]:
    return {pair for table in (ON_BEHALF, ONLY_BY_FAULTS) for pairs in table.values() for pair in pairs}


@pytest.mark.parametrize("role", ["pipeline", "dashboard"])
def test_a_role_may_do_all_that_its_code_asks_for(
    recorded: Recorded, policies: dict[str, list[Allowed]], role: str
) -> None:
    assert len(recorded.actions(role)) > 3
    assert _missing(policies[role], recorded.actions(role)) == []


def test_the_pipeline_may_do_what_aws_does_on_its_behalf(policies: dict[str, list[Allowed]]) -> None:
    assert _missing(policies["pipeline"], _beside()) == []


@pytest.mark.parametrize("role", ["pipeline", "dashboard"])
def test_a_role_may_do_nothing_that_no_code_asks_for(
    recorded: Recorded, policies: dict[str, list[Allowed]], role: str
) -> None:
    assert _unused(policies[role], recorded.actions(role) | _beside()) == []


def test_nothing_goes_to_aws_but_by_the_two_connections(recorded: Recorded) -> None:
    assert recorded.asked.get("nobody", set()) == set()


# The comparison itself

_SCAN = Allowed("dynamodb:Scan", "arn:aws:dynamodb:r:1:table/one", "Read")


def test_what_is_asked_for_and_not_allowed_is_named() -> None:
    asked = [("dynamodb:Scan", "arn:aws:dynamodb:r:1:table/two"), ("dynamodb:Query", _SCAN.resource)]

    assert _missing([_SCAN], [(_SCAN.action, _SCAN.resource)]) == []
    assert _missing([_SCAN], asked) == [f"dynamodb:Query on {_SCAN.resource}", f"dynamodb:Scan on {asked[0][1]}"]


def test_what_is_allowed_and_not_asked_for_is_named() -> None:
    assert _unused([_SCAN], [(_SCAN.action, _SCAN.resource)]) == []
    assert _unused([_SCAN], [("dynamodb:Query", _SCAN.resource)]) == [f"Read: dynamodb:Scan on {_SCAN.resource}"]
