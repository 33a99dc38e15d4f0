"""The environment of a local Airflow reaches the local AWS, this repository and nothing else."""

import os
import stat
from pathlib import Path

import pytest

from demo import airflow_home
from demo.airflow_home import (
    REPOSITORY,
    VARIABLES,
    admin_password,
    airflow_environment,
    is_migrated,
    process_environment,
    secrets_of,
)

ENDPOINT = "http://127.0.0.1:4567"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return airflow_environment(tmp_path, ENDPOINT, VARIABLES)


def test_airflow_reads_the_dags_and_plugins_of_this_repository(environment: dict[str, str]) -> None:
    assert environment["AIRFLOW__CORE__DAGS_FOLDER"] == str(REPOSITORY / "dags")
    assert environment["AIRFLOW__CORE__PLUGINS_FOLDER"] == str(REPOSITORY / "plugins")
    assert (REPOSITORY / "pyproject.toml").exists()


def test_every_aws_call_goes_to_the_endpoint_with_keys_that_open_nothing(environment: dict[str, str]) -> None:
    assert environment["AWS_ENDPOINT_URL"] == ENDPOINT
    assert environment["AWS_ACCESS_KEY_ID"] == environment["AWS_SECRET_ACCESS_KEY"] == "local"
    connections = {name: value for name, value in environment.items() if name.startswith("AIRFLOW_CONN_")}
    assert connections == {
        "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
        "AIRFLOW_CONN_CHATCENSUS_AWS": "aws://",
        "AIRFLOW_CONN_CHATCENSUS_DASHBOARD": "aws://",
    }


def test_names_become_airflow_variables(tmp_path: Path) -> None:
    environment = airflow_environment(tmp_path, ENDPOINT, {"chatcensus_table": "my-chats"})

    assert environment["AIRFLOW_VAR_CHATCENSUS_TABLE"] == "my-chats"


def test_the_server_listens_on_the_loopback_only(tmp_path: Path) -> None:
    environment = airflow_environment(tmp_path, ENDPOINT, {}, url="http://127.0.0.1:9090")

    assert environment["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert environment["AIRFLOW__API__PORT"] == "9090"
    assert environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:9090/execution/"


def test_the_longest_prompt_is_shown_uncut(environment: dict[str, str]) -> None:
    prompt = REPOSITORY / "include" / "prompts" / "classify.md"
    taxonomy = REPOSITORY / "include" / "prompts" / "taxonomy.yaml"

    rendered_at_most = len(prompt.read_text()) + len(taxonomy.read_text())

    assert rendered_at_most < int(environment["AIRFLOW__CORE__MAX_TEMPLATED_FIELD_LENGTH"])


def test_the_callers_own_aws_and_airflow_do_not_reach_a_child(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://s3.example.com")
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")

    child = process_environment(environment)

    assert "AWS_PROFILE" not in child
    assert "AWS_ENDPOINT_URL_S3" not in child
    assert child["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert child["PATH"] == os.environ["PATH"]


def test_secrets_are_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    first = secrets_of(tmp_path)

    assert secrets_of(tmp_path) == first
    assert len(set(first.values())) == len(airflow_home.SECRETS)
    for name in airflow_home.SECRETS:
        assert stat.S_IMODE((tmp_path / "secrets" / name).stat().st_mode) == 0o600


def test_the_fernet_key_is_one(tmp_path: Path) -> None:
    from cryptography.fernet import Fernet

    box = Fernet(secrets_of(tmp_path)["fernet_key"])

    assert box.decrypt(box.encrypt(b"x")) == b"x"


def test_the_password_stays_the_same(tmp_path: Path) -> None:
    assert admin_password(tmp_path) == admin_password(tmp_path)
    assert admin_password(tmp_path) != admin_password(tmp_path / "other")


def test_a_database_counts_as_migrated_only_while_it_exists(tmp_path: Path, environment: dict[str, str]) -> None:
    assert not is_migrated(tmp_path, environment)

    airflow_home.mark_migrated(tmp_path, environment)
    assert not is_migrated(tmp_path, environment)

    (tmp_path / "airflow.db").touch()
    assert is_migrated(tmp_path, environment)


def test_another_database_is_migrated_again(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "airflow.db").touch()
    airflow_home.mark_migrated(tmp_path, environment)

    other = {**environment, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg2://postgres@/postgres"}

    assert not is_migrated(tmp_path, other)
