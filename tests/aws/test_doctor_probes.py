"""The doctor at a good deployment, at answers of every kind, and at looks that cannot be done; nothing is changed."""

import http.server
import json
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import typer
from typer.testing import CliRunner

from chatcensus.aws.doctor import CLIENT_CONFIG, DEADLINE_S, examine
from chatcensus.aws.probing import NEEDED, SERVICES, Probe, look_everywhere
from chatcensus.commands.doctor import doctor
from chatcensus.doctor import Finding, Names, is_ill, ok
from demo.airflow_home import VARIABLES
from tests.aws.examined import CANARY, DENIED, HAIKU, NAMES, NEVER_FOR_THE_STAND_IN, answering, examined, refusing
from tests.fakes import INCLUDE


@pytest.fixture(scope="module")
def aws(local_aws_server):
    """A fresh deployment of deploy/chatcensus.yaml, which no test of this file changes."""
    local_aws_server.reset()
    local_aws_server.create_stack()
    return local_aws_server


@pytest.fixture
def found(aws):
    """What the doctor finds in it, by check."""
    return partial(examined, client=aws.client)


# A good deployment


def test_a_fresh_deployment_is_well_but_for_a_quota_that_the_local_aws_has_not(found):
    findings = found()

    assert {check: finding for check, finding in findings.items() if finding.level != "OK"} == {
        "quota": findings["quota"]
    }
    assert findings["quota"].level == "WARN"
    assert DENIED.keys() - findings.keys() == NEVER_FOR_THE_STAND_IN
    assert findings["identity"].found.startswith("account 123456789012, ")
    assert findings["table"].found.startswith("chat-conversations: 0 items")
    assert findings["database-tables"].found == "none yet: the first run makes them"


def test_a_look_writes_nothing_and_asks_no_model(aws, found):
    before = aws.stats()

    found()

    assert aws.stats() == before


def test_a_model_behind_a_profile_is_looked_at_by_its_profile(found):
    findings = found(replace(NAMES, model=HAIKU))

    assert findings["model-profile"].found == f"{HAIKU}, which may answer from ap-northeast-1, ap-northeast-3"
    assert findings["model-lifecycle"].found == "anthropic.claude-haiku-5-5 is ACTIVE"
    assert findings["model-access"].level == "OK"


# Faults of tables


def test_names_that_are_not_set_are_told_and_what_they_name_is_not_looked_at(found):
    findings = found(Names())

    assert findings["settings"].level == "FAIL"
    assert findings.keys() & (DENIED.keys() | {"model-price"}) == set()


def test_tables_that_are_not_there_fail_and_nothing_else_is_said_of_them(found):
    findings = found(replace(NAMES, table="nope", control_table="nope-2"))

    assert findings["table"].found == "there is no table nope in ap-northeast-1"
    assert findings["control-table"].found == "there is no table nope-2 in ap-northeast-1"
    assert {findings["table"].level, findings["control-table"].level} == {"FAIL"}
    assert not findings.keys() & {"table-keys", "table-index", "table-encryption", "table-backups"}


def test_an_index_that_is_not_there_fails(found, tmp_path):
    table = (INCLUDE / "table.yaml").read_text()
    for path in ("prompts", "sql", "prices.yaml"):
        (tmp_path / path).symlink_to(INCLUDE / path)
    with_index = table.replace(
        "{strategy: scan}", "{strategy: pending-index, index: pending, attribute: is_pending, values: ['1']}"
    )
    assert with_index != table
    (tmp_path / "table.yaml").write_text(with_index)

    findings = found(include=tmp_path)

    assert findings["mapping"].level == "OK", findings["mapping"]
    assert findings["table-index"].level == "FAIL"
    assert "does not exist" in findings["table-index"].found


