"""The command `chatcensus`: what the manual says of it, how it starts, and how it says what went wrong."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest
import typer
from typer.testing import CliRunner

from chatcensus import __main__ as main_module
from chatcensus.__main__ import app, main
from chatcensus.commands import demo
from chatcensus.commands.aws_errors import line_of
from chatcensus.commands.terminal import progress
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
    there = {param.opts[0]: param for param in COMMANDS[name].params if param.opts[0] not in NOT_TOLD}

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


def client_error(code: str) -> botocore.exceptions.ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "canary-4711"}}
    return botocore.exceptions.ClientError(answer, "Scan")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (client_error("AccessDeniedException"), "Scan answered AccessDeniedException: allow it to the role"),
        (client_error("ExpiredTokenException"), "Scan answered ExpiredTokenException: the credentials have expired"),
        (client_error("UnrecognizedClientException"), "these credentials are not known"),
        (client_error("ThrottlingException"), "try again later"),
        (client_error("SomethingNew"), "Scan answered SomethingNew: check the names"),
        (botocore.exceptions.NoRegionError(), "no Region is set: set AWS_DEFAULT_REGION"),
        (botocore.exceptions.NoCredentialsError(), "no credentials are found: sign in, or set AWS_PROFILE"),
        (botocore.exceptions.ProfileNotFound(profile="canary-4711"), "the profile of AWS_PROFILE is not there"),
        (botocore.exceptions.EndpointConnectionError(endpoint_url="canary-4711"), "check Region, credentials, names"),
    ],
)
def test_an_error_of_aws_is_one_line_with_a_remedy_and_without_what_was_sent(error: Exception, said: str):
    line = line_of(error)

    assert line
    assert said in line
    assert "canary" not in line
    assert "\n" not in line


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
