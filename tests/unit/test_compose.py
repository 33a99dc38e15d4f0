"""The compose files start the processes of `make up` with the same settings, as far as a file can show it."""

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from chatcensus.aws.bedrock import CALL_DEADLINE_S
from demo.airflow_home import REPOSITORY, SECRETS, VARIABLES, airflow_environment
from demo.container import PASSWORDS, make_secrets
from demo.load import UnreadableFile
from demo.seed import seed
from demo.up import AIRFLOW_PROCESSES
from tests.compose_files import BASE, CELERY, compose, mounts

MODELS = {"docker-compose.yaml": compose(BASE), "with compose.celery.yaml": compose(BASE, CELERY)}
PLAIN, SCALED = (model["services"] for model in MODELS.values())
EACH = pytest.mark.parametrize("services", [PLAIN, SCALED], ids=list(MODELS))
ONCE = {"secrets", "init", "seed"}
DOCKERFILE = (REPOSITORY / "deploy" / "Dockerfile").read_text()

# What a service of ours may say. A name that Docker does not know stops `docker compose up`.
KEYS = {
    "build", "cap_drop", "command", "depends_on", "environment", "extra_hosts", "healthcheck", "image", "logging",
    "mem_limit", "ports", "restart", "security_opt", "shm_size", "stop_grace_period", "stop_signal", "volumes",
}  # fmt: skip

# What `make up` writes into the environment and a container reads from the volume that `secrets` has filled.
BY_COMMAND = {
    "AIRFLOW__CORE__FERNET_KEY",
    "AIRFLOW__API__SECRET_KEY",
    "AIRFLOW__API_AUTH__JWT_SECRET",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
}
# Airflow has no `_CMD` for a Variable: `init` puts this one into the database.
IN_THE_DATABASE = {"AIRFLOW_VAR_CHATCENSUS_PSEUDONYM_SECRET"}
# Places and addresses: a container has its own.
PLACES = {
    "CONNECTION_CHECK_MAX_COUNT": "0",  # of the image's entrypoint
    "PYTHONPATH": "/opt/airflow:/opt/airflow/plugins",
    "AIRFLOW_HOME": "/opt/airflow",
    "AIRFLOW__CORE__DAGS_FOLDER": "/opt/airflow/dags",
    "AIRFLOW__CORE__PLUGINS_FOLDER": "/opt/airflow/plugins",
    "AIRFLOW__LOGGING__BASE_LOG_FOLDER": "/opt/airflow/logs",
    "AIRFLOW__API__HOST": "0.0.0.0",  # noqa: S104 - inside the container; the test of ports looks at the host
    "AIRFLOW__API__BASE_URL": "http://127.0.0.1:8080",
    "NO_PROXY": "127.0.0.1,localhost,aws,airflow-apiserver",
    "no_proxy": "127.0.0.1,localhost,aws,airflow-apiserver",
}
# What the local AWS reads of the shell that runs `docker compose up`.
PASSED_ON = {"LOCAL_MODEL_URL": "", "LOCAL_MODEL_NAME": "", "LOCAL_MODEL_KEY": ""}


def ours(services: dict[str, Any]) -> dict[str, Any]:
    return {name: service for name, service in services.items() if "build" in service}


def airflow(services: dict[str, Any]) -> dict[str, Any]:
    return {name: service for name, service in services.items() if name.startswith("airflow-")}


def places(service: dict[str, Any]) -> dict[str, str]:
    return {source: target for source, target, _ in mounts(service)}


def seconds(duration: str) -> int:
    parts = re.fullmatch(r"(\d+)([sm])", duration)
    assert parts, duration
    return int(parts[1]) * {"s": 1, "m": 60}[parts[2]]


@pytest.fixture
def here(tmp_path: Path) -> dict[str, str]:
    """The environment of `make up`, were it run where the containers are."""
    url = "http://airflow-apiserver:8080"
    environment = airflow_environment(tmp_path, "http://aws:4566", VARIABLES, "replaced", url=url)
    return {key: value.replace(str(tmp_path), "/opt/airflow/state") for key, value in environment.items()}


def test_the_containers_have_the_same_settings_as_make_up(here: dict[str, str]) -> None:
    for name, service in ours(PLAIN).items():
        there = service["environment"]

        expected = {**here, **PLACES, **(PASSED_ON if name == "aws" else {})}
        for key in BY_COMMAND | IN_THE_DATABASE:
            del expected[key]

        commands = {f"{key}_CMD" for key in BY_COMMAND}
        assert {key: value for key, value in there.items() if key not in commands} == expected, name
        assert commands < set(there), name


