"""What the web server reads of Airflow's settings, and what it says when they are not there."""

import pytest

from chatcensus.dashboard import sources
from chatcensus.errors import SetupError

NAME = "chatcensus_of_this_test"


@pytest.fixture(autouse=True)
def nothing_read_yet():
    sources._variables.clear()
    yield
    sources._variables.clear()


def test_a_variable_that_is_not_set_is_named():
    with pytest.raises(SetupError, match=f"'{NAME}' is not set"):
        sources.variable(NAME)


def test_a_variable_is_not_read_again_for_a_while_and_then_it_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(f"AIRFLOW_VAR_{NAME.upper()}", "first")
    told = [sources.variable(NAME)]

    monkeypatch.setenv(f"AIRFLOW_VAR_{NAME.upper()}", "second")
    told.append(sources.variable(NAME))
    read_at, value = sources._variables[NAME]
    sources._variables[NAME] = (read_at - sources.VARIABLE_SECONDS, value)
    told.append(sources.variable(NAME))

    assert told == ["first", "first", "second"]