@pytest.mark.parametrize(
    ("described", "check", "level"),
    [
        ({"TableStatus": "CREATING"}, "table", "FAIL"),
        ({"TableStatus": "UPDATING"}, "table", "OK"),
        ({"SSEDescription": {"Status": "ENABLED", "KMSMasterKeyArn": "arn:key"}}, "table-encryption", "OK"),
        (
            {"SSEDescription": {"InaccessibleEncryptionDateTime": datetime(2026, 11, 1, tzinfo=UTC)}},
            "table-encryption",
            "FAIL",
        ),
    ],
)
def test_a_state_of_the_table_that_a_run_cannot_live_with_fails(aws, found, described, check, level):
    table = aws.client("dynamodb").describe_table(TableName=NAMES.table)["Table"]

    findings = found(client=answering(aws, "dynamodb", "DescribeTable", {"Table": table | described}))

    assert findings[check].level == level


# Faults of Bedrock


def test_a_model_that_is_unknown_fails(found):
    findings = found(replace(NAMES, model="anthropic.nothing"))

    assert findings["model-price"].level == findings["model-lifecycle"].level == "FAIL"
    assert not findings.keys() & {"model-access", "quota"}


def test_a_model_past_its_end_fails(found):
    findings = found(replace(NAMES, model="anthropic.claude-3-haiku-20240307-v1:0"))

    assert findings["model-lifecycle"].level == "FAIL"


def test_a_profile_of_another_part_of_the_world_fails(found):
    findings = found(replace(NAMES, model="us.anthropic.claude-haiku-5-5"))

    assert findings["region"].level == findings["model-profile"].level == "FAIL"
    assert found(replace(NAMES, model="global.anthropic.claude-haiku-5-5"))["region"].level == "OK"


@pytest.mark.parametrize(
    ("life", "level"),
    [
        ({"status": "ACTIVE"}, "OK"),
        ({"status": "ACTIVE", "endOfLifeTime": timedelta(days=400)}, "OK"),
        ({"status": "ACTIVE", "endOfLifeTime": timedelta(days=89)}, "WARN"),
        ({"status": "LEGACY", "endOfLifeTime": timedelta(days=400)}, "WARN"),
        ({"status": "LEGACY"}, "WARN"),
        ({"status": "LEGACY", "endOfLifeTime": timedelta(days=-1)}, "FAIL"),
    ],
)
def test_a_model_near_its_end_is_told_in_time(aws, found, life, level):
    now = datetime.now(UTC)
    life = {name: now + value if isinstance(value, timedelta) else value for name, value in life.items()}

    findings = found(client=answering(aws, "bedrock", "GetFoundationModel", {"modelDetails": {"modelLifecycle": life}}))

    assert findings["model-lifecycle"].level == level


@pytest.mark.parametrize(("days", "level"), [(400, "OK"), (89, "WARN")])
def test_an_end_that_only_the_catalog_knows_is_told_in_time(found, tmp_path, days, level):
    end = (datetime.now(UTC) + timedelta(days=days)).date()
    include = catalog_with(tmp_path, "ends_not_before: 2027-10-07", f"ends: {end}")

    finding = found(include=include, names=replace(NAMES, model=HAIKU))["model-lifecycle"]

    assert finding.level == level
    assert finding.found == f"anthropic.claude-haiku-5-5 is ACTIVE, its life ends on {end} by models.yaml"


def test_a_model_that_has_ended_by_the_catalog_has_no_price_and_fails(found, tmp_path):
    include = catalog_with(tmp_path, "ends_not_before: 2027-10-07", "ends: 2026-11-01")

    finding = found(include=include, names=replace(NAMES, model=HAIKU))["model-price"]

    assert finding.level == "FAIL"
    assert finding.found.startswith(f"the life of model '{HAIKU}' is over by ")


def catalog_with(folder, text, other):
    """Return a copy of `include/` whose catalog says something else."""
    shutil.copytree(INCLUDE, folder / "include")
    catalog = folder / "include/prompts/models.yaml"
    catalog.write_text(catalog.read_text().replace(text, other))
    return folder / "include"


GRANTED = {
    "agreementAvailability": {"status": "AVAILABLE"},
    "authorizationStatus": "AUTHORIZED",
    "entitlementAvailability": "AVAILABLE",
    "regionAvailability": "AVAILABLE",
}


