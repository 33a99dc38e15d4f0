"""The doctor: everything that a run needs of files and of AWS, looked at once, read only and unpaid."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import NoRegionError

from chatcensus.aws.doctor_account import account_probes
from chatcensus.aws.doctor_model import model_probes
from chatcensus.aws.doctor_storage import storage_probes
from chatcensus.aws.doctor_tables import table_probes
from chatcensus.aws.probing import Probe, look_everywhere, made_clients
from chatcensus.doctor import Files, Finding, Names, check_versions, fail, in_order, read_files

# Less than ten seconds in all, with the start of Python on a busy machine: what is slower is a finding.
DEADLINE_S = 6.5
CLIENT_CONFIG = Config(
    connect_timeout=2,
    read_timeout=4,
    retries={"mode": "standard", "total_max_attempts": 1},
    max_pool_connections=20,
)


def examine(
    names: Names,
    include: Path,
    client: Callable[[str], Any],
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    deadline_s: float = DEADLINE_S,
) -> list[Finding]:
    """
    Return what the doctor finds; nothing is written, and no call is paid for.

    Shape: *client* makes the boto3 client of a service.
    Units: all of it takes *deadline_s* at most.
    """
    ends_at = time.monotonic() + deadline_s
    files, findings = read_files(include, names.model, now().date())
    clients = made_clients(client)
    if isinstance(clients["dynamodb"], NoRegionError):
        remedy = "set AWS_DEFAULT_REGION, or region_name in the Airflow connection"
        at_aws = [fail("region", "none is set: AWS was not looked at", remedy)]
    else:
        at_aws = look_everywhere(list(_probes(names, files, clients, now)), clients, ends_at)
    return in_order([names.check(), check_versions(), *findings, *at_aws])


def _probes(names: Names, files: Files, clients: dict[str, Any], now: Callable[[], datetime]) -> Iterator[Probe]:
    yield from account_probes(names.model, now)
    yield from table_probes(names, files.mapping)
    yield from storage_probes(names)
    if names.model:
        yield from model_probes(names, files, clients, now)