def test_several_workers_change_the_executor_and_nothing_else() -> None:
    celery = yaml.safe_load((REPOSITORY / CELERY).read_text())["x-celery"]
    assert all(
        key.startswith(("AIRFLOW__CELERY", "AIRFLOW__CORE__EXECUTOR", "AIRFLOW__CORE__PARALL")) for key in celery
    )

    for name, service in airflow(SCALED).items():
        added = {key for key, value in service["environment"].items() if PLAIN["aws"]["environment"].get(key) != value}
        assert added == set(celery) | ({"DUMB_INIT_SETSID"} if name == "airflow-worker" else set()), name
        assert service["environment"]["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"


def test_a_message_is_not_given_to_a_second_worker_while_the_longest_task_runs() -> None:
    hours = re.findall(r"execution_timeout=timedelta\(hours=(\d+)\)", (REPOSITORY / "dags/chat_census.py").read_text())
    visible_again_s = int(
        SCALED["airflow-worker"]["environment"]["AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT"]
    )

    assert max(int(hour) for hour in hours) * 3600 < visible_again_s


def test_what_is_told_to_stop_may_end_the_calls_that_it_has_paid_for() -> None:
    for name in ("airflow-scheduler", "airflow-worker"):
        assert seconds(SCALED[name]["stop_grace_period"]) > CALL_DEADLINE_S, name


def test_the_commands_read_the_secrets_that_the_first_container_makes(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert set(made) == {*SECRETS, *PASSWORDS}
    assert PLAIN["secrets"]["command"][-2:] == ["secrets", "/opt/airflow/state"]

    read = {
        key: _output(value.replace("/opt/airflow/state", str(tmp_path)))
        for key, value in SCALED["airflow-worker"]["environment"].items()
        if key.endswith("_CMD")
    }

    assert read == {
        "AIRFLOW__CORE__FERNET_KEY_CMD": made["fernet_key"],
        "AIRFLOW__API__SECRET_KEY_CMD": made["secret_key"],
        "AIRFLOW__API_AUTH__JWT_SECRET_CMD": made["jwt_secret"],
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD": (
            f"postgresql+psycopg2://postgres:{made['database_password']}@postgres/postgres"
        ),
        "AIRFLOW__CELERY__BROKER_URL_CMD": f"redis://:{made['broker_password']}@redis:6379/0",
    }
    assert PLAIN["postgres"]["environment"] == {
        "POSTGRES_PASSWORD_FILE": "/run/chatcensus/secrets/database_password",
    }


def test_redis_gets_its_password_where_no_list_of_processes_shows_it(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    entrypoint = tmp_path / "docker-entrypoint.sh"
    entrypoint.write_text('#!/bin/sh\necho "$@"\ncat\n')
    entrypoint.chmod(0o755)
    command = [word.replace("/run/chatcensus", str(tmp_path)) for word in SCALED["redis"]["command"]]

    said = subprocess.run(
        command, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, capture_output=True, text=True, check=True
    ).stdout.splitlines()

    password = (tmp_path / "secrets" / "broker_password").read_text()
    assert said == ["redis-server -", f"requirepass {password}", "appendonly yes"]


@EACH
def test_the_files_hold_no_secret(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for key, value in service.get("environment", {}).items():
            if re.search("SECRET|PASSWORD|_KEY|_CONN|BROKER_URL", key):
                is_read = value.startswith(("cat /", "sh -c ", "/opt/airflow/state/", "/run/chatcensus/secrets/"))
                assert is_read or value in {"", "local", "aws://"}, (name, key)


@EACH
def test_one_port_is_published_and_on_the_loopback_only(services: dict[str, Any]) -> None:
    assert [port for service in services.values() for port in service.get("ports", [])] == ["127.0.0.1:8080:8080"]
    assert compose(BASE, environment={"CHATCENSUS_PORT": "8081"})["services"]["airflow-apiserver"]["ports"] == [
        "127.0.0.1:8081:8080"
    ]


def test_the_same_airflow_processes_run() -> None:
    here = {tuple(command[2:]) for command in AIRFLOW_PROCESSES.values()}

    assert {tuple(shlex.split(service["command"])) for service in airflow(PLAIN).values()} == here
    assert {tuple(shlex.split(service["command"])) for service in airflow(SCALED).values()} == {
        *here,
        ("celery", "worker", "--skip-serve-logs"),
    }


@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_every_mounted_path_and_volume_exists(model: dict[str, Any]) -> None:
    mounted = {source for service in model["services"].values() for source in places(service)}

    paths = {source for source in mounted if source.startswith(".")}
    assert {"./dags", "./plugins", "./include"} < paths
    assert all((REPOSITORY / path).exists() for path in paths)
    assert mounted - paths == set(model["volumes"])


@pytest.mark.parametrize(("text", "problem"), [(None, "cannot be read"), ("", "it is empty"), ("[]\n", "line 1")])
def test_a_file_that_holds_no_conversation_stops_the_seed(tmp_path: Path, text: str | None, problem: str) -> None:
    data = tmp_path / "mine.jsonl"
    if text is not None:
        data.write_text(text)

    with pytest.raises(UnreadableFile, match=problem):
        seed("http://127.0.0.1:1", str(data))


@EACH
def test_what_is_mounted_of_the_repository_is_read_only(services: dict[str, Any]) -> None:
    for service in services.values():
        for source, _, is_read_only in mounts(service):
            assert is_read_only or not source.startswith("."), source


@EACH
def test_our_files_are_mounted_where_the_settings_look_for_them(services: dict[str, Any]) -> None:
    for name, service in airflow(services).items():
        there = places(service)

        assert there["./dags"] == service["environment"]["AIRFLOW__CORE__DAGS_FOLDER"], name
        assert there["./plugins"] == service["environment"]["AIRFLOW__CORE__PLUGINS_FOLDER"], name
        assert there["./include"] == "/opt/airflow/include", name


def test_every_module_that_a_container_starts_exists_and_is_mounted() -> None:
    started = {
        name: service["command"][2] for name, service in ours(PLAIN).items() if isinstance(service["command"], list)
    }

    assert started == {"secrets": "demo.container", "init": "demo.container", "aws": "local_aws", "seed": "demo.seed"}
    for name, module in started.items():
        path = REPOSITORY / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), name
        package = module.split(".")[0]
        assert places(PLAIN[name])[f"./{package}"] == f"/opt/airflow/{package}", name


@EACH
def test_every_service_says_only_what_docker_knows(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert set(service) <= KEYS, name
        check = service.get("healthcheck", {})
        assert set(check) <= {"test", "interval", "timeout", "start_period", "retries"}, name
        durations = [check[key] for key in ("interval", "timeout", "start_period") if key in check]
        assert all(seconds(duration) for duration in [*durations, service.get("stop_grace_period", "10s")]), name


@EACH
def test_a_service_waits_for_what_can_be_waited_for(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for other, need in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other in ONCE else "service_healthy"
            assert need == {"condition": wanted}, (name, other)
            assert ("healthcheck" in services[other]) == (other not in ONCE), (name, other)


@EACH
def test_airflow_starts_after_its_database_broker_and_conversations(services: dict[str, Any]) -> None:
    for name in airflow(services):
        assert {"secrets", "postgres", "init", "aws", "seed"} <= _needs(services, name), name
    for name in {"airflow-scheduler", "airflow-worker", "redis"} & set(SCALED):
        assert {"redis", "secrets"} <= {name, *_needs(SCALED, name)}, name


@EACH
def test_what_keeps_running_is_watched_bounded_and_started_again(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert ("healthcheck" in service) == ("restart" in service) == (name not in ONCE), name
        assert service["mem_limit"], name
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert ("cap_drop" in service) == ("build" in service), name


@EACH
def test_every_image_is_one_version(services: dict[str, Any]) -> None:
    pinned = re.search(r"^apache-airflow==(\S+)", (REPOSITORY / "requirements.txt").read_text(), re.MULTILINE)
    base = re.search(r"^FROM apache/airflow:(\S+)-python3\.12$", DOCKERFILE, re.MULTILINE)
    assert pinned
    assert base
    assert pinned[1] == base[1]

    for name, service in services.items():
        if "build" in service:
            assert service["build"] == {"context": ".", "dockerfile": "deploy/Dockerfile"}, name
            assert service["image"] == "chat-census:local", name
        else:
            assert re.fullmatch(r"(postgres:16|redis:7\.2-bookworm)", service["image"]), name


def test_the_dockerfile_installs_the_local_aws_and_celery_in_locked_versions(tmp_path: Path) -> None:
    copied = re.search(r"^COPY --chown=airflow:0 (.+) \S+$", DOCKERFILE, re.MULTILINE)
    assert copied
    names = copied[1].split()
    sent = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert [line.removeprefix("!") for line in sent if line.startswith("!")] == names
    for name in names:
        (tmp_path / name).write_text((REPOSITORY / name).read_text())

    steps = re.search(r"&& (grep .+?) \\\n\s+&& (sed .+?) \\\n\s+&& pip install (.+?) \\\n", DOCKERFILE)
    assert steps
    subprocess.run(["sh", "-euc", f"{steps[1]}\n{steps[2]}"], cwd=tmp_path, check=True)

    assert steps[3] == "--no-cache-dir -c requirements-dev.lock -r runtime.txt -r beside.txt"
    assert "--constraint" not in (tmp_path / "runtime.txt").read_text()
    wanted = re.findall(r"^([\w.-]+)", (tmp_path / "beside.txt").read_text(), re.MULTILINE)
    assert set(wanted) == {
        "moto", "duckdb", "sqlglot", "sortedcontainers", "amazon.ion", "pyiceberg", "pyarrow", "pytz",
        "apache-airflow-providers-celery", "celery", "redis",
    }  # fmt: skip
    locked = (tmp_path / "requirements-dev.lock").read_text().splitlines()
    lock = {line.partition(" ;")[0] for line in locked}  # what follows says where: not on Windows, not on PyPy
    assert set((REPOSITORY / "constraints.txt").read_text().splitlines()) <= lock


def _needs(services: dict[str, Any], name: str) -> set[str]:
    direct = set(services[name].get("depends_on", {}))
    return direct.union(*(_needs(services, other) for other in direct))


def _output(command: str) -> str:
    return subprocess.run(shlex.split(command), capture_output=True, text=True, check=True).stdout.strip()