@pytest.mark.parametrize(
    ("changed", "level"),
    [
        ({"agreementAvailability": {"status": "NOT_AVAILABLE"}}, "FAIL"),
        ({"agreementAvailability": {"status": "PENDING"}}, "WARN"),
        ({"agreementAvailability": {"status": "ERROR", "errorMessage": CANARY}}, "WARN"),
        ({"authorizationStatus": "NOT_AUTHORIZED"}, "FAIL"),
        ({"entitlementAvailability": "NOT_AVAILABLE"}, "FAIL"),
        ({"regionAvailability": "NOT_AVAILABLE"}, "FAIL"),
        ({"agreementAvailability": {"status": "PENDING"}, "authorizationStatus": "NOT_AUTHORIZED"}, "FAIL"),
    ],
)
def test_access_that_was_not_granted_is_told(aws, found, changed, level):
    findings = found(client=answering(aws, "bedrock", "GetFoundationModelAvailability", GRANTED | changed))

    assert findings["model-access"].level == level


# Faults of the rest


@pytest.mark.parametrize(
    "changed",
    [
        {"State": "DISABLED"},
        {"Configuration": {"EngineVersion": {"EffectiveEngineVersion": "Athena engine version 2"}}},
    ],
)
def test_a_workgroup_that_cannot_run_our_statements_fails(aws, found, changed):
    group = aws.client("athena").get_work_group(WorkGroup=NAMES.workgroup)["WorkGroup"]

    findings = found(client=answering(aws, "athena", "GetWorkGroup", {"WorkGroup": group | changed}))

    assert findings["workgroup"].level == "FAIL"


def test_a_database_that_is_not_there_fails(found):
    findings = found(replace(NAMES, database="nope"))

    assert findings["database"].level == "FAIL"
    assert "database-tables" not in findings


def test_buckets_that_are_not_there_fail_once(found):
    findings = found(replace(NAMES, snapshot_bucket="no-such-snapshots", result_bucket="no-such-results"))

    told = {check: finding.level for check, finding in findings.items() if "bucket" in check}
    assert told == {"snapshot-bucket": "FAIL", "result-bucket": "FAIL"}


# Who asks, where and when


@pytest.mark.parametrize(
    ("arn", "told", "level"),
    [
        ("arn:aws:sts::123456789012:assumed-role/census/ann@example.com", "assumed-role census", "OK"),
        ("arn:aws:iam::123456789012:user/ann", "user ann", "OK"),
        ("arn:aws:iam::123456789012:root", "root: may do everything", "WARN"),
    ],
)
def test_the_role_is_told_and_never_the_name_of_the_session(aws, found, arn, told, level):
    finding = found(client=answering(aws, "sts", "GetCallerIdentity", {"Account": "123456789012", "Arn": arn}))[
        "identity"
    ]

    assert finding.found == f"account 123456789012, {told}"
    assert finding.level == level


@pytest.mark.parametrize(
    ("off_s", "level", "told"),
    [
        (0, "OK", ""),
        (40, "OK", "ahead of AWS"),
        (90, "WARN", "ahead of AWS"),
        (-90, "WARN", "behind AWS"),
        (400, "FAIL", "ahead of AWS"),
        (-400, "FAIL", "behind AWS"),
    ],
)
def test_a_clock_that_is_off_is_told_by_how_much(found, off_s, level, told):
    finding = found(now=lambda: datetime.now(UTC) + timedelta(seconds=off_s))["clock"]

    assert finding.level == level
    assert told in finding.found


def test_a_signature_that_aws_refuses_for_the_clock_is_told_with_the_clock(aws, found):
    error = {
        "Error": {"Code": "SignatureDoesNotMatch", "Message": CANARY},
        "ResponseMetadata": {"HTTPHeaders": {"date": "Mon, 02 Nov 2026 00:00:00 GMT"}},
    }

    findings = found(client=answering(aws, "sts", "GetCallerIdentity", error, status=403))

    assert findings["clock"].level == findings["credentials"].level == "FAIL"
    assert "identity" not in findings


# Looks that cannot be done


