"""
What every Airflow that we start on this machine has in common: its environment, its secrets and its metadata database.

The demo, `make up` and the tests take it from here; docker-compose.yaml says the same for containers and a test
compares the two. Importing this module does not import Airflow.
"""

import base64
import json
import os
import secrets
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
AIRFLOW_URL = "http://127.0.0.1:8080"
ACCOUNT = "123456789012"
REGION = "ap-northeast-1"
USER = "admin"

# The Airflow Variables of a local Airflow: the resources of deploy/chatcensus.yaml with its default parameters.
VARIABLES = {
    "chatcensus_table": "chat-conversations",
    "chatcensus_control_table": "chatcensus-control",
    "chatcensus_snapshot_bucket": f"chatcensus-snapshots-{ACCOUNT}-{REGION}",
    "chatcensus_result_bucket": f"chatcensus-results-{ACCOUNT}-{REGION}",
    "chatcensus_database": "chatcensus",
    "chatcensus_workgroup": "chatcensus",
    "chatcensus_model": "stand-in",
}
# A Variable that a deployment may do without; the local Bedrock takes any role of its account.
BATCH_ROLE = f"arn:aws:iam::{ACCOUNT}:role/chatcensus-batch"

SECRETS = ("fernet_key", "jwt_secret", "secret_key", "pseudonym_secret")

# The rendered prompt is about 5,000 characters and Airflow cuts fields at 4,096; the UI shall show all of it.
MAX_TEMPLATED_FIELD_LENGTH = 20_000
# Each LocalExecutor worker takes 60 MB; two of them keep two cores busy, the others wait for AWS.
PARALLELISM = 4

# Of the caller's shell these would reach a real account, another Airflow, or a proxy between us and 127.0.0.1.
_FOREIGN_PREFIXES = ("AIRFLOW", "AWS_", "_AIRFLOW")


def airflow_environment(
    home: Path, endpoint_url: str, names: dict[str, str], database_url: str | None = None, *, url: str = AIRFLOW_URL
) -> dict[str, str]:
    """
    Return the environment variables of one local Airflow that lives in *home*.

    Shape: *names* maps Airflow Variables (`chatcensus_table`) to values; without *database_url* it is SQLite in *home*.
    The same *home* always gets the same secrets: they are generated once, in a file only its owner can read.
    """
    secret = secrets_of(home)
    port = url.rsplit(":", 1)[1]
    return {
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "plugins")]),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": str(PARALLELISM),
        "AIRFLOW__CORE__MAX_TEMPLATED_FIELD_LENGTH": str(MAX_TEMPLATED_FIELD_LENGTH),
        # A run starts when somebody asks for it. Unpausing a DAG with a schedule would run its last interval at once.
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__FERNET_KEY": secret["fernet_key"],
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": port,
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__SECRET_KEY": secret["secret_key"],
        "AIRFLOW__API_AUTH__JWT_SECRET": secret["jwt_secret"],
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database_url or f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        # On AWS each of the two assumes a role of its own: docs/aws-resources.md.
        "AIRFLOW_CONN_CHATCENSUS_AWS": "aws://",
        "AIRFLOW_CONN_CHATCENSUS_DASHBOARD": "aws://",
        "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        # A profile, role or retry mode from the person's own files must not reach the local AWS, nor the other way.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        **{
            f"AIRFLOW_VAR_{name.upper()}": value
            for name, value in {
                "chatcensus_pseudonym_secret": secret["pseudonym_secret"],
                "chatcensus_batch_role": BATCH_ROLE,
                **names,
            }.items()
        },
    }


def process_environment(environment: dict[str, str]) -> dict[str, str]:
    """Return the environment for a child process: ours over the caller's, without the caller's own AWS and Airflow."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN_PREFIXES)}
    return {**inherited, "PYTHONUNBUFFERED": "1", **environment}


def admin_password(home: Path) -> str:
    """Return the password of the user `admin`, generated when *home* has none yet."""
    path = home / "passwords.json"
    if not path.exists():
        _write_private(path, json.dumps({USER: secrets.token_hex(8)}))
    return json.loads(path.read_text())[USER]


def migrate_once(home: Path, environment: dict[str, str]) -> bool:
    """
    Create or upgrade the metadata database in a process of its own; return whether there was anything to do.

    Raises: RuntimeError with the end of the log when the migration fails.
    """
    if is_migrated(home, environment):
        return False
    home.mkdir(parents=True, exist_ok=True)
    log_file = home / "migrate.log"
    with log_file.open("w") as log:
        done = subprocess.run(
            [sys.executable, "-c", "from demo.airflow_home import migrate_here; migrate_here()"],
            env=process_environment(environment),
            cwd=REPOSITORY,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        tail = "\n".join(log_file.read_text().splitlines()[-5:])
        raise RuntimeError(f"Airflow's database could not be created, see {log_file}. Its last lines:\n{tail}")
    return True


def migrate_here() -> None:
    """Create or upgrade the metadata database of the Airflow whose environment this process has."""
    home = Path(os.environ["AIRFLOW_HOME"])
    if is_migrated(home, dict(os.environ)):
        return
    from airflow.utils.db import initdb  # a slow import: only where it is used

    # For an empty database this creates the tables at once: 2 s instead of the 15 s of `airflow db migrate`.
    initdb()
    mark_migrated(home, dict(os.environ))


def is_migrated(home: Path, environment: dict[str, str]) -> bool:
    """Return whether the database of *environment* was migrated by this version of Airflow."""
    url = environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    is_gone = url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists()
    marker = _marker(home)
    return not is_gone and marker.exists() and marker.read_text() == _marker_text(environment)


def mark_migrated(home: Path, environment: dict[str, str]) -> None:
    """Note that the database of *environment* is migrated."""
    _marker(home).write_text(_marker_text(environment))


def _marker(home: Path) -> Path:
    return home / "migrated"


def _marker_text(environment: dict[str, str]) -> str:
    return f"{version('apache-airflow')} {environment['AIRFLOW__DATABASE__SQL_ALCHEMY_CONN']}\n"


def secrets_of(home: Path, names: tuple[str, ...] = SECRETS) -> dict[str, str]:
    """Return the secrets of *home* by name, generated when it has none yet: one file each, for its owner alone."""
    folder = home / "secrets"
    for name in names:
        if not (folder / name).exists():
            # 32 bytes in this very form are what a Fernet key is.
            _write_private(folder / name, base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
    return {name: (folder / name).read_text() for name in names}


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
