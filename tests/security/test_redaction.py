"""The second line of defence of conversation text: libraries at DEBUG, and errors that quote what they were given."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatcensus.redaction import quiet_carriers, without_message
from demo.__main__ import NO_QUOTA
from demo.airflow_home import VARIABLES, airflow_environment
from demo.generator import generate
from demo.load import Conversation, load_conversations
from demo.progress import LocalAirflow, local_airflow
from tests.conftest import LocalAwsForTests

CANARY = "The albatross hides its ledger under the third turquoise lighthouse"
# Airflow imports this in each of its processes. It breaks the call about a conversation that holds certain words, in a
# thread of classify, with an error that quotes all of it: as a library may that cannot write something.
FAULT = """
from botocore import handlers

def quote(params, **_):
    if "break before" in str(params):
        raise ValueError(f"cannot send {params}") from KeyError(str(params))

handlers.BUILTIN_HANDLERS.append(("provide-client-params.bedrock-runtime.Converse", quote))
"""


@pytest.fixture
def levels() -> Iterator[None]:
    """Put the levels of all loggers back."""
    loggers = [logging.getLogger(name) for name in ("", *logging.root.manager.loggerDict)]
    before = [(logger, logger.level) for logger in loggers]
    yield
    for logger, level in before:
        logger.setLevel(level)


@pytest.mark.usefixtures("levels")
@pytest.mark.parametrize("name", ["botocore", "botocore.endpoint", "botocore.made_later", "urllib3.connectionpool"])
def test_the_libraries_that_carry_text_never_log_at_debug(name: str) -> None:
    logging.root.setLevel(logging.DEBUG)
    logging.getLogger("botocore.endpoint").setLevel(logging.DEBUG)

    quiet_carriers()

    assert logging.getLogger(name).getEffectiveLevel() == logging.INFO


@pytest.mark.usefixtures("levels")
def test_a_library_that_is_quieter_stays_so_and_others_are_left_alone() -> None:
    logging.root.setLevel(logging.DEBUG)
    logging.getLogger("boto3").setLevel(logging.ERROR)

    quiet_carriers()

    assert logging.getLogger("boto3").level == logging.ERROR
    assert logging.getLogger("chatcensus").getEffectiveLevel() == logging.DEBUG


def test_an_error_is_told_by_its_class_and_its_places_innermost_first() -> None:
    try:
        int(CANARY)
    except ValueError as error:
        told = without_message(error)

    assert told.startswith("ValueError, which nobody foresaw")
    assert "security/test_redaction.py:" in told
    assert "in test_an_error_is_told" in told
    assert CANARY not in told


def test_an_error_out_of_a_deep_recursion_is_told_in_a_few_lines() -> None:
    def deeper(text: str) -> None:
        deeper(text)

    with pytest.raises(RecursionError) as caught:
        deeper(CANARY)

    assert len(without_message(caught.value)) < 2_000


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of an Airflow that is set up as badly as it can be: each library at DEBUG, and locals in tracebacks."""
    home = tmp_path_factory.mktemp("airflow")
    (home / "config").mkdir()
    (home / "config/airflow_local_settings.py").write_text(FAULT)
    return home


@pytest.fixture(scope="module")
def airflow(local_aws_server: LocalAwsForTests, home: Path) -> Iterator[LocalAirflow]:
    environment = airflow_environment(home, local_aws_server.endpoint_url, VARIABLES) | {
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
        "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "botocore.endpoint=DEBUG botocore.parsers=DEBUG",
        "DEV": "1",
    }
    with local_airflow(environment, home / "airflow.log") as started:
        yield started


@pytest.mark.airflow
@pytest.mark.parametrize(
    ("text", "state", "error"),
    [
        pytest.param("and nothing breaks", "success", None, id="all is well"),
        pytest.param("break before asking", "failed", "ValueError", id="a request cannot be made"),
    ],
)
def test_no_file_of_airflow_holds_text_when_everything_is_logged(
    local_aws: LocalAwsForTests, airflow: LocalAirflow, home: Path, text: str, state: str, error: str | None
) -> None:
    lines = list(generate(3, seed=1))
    lines[1]["turns"][0]["content"] = f"{CANARY} {text}"
    load_conversations(local_aws.endpoint_url, [Conversation.model_validate(line, strict=False) for line in lines])

    assert (
        airflow.run_dag("chat_census", NO_QUOTA | {"publish": False}, text.replace(" ", "-"), lambda _: None) == state
    )

    log = (home / "airflow.log").read_text()
    assert "DEBUG" in log.upper(), "the log is not what this test is about"
    assert error is None or f"{error}, which nobody foresaw" in log
    for path in filter(Path.is_file, home.rglob("*")):
        assert CANARY.encode() not in path.read_bytes(), path