def test_every_look_that_is_not_allowed_is_a_warning_that_names_its_permission(found):
    findings = found(replace(NAMES, model=HAIKU), client=refusing("AccessDeniedException"))

    told = {check: finding.found for check, finding in findings.items() if finding.level == "WARN"}
    expected = {check: f"not allowed to look: needs {action}" for check, action in DENIED.items()}
    assert told == expected | {"identity": "not allowed to look: needs sts:GetCallerIdentity"}
    assert not is_ill(findings.values())


@pytest.mark.parametrize("code", ["ExpiredTokenException", "UnrecognizedClientException", "InvalidClientTokenId"])
def test_credentials_that_aws_refuses_are_told_once(found, code):
    findings = found(client=refusing(code))

    assert findings["credentials"].found == f"AWS refuses the credentials: {code}"
    assert findings.keys() & DENIED.keys() == set()


def test_any_other_refusal_is_told_by_its_code_alone(found):
    findings = found(client=refusing("ThrottlingException"))

    assert findings["table"] == Finding(
        "table", "WARN", "DescribeTable answered ThrottlingException", "run the doctor again in a minute"
    )


def alone(monkeypatch: pytest.MonkeyPatch, *missing: str) -> Callable[[str], Any]:
    """Make clients of a machine that lacks some settings of the environment."""
    for name in missing:
        monkeypatch.delenv(name, raising=False)
    return lambda service: boto3.Session().client(service)


def test_without_a_region_that_is_what_is_told_and_the_files(found, monkeypatch):
    findings = found(client=alone(monkeypatch, "AWS_DEFAULT_REGION", "AWS_REGION"))

    assert findings["region"].level == "FAIL"
    assert findings["mapping"].level == "OK"
    assert findings.keys() & (DENIED.keys() | {"credentials", "connection"}) == set()


def test_without_credentials_that_is_told_once(found, monkeypatch):
    findings = found(client=alone(monkeypatch, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))

    assert findings["credentials"].found == "no credentials that can be used (NoCredentialsError)"
    assert findings.keys() & DENIED.keys() == set()


