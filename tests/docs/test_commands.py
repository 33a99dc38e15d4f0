"""
Every command in the documents is run: here, in a copy of the repository before a local AWS, or where `accounts` says.

One page is one test: its `sh` blocks run in order in one shell, as a reader would run them. `docker compose` stands in
blocks `sh docker`, which tests/unit/test_compose_commands.py reads. `python -m tests.docs` runs the heavy commands, and
counts all.
"""

import json
import re
import shlex
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from demo.airflow_home import REGION, VARIABLES, migrate_once
from demo.load import load_conversations, shipped
from demo.up import free_port
from tests.conftest import LocalAwsForTests
from tests.docs.accounts import ELSEWHERE, NOT_IN_THE_LOCAL_AWS, Elsewhere, is_checked_by_its_model, is_run_here
from tests.docs.pages import PAGES, REPOSITORY, Command, commands
from tests.docs.scratch import environment_of, make_copy, run

COMMANDS = {page: commands(page) for page in PAGES}
ALL = [command for page in COMMANDS.values() for command in page]
EDITION = "01793500000000-a1b2c3d4-0a1b2c3d"
CONVERSATIONS = 60
MWAA_BUCKET = "my-mwaa-bucket"
PAGE_PATIENCE_S = 240


@pytest.mark.parametrize(
    "page", [page for page, found in COMMANDS.items() if any(is_run_here(command.text) for command in found)]
)
def test_the_commands_of_a_page_do_what_it_says(page: str, local_aws: LocalAwsForTests, tmp_path: Path):
    load_conversations(local_aws.endpoint_url, shipped()[:CONVERSATIONS])
    _publish_one_edition(local_aws)
    _make_bucket_of_mwaa(local_aws)
    copy = make_copy(tmp_path / "clone")
    environment = environment_of(copy, local_aws.endpoint_url)
    here = [_on_a_free_port(command) for command in COMMANDS[page] if is_run_here(command.text)]
    if any(re.search(r"\bairflow [a-z]", command.text) for command in here):
        migrate_once(Path(environment["AIRFLOW_HOME"]), environment)

    said = run(here, copy, environment, PAGE_PATIENCE_S)

    assert all(f"@@ {command.place}" in said for command in here)


def test_no_command_is_accounted_for_that_no_document_has():
    told = {command.text for command in ALL}

    assert set(ELSEWHERE) - told == set()
    assert {name for name in NOT_IN_THE_LOCAL_AWS if not any(text.startswith(f"{name} ") for text in told)} == set()


@pytest.mark.parametrize("elsewhere", ELSEWHERE.values(), ids=ELSEWHERE)
def test_what_is_run_elsewhere_is_run_there(elsewhere: Elsewhere):
    path, separator, name = elsewhere.run_by.partition("::")
    path, _, line = (path, "", "") if separator else elsewhere.run_by.partition(": ")
    text = (REPOSITORY / path).read_text()

    assert re.search(rf"^def {name}\(", text, re.MULTILINE) if separator else line in text.splitlines()
    assert (elsewhere.lane is None) == bool(elsewhere.why_not)


@pytest.mark.parametrize(
    "command", [command for command in ALL if is_checked_by_its_model(command.text)], ids=lambda command: command.place
)
def test_an_operation_that_the_local_aws_lacks_exists_with_these_parameters(command: Command):
    _, service, operation, *options = shlex.split(command.text.partition("|")[0].partition(">")[0])
    model = botocore.session.get_session().get_service_model(service)
    (name,) = [name for name in model.operation_names if xform_name(name, "-") == operation]
    members = model.operation_model(name).input_shape.members
    known = {xform_name(member, "-") for member in members} | {"query", "output", "region", "profile"}

    assert {option[2:].removeprefix("no-") for option in options if option.startswith("--")} - known == set()


def test_every_make_target_that_is_told_exists():
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    told = {
        (page, name)
        for page in PAGES
        for name in re.findall(r"`make ([a-z-]+)", (REPOSITORY / page).read_text())
    }  # fmt: skip

    assert {(page, name) for page, name in told if name not in targets} == set()


def _on_a_free_port(command: Command) -> Command:
    """The documents' port of the local AWS may be taken on this machine."""
    return Command(command.page, command.line, command.text.replace("4566", str(_PORT)))


_PORT = free_port()


def _publish_one_edition(local_aws: LocalAwsForTests) -> None:
    """What `publish` leaves for readers of files, as far as a command of the documents asks for it."""
    s3, bucket = local_aws.client("s3"), VARIABLES["chatcensus_result_bucket"]
    folder = f"reports/edition={EDITION}"
    s3.put_object(Bucket=bucket, Key="current.json", Body=json.dumps({"edition": EDITION}).encode())
    for name in ("report.html", "report.json", "summary.md", "summary.ja.md", "tables/readers/category_counts.csv"):
        s3.put_object(Bucket=bucket, Key=f"{folder}/{name}", Body=b"{}")


def _make_bucket_of_mwaa(local_aws: LocalAwsForTests) -> None:
    s3 = local_aws.client("s3")
    s3.create_bucket(Bucket=MWAA_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket=MWAA_BUCKET, VersioningConfiguration={"Status": "Enabled"})
