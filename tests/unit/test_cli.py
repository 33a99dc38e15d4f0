"""The command `chatcensus`: what the manual says of it, how it starts, and how it says what went wrong."""

import json
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.exceptions
import botocore.parsers
import pytest
import typer
from typer.testing import CliRunner

from chatcensus import __main__ as main_module
from chatcensus.__main__ import app, main
from chatcensus.aws.doctor import DEADLINE_S
from chatcensus.commands import demo, doctor, options
from chatcensus.commands.aws_errors import line_of
from chatcensus.commands.terminal import OneLine, progress
from chatcensus.errors import SetupError
from chatcensus.operators.params import PARAMS
from chatcensus.reevaluation import EXAMPLE
from chatcensus.terminal_text import printable
from tests import command_manual

PLUGINS = Path(__file__).parents[2] / "plugins"
NOT_TOLD = {"--help"}  # every command has it


def commands(group: Any = None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every command by its words."""
    for name, command in (group or typer.main.get_command(app)).commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


COMMANDS = dict(commands())
each_command = pytest.mark.parametrize("name", COMMANDS)


# The manual


def test_the_manual_has_every_command_and_no_other():
    assert set(command_manual.SECTIONS) == set(COMMANDS)


@each_command
def test_the_manual_has_every_option_with_its_default_and_no_other(name: str):
    told = command_manual.options(name)
    params = [param for param in COMMANDS[name].params if param.opts[0].startswith("--")]
    there = {param.opts[0]: param for param in params if param.opts[0] not in NOT_TOLD}

    assert set(told) == set(there)
    for option, param in there.items():
        assert (told[option] == "needed") == param.required, option
        if isinstance(param.default, int | float | str | Path) and not isinstance(param.default, bool):
            assert told[option] == f"{param.default}".removesuffix(".0"), option


@each_command
def test_every_option_is_described_and_the_help_ends_with_examples(name: str):
    command = COMMANDS[name]

    assert all(param.help for param in command.params)
    assert command.help
    assert f"chatcensus {name}" in command.epilog


@each_command
def test_every_example_of_a_help_is_one_that_can_be_given(name: str):
    examples = re.findall(rf"^  chatcensus {name}(.*)$", COMMANDS[name].epilog, re.MULTILINE)

    assert examples
    for example in examples:
        given = set(re.findall(r"--[a-z-]+", example))
        assert given <= {opt for param in COMMANDS[name].params for opt in param.opts}, example


@each_command
def test_every_variable_of_the_environment_is_told(name: str):
    for param in COMMANDS[name].params:
        if param.envvar:
            assert f"| `{param.envvar}` |" in command_manual.MANUAL


def test_what_is_written_twice_is_the_same():
    defaults = {param.name: param.default for param in COMMANDS["estimate"].params}

    assert defaults["requests_per_minute"] == PARAMS["requests_per_minute"].value
    assert defaults["tokens_per_minute"] == PARAMS["tokens_per_minute"].value
    assert main_module.reevaluate.WHERE == EXAMPLE


# How it starts


def test_the_help_comes_without_what_only_the_work_needs():
    program = (
        f"import sys; sys.path.insert(0, {str(PLUGINS)!r}); import chatcensus.__main__; "
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert "typer" in ended.stdout.split()
    assert not set(ended.stdout.split()) & {"airflow", "boto3", "botocore", "jinja2", "duckdb", "moto", "numpy"}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], *([*name.split(), "--help"] for name in COMMANDS)])
def test_help_and_version_end_well(arguments: list[str]):
    assert CliRunner().invoke(app, arguments).exit_code == 0


@pytest.mark.parametrize("arguments", [["nope"], ["estimate"], ["estimate", "--nope"], ["report", "--lang", "fr"]])
def test_wrong_usage_is_exit_code_2(arguments: list[str]):
    nothing = {name: "" for name in os.environ if name.startswith("AIRFLOW_VAR_")}

    assert CliRunner().invoke(app, arguments, env=nothing).exit_code == 2


# Errors


def client_error(code: str, header: str = "x-amz-request-id") -> botocore.exceptions.ClientError:
    told = {"HTTPHeaders": {header: "canary-4711"}}
    answer: Any = {"Error": {"Code": code, "Message": "canary-4711"}, "ResponseMetadata": told}
    return botocore.exceptions.ClientError(answer, "Scan")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (client_error("AccessDeniedException"), "Scan answered AccessDeniedException: allow it to the role"),
        (client_error("ExpiredTokenException"), "Scan answered ExpiredTokenException: the credentials have expired"),
        (client_error("UnrecognizedClientException"), "these credentials are not known"),
        (client_error("ThrottlingException"), "try again later"),
        (client_error("InvalidAccessKeyId"), "these credentials are not known"),
        (client_error("SignatureDoesNotMatch"), "these credentials are not known: check them, and the clock"),
        (client_error("RequestTimeTooSkewed"), "set the clock of this machine"),
        (client_error("PermanentRedirect"), "the bucket is in another Region"),
        (client_error("403"), "Scan answered 403: allow it to the role"),
        (client_error("404"), "Scan answered 404: check the names"),
        (client_error("404", header="server"), "somebody answers who is not AWS: check the proxy"),
        (client_error("SomethingNew"), "Scan answered SomethingNew: check the names"),
        (botocore.parsers.ResponseParserError("canary-4711"), "somebody answers who is not AWS: check the proxy"),
        (botocore.exceptions.ParamValidationError(report="canary-4711"), "AWS allows no such name"),
        (botocore.exceptions.NoRegionError(), "no Region is set: set AWS_DEFAULT_REGION"),
        (botocore.exceptions.NoCredentialsError(), "no credentials are found: sign in, or set AWS_PROFILE"),
        (botocore.exceptions.ProfileNotFound(profile="canary-4711"), "the profile of AWS_PROFILE is not there"),
        (botocore.exceptions.EndpointConnectionError(endpoint_url="canary-4711"), "check Region, credentials, names"),
        (
            botocore.exceptions.ReadTimeoutError(endpoint_url="https://s3.example/canary-4711?canary"),
            "no answer from https://s3.example (ReadTimeoutError): check network, Region",
        ),
    ],
)
def test_an_error_of_aws_is_one_line_with_a_remedy_and_without_what_was_sent(error: Exception, said: str):
    line = line_of(error)

    assert line
    assert said in line
    assert "canary" not in line
    assert "\n" not in line


def test_an_aws_that_is_silent_is_given_up_within_a_minute(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-northeast-1")

    config = options.client("dynamodb").meta.config

    assert config.retries["total_max_attempts"] * max(config.connect_timeout, config.read_timeout) <= 50
    assert config.retries["total_max_attempts"] > 2


@pytest.mark.parametrize(("age_s", "left_s"), [(0, DEADLINE_S), (1, DEADLINE_S), (4.5, 3.5), (60, 2)])
def test_the_doctor_leaves_aws_what_the_start_of_python_has_left_of_ten_seconds(age_s: float, left_s: float):
    assert doctor.deadline_s(age_s) == left_s


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells it")
def test_the_age_of_this_process_is_known():
    before = time.monotonic()
    young = doctor.process_age_s()

    assert young > 0
    assert doctor.process_age_s() - young <= time.monotonic() - before + 0.1


@pytest.mark.parametrize(
    "name",
    [name for name in COMMANDS if "--include" in command_manual.options(name) and name != "doctor"],  # it tells all
)
def test_a_folder_that_is_not_there_is_told_before_anything_is_asked(name: str, tmp_path: Path):
    names = {f"AIRFLOW_VAR_CHATCENSUS_{each}": "x" for each in ("TABLE", "CONTROL_TABLE", "MODEL")}
    where = ["--where", "category=coding"] if name == "reevaluate" else []

    ended = CliRunner().invoke(app, [*name.split(), "--include", str(tmp_path / "no"), *where], env=names)

    assert ended.exit_code == 2
    assert "there is no folder" in ended.stderr


def test_a_warning_is_one_printable_line_without_its_traceback():
    problem = (ValueError, ValueError("canary-4711"), None)
    record = logging.LogRecord("any", logging.WARNING, "file", 1, "%s cannot be read\x07", ("c\x1b[2J\n1",), problem)

    assert OneLine().format(record) == "c\\x1b[2J\\n1 cannot be read\\x07"


def ended_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command that raises *error*, and return the exit code, or the line it ends with."""

    def raising() -> None:
        raise error

    broken = typer.Typer()
    broken.command()(raising)
    monkeypatch.setattr(main_module, "app", lambda prog_name: broken([], prog_name=prog_name))
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_a_fault_of_our_own_is_one_line_that_quotes_nothing(monkeypatch: pytest.MonkeyPatch):
    line = ended_with(KeyError("canary-4711"), monkeypatch)

    assert re.fullmatch(
        r"a fault of chatcensus itself: KeyError at \S*test_cli\.py, line \d+; please report this line", line
    )


def test_an_error_of_the_census_is_its_message_on_one_line(monkeypatch: pytest.MonkeyPatch):
    assert ended_with(SetupError("no\x1b[31m table\nat all"), monkeypatch) == "no\\x1b[31m table\\nat all"


def test_ctrl_c_is_exit_code_130(monkeypatch: pytest.MonkeyPatch):
    assert ended_with(KeyboardInterrupt(), monkeypatch) == 130


# On a terminal and elsewhere


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("c1 会話 é", "c1 会話 é"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x1b[2J\x07\x7f\x9b", "\\x1b[2J\\x07\\x7f\\x9b"),
        ("\u202e\u200f\u2066\u200b\ufeff", "\\u202e\\u200f\\u2066\\u200b\\ufeff"),
        ("\ud800\U000e0001", "\\ud800\\U000e0001"),
    ],
)
def test_what_a_terminal_may_take_for_a_command_is_escaped(text: str, shown: str):
    assert printable(text) == shown
    assert printable(shown) == shown


def test_a_line_end_may_be_kept():
    assert printable("a\nb\x1b", keep="\n") == "a\nb\\x1b"


def test_where_there_is_no_terminal_progress_is_a_line_in_ten_seconds(capsys: pytest.CaptureFixture[str]):
    times = iter([0.0, 3.0, 11.0, 11.0, 15.0, 21.5, 21.5])

    with progress("items read", 2000, clock=lambda: next(times)) as tell:
        for done in (100, 1200, 1300, 1900):
            tell(done)

    said = capsys.readouterr()
    assert said.err == "items read: 1,200 of about 2,000\nitems read: 1,900 of about 2,000\n"
    assert said.out == ""


# demo


def test_the_demo_says_where_it_is_when_this_is_no_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(demo, "CHECKOUT", tmp_path)
    monkeypatch.setattr("sys.argv", ["chatcensus", "demo"])

    with pytest.raises(SystemExit) as ended:
        main()

    assert str(ended.value.code).startswith("the demo is part of the repository: clone it")


def test_the_demo_is_given_what_the_command_was_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo/__main__.py").write_text(
        "import json, pathlib, sys\npathlib.Path('given').write_text(json.dumps(sys.argv[1:]))\nsys.exit(1)\n"
    )
    monkeypatch.setattr(demo, "CHECKOUT", tmp_path)

    ended = CliRunner().invoke(app, ["demo", "--latency", "0", "--report", str(tmp_path / "r.html")])

    assert ended.exit_code == 1
    assert json.loads((tmp_path / "given").read_text()) == ["--latency", "0.0", "--report", str(tmp_path / "r.html")]