def test_a_profile_that_is_not_there_is_told_as_credentials(found, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    findings = found(client=lambda service: boto3.Session().client(service))

    assert findings["credentials"].found == "no credentials that can be used (ProfileNotFound)"


def test_a_region_that_is_none_is_told_once(found, monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "the moon")

    findings = found(client=lambda service: boto3.Session().client(service))

    assert findings["region"].found == "none is set that AWS knows (InvalidRegionError)"
    assert findings.keys() & DENIED.keys() == set()


def test_names_that_aws_does_not_allow_are_told_as_such(found):
    names = Names("t a b", "", "No Such_Bucket", "x" * 300, "", "", HAIKU)

    findings = found(names)

    for check in ("table", "snapshot-bucket", "result-bucket"):
        assert findings[check].level == "FAIL"
    assert findings["snapshot-bucket"].found == "AWS allows no such name"
    assert "credentials" not in findings


def test_a_proxy_that_answers_in_the_place_of_aws_is_told(found):
    class Proxy(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.send_error(403)

        do_GET = do_POST = do_HEAD = answer  # noqa: N815 - as http.server calls them

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        findings = found(client=partial(boto3.client, config=CLIENT_CONFIG, endpoint_url=endpoint))
        server.shutdown()
        thread.join()

    assert findings["connection"].found == "somebody answers who is not AWS"
    assert findings.keys() & DENIED.keys() == set()


def test_an_address_that_is_none_is_told(found, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")

    findings = found(client=lambda service: boto3.Session().client(service))

    assert findings["connection"].found == "the address of AWS is no address"


def test_whatever_hinders_the_making_of_a_client_is_a_finding(found):
    def client(service: str) -> Any:
        if service == "glue":
            raise RuntimeError(CANARY)
        return boto3.client(service)

    findings = found(client=client)

    assert findings["database"].found == "could not be looked at (RuntimeError)"
    assert findings["table"].level == "OK"


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port where somebody listens and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield listener.getsockname()[1]


def test_an_aws_that_never_answers_is_told_in_time(silent_port):
    endpoint = f"http://127.0.0.1:{silent_port}"
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "y", "region_name": "ap-northeast-1"}
    client = partial(boto3.client, config=CLIENT_CONFIG, endpoint_url=endpoint, **keys)

    findings = examine(NAMES, INCLUDE, client, deadline_s=0.5)

    (silence,) = [finding for finding in findings if finding.check == "connection"]
    assert silence.level == "FAIL"
    assert silence.found.startswith(f"no answer from {endpoint}; not looked at: identity, table, ")
    assert {finding.check for finding in findings} & DENIED.keys() == set()


def test_the_deadline_leaves_room_below_ten_seconds():
    assert DEADLINE_S <= 7  # the rest is the start of Python
    assert CLIENT_CONFIG.connect_timeout + CLIENT_CONFIG.read_timeout <= DEADLINE_S
    assert CLIENT_CONFIG.retries["total_max_attempts"] == 1


def test_where_nobody_listens_every_check_that_this_leaves_out_is_named(found):
    findings = found(client=partial(boto3.client, config=CLIENT_CONFIG, endpoint_url="http://127.0.0.1:1"))

    assert findings["connection"].level == "FAIL"
    for check in DENIED.keys() - NEVER_FOR_THE_STAND_IN:
        assert f" {check}," in f"{findings['connection'].found},"


@pytest.mark.parametrize("service", SERVICES)
def test_only_a_service_that_runs_need_fails_when_it_does_not_answer(service):
    never = threading.Event()

    def look(_client: Any) -> Iterator[Finding]:
        yield ok("settings", "before")
        never.wait()

    clients = {service: SimpleNamespace(meta=SimpleNamespace(endpoint_url="https://there"))}
    before, silence = look_everywhere([Probe("table", service, "", look)], clients, time.monotonic() + 0.05)
    never.set()

    assert before.found == "before"
    assert silence.level == ("FAIL" if service in NEEDED else "WARN")
    assert silence.found == "no answer from https://there; not looked at: table"


# The command


@pytest.fixture
def run(found, monkeypatch):
    """Run the command with the names of a deployment in the environment, as the DAG would have them."""
    found()  # the local AWS is slow to answer a service for the first time
    for name, value in VARIABLES.items():
        monkeypatch.setenv(f"AIRFLOW_VAR_{name.upper()}", value)
    app = typer.Typer()
    app.command()(doctor)

    def run(*arguments: str) -> Any:
        result = CliRunner().invoke(app, ["--include", str(INCLUDE), *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run


def test_the_command_tells_a_line_a_check_and_ends_well_with_warnings(run):
    result = run()

    assert result.exit_code == 0
    assert "OK    table-backups               point-in-time recovery is on\n" in result.output
    assert result.output.endswith(", 1 WARN, 0 FAIL\n")


def test_the_command_ends_with_1_when_something_is_wrong(run):
    result = run("--table", "nope")

    assert result.exit_code == 1
    assert "FAIL  table " in result.output


def test_the_command_gives_json(run):
    result = run("--json", "--table", "nope")

    told = {finding["check"]: finding for finding in json.loads(result.output)}
    assert result.exit_code == 1
    assert told["table"] == {
        "check": "table",
        "level": "FAIL",
        "found": "there is no table nope in ap-northeast-1",
        "remedy": "correct chatcensus_table or the Region",
    }


def test_the_command_ends_with_2_for_an_option_that_is_not_there(run):
    assert run("--paid").exit_code == 2


def test_the_command_runs_where_nothing_is_set(monkeypatch, tmp_path):
    alone(monkeypatch, "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    alone(monkeypatch, *(f"AIRFLOW_VAR_{name.upper()}" for name in VARIABLES))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    app = typer.Typer()
    app.command()(doctor)

    result = CliRunner().invoke(app, [])

    assert result.exit_code == 1
    assert "FAIL  settings " in result.output
    assert "FAIL  mapping " in result.output
    assert "FAIL  region " in result.output
