"""`chatcensus` as a process: into a pipe that closes, without a terminal, and ended by Ctrl-C."""

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "chatcensus"]
NAMES = {
    "AIRFLOW_VAR_CHATCENSUS_TABLE": "chat-conversations",
    "AIRFLOW_VAR_CHATCENSUS_CONTROL_TABLE": "chatcensus-control",
    "AIRFLOW_VAR_CHATCENSUS_MODEL": "stand-in",
}


@pytest.fixture
def environment(local_aws: Any) -> dict[str, str]:
    """The shell of a person, before a local AWS with an empty table."""
    local_aws.create_stack()
    shell = {name: value for name, value in os.environ.items() if not name.endswith(("_COLOR", "_TERMINAL"))}
    return {**shell, **NAMES, "PYTHONPATH": str(ROOT / "plugins"), "AWS_ENDPOINT_URL": local_aws.endpoint_url}


def run(environment: dict[str, str], *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **more,
    )


def test_the_names_come_from_the_environment_and_stdout_is_one_json_document(environment: dict[str, str]):
    ended = run(environment, "estimate", "--json")

    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["due"] == 0
    assert ended.stderr == ""


def test_a_pipe_that_closes_is_quiet(environment: dict[str, str]):
    script = f"set -o pipefail; {' '.join(COMMAND)} quarantine list | head -0"
    ended = subprocess.run(
        ["bash", "-c", script], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )

    assert ended.stderr == ""


def test_what_is_no_terminal_gets_no_colour(environment: dict[str, str]):
    assert "\x1b" not in run(environment, "estimate", "--help").stdout


def said_on_a_terminal(environment: dict[str, str], stream: str, *arguments: str) -> str:
    """Return what the command writes where its *stream* is a terminal."""
    ours, theirs = pty.openpty()
    other = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: theirs}
    with subprocess.Popen([*COMMAND, *arguments], env={**environment, "TERM": "xterm"}, cwd=ROOT, **other) as process:
        os.close(theirs)
        said = b""
        with contextlib.suppress(OSError):  # a terminal whose other end is closed is no end of file but an error
            while read := os.read(ours, 65_536):
                said += read
    os.close(ours)
    assert process.returncode == 0
    return said.decode()


def test_a_terminal_gets_colour_unless_it_wants_none(environment: dict[str, str]):
    colour = re.compile(r"\x1b\[(?:\d+;)*3\dm")

    assert colour.search(said_on_a_terminal(environment, "stdout", "--help"))
    assert not colour.search(said_on_a_terminal({**environment, "NO_COLOR": "1"}, "stdout", "--help"))


def test_a_terminal_gets_a_bar(environment: dict[str, str]):
    assert "items read" in said_on_a_terminal(environment, "stderr", "quarantine", "list")


def test_a_terminal_without_our_letters_gets_their_escapes(environment: dict[str, str]):
    ended = run({**environment, "PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}, "estimate", "--help")

    assert ended.returncode == 0
    assert ended.stderr == ""


def test_an_error_is_one_line_on_stderr_and_nothing_on_stdout(environment: dict[str, str]):
    ended = run(environment, "estimate", "--table", "nope")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("DescribeTable answered ResourceNotFoundException: check the names of table")
    assert len(ended.stderr.splitlines()) == 1


def test_an_id_in_a_warning_moves_no_cursor(environment: dict[str, str], local_aws: Any):
    item = {"conversation_id": {"S": "c\x1b[2J\n1"}}
    local_aws.client("dynamodb").put_item(TableName="chat-conversations", Item=item)

    ended = run(environment, "estimate", "--json")

    assert json.loads(ended.stdout)["unreadable"] == 1
    assert ended.stderr == "c\\x1b[2J\\n1 cannot be read: attribute 'turns' is missing\n"


def test_without_credentials_it_says_what_to_do(environment: dict[str, str]):
    without = {name: value for name, value in environment.items() if not name.startswith("AWS_") or "EC2" in name}
    without |= {"AWS_DEFAULT_REGION": "ap-northeast-1", "AWS_ENDPOINT_URL": environment["AWS_ENDPOINT_URL"]}
    without |= {"AWS_CONFIG_FILE": "none", "AWS_SHARED_CREDENTIALS_FILE": "none", "HOME": "/nonexistent"}

    ended = run(without, "estimate")

    assert ended.returncode == 1
    assert (
        ended.stderr
        == "AWS cannot be asked (NoCredentialsError): no credentials are found: sign in, or set AWS_PROFILE\n"
    )


def test_ctrl_c_ends_it_quietly_with_130(environment: dict[str, str], tmp_path: Path):
    started = tmp_path / "started"
    script = (
        "import sys, time, pathlib, chatcensus.commands.options as options\n"
        f"def client(*_, **__): pathlib.Path({str(started)!r}).touch(); time.sleep(60)\n"
        "options.client = client\n"
        "sys.argv = ['chatcensus', 'estimate']\n"
        "from chatcensus.__main__ import main; main()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], env=environment, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        deadline = time.monotonic() + 60
        while not started.exists() and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)

    assert (process.returncode, out, err) == (130, b"", b"")
