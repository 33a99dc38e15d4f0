"""docker-compose.yaml starts the processes of `make up` with the same settings, as far as a file can show it."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from demo.airflow_home import REPOSITORY, SECRETS, USER, VARIABLES, airflow_environment
from demo.up import AIRFLOW_PROCESSES

COMPOSE = yaml.safe_load((REPOSITORY / "docker-compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if name != "postgres"}
AIRFLOW = {name: service for name, service in SERVICES.items() if name.startswith("airflow-")}
DOCKERFILE = (REPOSITORY / "deploy" / "Dockerfile").read_text()

# What `make up` writes into the environment and a container reads from the volume that `init` has filled.
BY_COMMAND = {"AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__API__SECRET_KEY", "AIRFLOW__API_AUTH__JWT_SECRET"}
# Airflow has no `_CMD` for a Variable: `init` puts this one into the database.
IN_THE_DATABASE = {"AIRFLOW_VAR_CHATCENSUS_PSEUDONYM_SECRET"}
ONLY_IN_CONTAINERS = {
    "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "True",  # for the health check; here the REST API is asked
    "CONNECTION_CHECK_MAX_COUNT": "0",  # of the image's entrypoint
}
# What the local AWS reads of the shell that runs `docker compose up`.
PASSED_ON = {f"LOCAL_MODEL_{name}": f"${{LOCAL_MODEL_{name}:-}}" for name in ("URL", "NAME", "KEY")}
# Places and addresses: a container has its own.
PLACES = {
    "PYTHONPATH": "/opt/airflow:/opt/airflow/plugins",
    "AIRFLOW_HOME": "/opt/airflow",
    "AIRFLOW__CORE__DAGS_FOLDER": "/opt/airflow/dags",
    "AIRFLOW__CORE__PLUGINS_FOLDER": "/opt/airflow/plugins",
    "AIRFLOW__LOGGING__BASE_LOG_FOLDER": "/opt/airflow/logs",
    "AIRFLOW__API__HOST": "0.0.0.0",  # noqa: S104 - inside the container; the test of ports looks at the host
    "AIRFLOW__API__BASE_URL": "http://127.0.0.1:8080",
    "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "${CHATCENSUS_SCHEDULE:-False}",
    "NO_PROXY": "127.0.0.1,localhost,aws,airflow-apiserver",
    "no_proxy": "127.0.0.1,localhost,aws,airflow-apiserver",
}


@pytest.fixture
def here(tmp_path: Path) -> dict[str, str]:
    """The environment of `make up`, were it run where the containers are."""
    environment = airflow_environment(
        tmp_path,
        "http://aws:4566",
        VARIABLES,
        "postgresql+psycopg2://postgres@postgres/postgres",
        url="http://airflow-apiserver:8080",
    )
    return {key: value.replace(str(tmp_path), "/opt/airflow/state") for key, value in environment.items()}


def test_the_containers_have_the_same_settings_as_make_up(here: dict[str, str]) -> None:
    for name, service in OURS.items():
        there = service["environment"]

        expected = {**here, **PLACES, **ONLY_IN_CONTAINERS, **(PASSED_ON if name == "aws" else {})}
        for key in BY_COMMAND | IN_THE_DATABASE:
            del expected[key]

        commands = {f"{key}_CMD" for key in BY_COMMAND}
        assert {key: value for key, value in there.items() if key not in commands} == expected, name
        assert commands < set(there), name


def test_secrets_are_read_from_the_files_that_init_writes() -> None:
    environment = OURS["init"]["environment"]
    read = {Path(shlex.split(environment[f"{key}_CMD"])[1]) for key in BY_COMMAND}

    assert {path.parent for path in read} == {Path("/opt/airflow/state/secrets")}
    assert {path.name for path in read} | {"pseudonym_secret"} == set(SECRETS)
    assert SERVICES["init"]["command"][-1] == "/opt/airflow/state"
    assert environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] == f"{USER}:admin"


def test_the_file_holds_no_secret() -> None:
    for name, service in SERVICES.items():
        for key, value in service["environment"].items():
            if re.search("SECRET|PASSWORD|_KEY", key):
                assert value == "local" or value.startswith(("cat ", "/opt/airflow/state/", "${")), (name, key)
    assert "@" not in COMPOSE["x-environment"]["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].removeprefix(
        "postgresql+psycopg2://postgres@"
    )


def test_ports_are_published_on_the_loopback_only() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]

    assert published == ["127.0.0.1:8080:8080"]
    assert not any("network_mode" in service for service in SERVICES.values())


def test_the_same_airflow_processes_run() -> None:
    here = {tuple(command[2:]) for command in AIRFLOW_PROCESSES.values()}
    there = {tuple(shlex.split(service["command"])) for service in AIRFLOW.values()}

    assert there == here


def test_every_mounted_path_exists() -> None:
    mounts = [mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])]

    paths = {mount for mount in mounts if mount.startswith(".")}
    assert {"./dags", "./plugins", "./include"} < paths
    assert all((REPOSITORY / path).is_dir() for path in paths)
    assert {mount for mount in mounts if not mount.startswith(".")} == set(COMPOSE["volumes"])


def test_our_files_are_mounted_where_the_settings_look_for_them() -> None:
    for name, service in AIRFLOW.items():
        mounts = dict(mount.split(":")[:2] for mount in service["volumes"])

        assert mounts["./dags"] == service["environment"]["AIRFLOW__CORE__DAGS_FOLDER"], name
        assert mounts["./plugins"] == service["environment"]["AIRFLOW__CORE__PLUGINS_FOLDER"], name
        assert mounts["./include"] == "/opt/airflow/include", name


def test_every_module_that_a_container_starts_exists_and_is_mounted() -> None:
    started = {}
    for name, service in OURS.items():
        command = service["command"]
        if isinstance(command, list) and command[1] == "-m":
            started[name] = command[2]

    assert started == {"init": "demo.container", "aws": "local_aws", "seed": "demo.seed"}
    for name, module in started.items():
        path = REPOSITORY / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), name
        mounts = dict(mount.split(":")[:2] for mount in SERVICES[name]["volumes"])
        package = module.split(".")[0]
        assert mounts[f"./{package}"] == f"/opt/airflow/{package}", name


def test_airflow_waits_for_what_it_needs() -> None:
    for service in AIRFLOW.values():
        conditions = {name: need["condition"] for name, need in service["depends_on"].items()}
        assert conditions == {"init": "service_completed_successfully", "seed": "service_completed_successfully"}
    assert SERVICES["init"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert SERVICES["seed"]["depends_on"]["aws"]["condition"] == "service_healthy"


def test_what_keeps_running_has_a_health_check() -> None:
    assert {name for name, service in SERVICES.items() if "healthcheck" in service} == set(SERVICES) - {"init", "seed"}


def test_the_image_is_the_airflow_of_the_requirements() -> None:
    pinned = re.search(r"^apache-airflow==(\S+)", (REPOSITORY / "requirements.txt").read_text(), re.MULTILINE)
    image = re.search(r"^FROM apache/airflow:(\S+)-python3\.12$", DOCKERFILE, re.MULTILINE)

    assert pinned
    assert image
    assert pinned[1] == image[1]
    assert all(service["build"] == {"context": ".", "dockerfile": "deploy/Dockerfile"} for service in OURS.values())


def test_the_dockerfile_finds_what_the_local_aws_needs() -> None:
    copied = re.search(r"^COPY --chown=airflow:0 (.+) \S+$", DOCKERFILE, re.MULTILINE)
    assert copied
    assert all((REPOSITORY / name).exists() for name in copied[1].split())
    sent = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert {line.removeprefix("!") for line in sent if line.startswith("!")} == set(copied[1].split())

    # What its sed takes out of the development requirements.
    section = (REPOSITORY / "requirements-dev.txt").read_text().partition("# the local AWS\n")[2].partition("\n\n")[0]
    assert {re.split(r"[\[=]", line)[0] for line in section.splitlines()} == {
        "moto", "duckdb", "sqlglot", "sortedcontainers", "amazon.ion", "pyiceberg", "pyarrow", "pytz",
    }  # fmt: skip
