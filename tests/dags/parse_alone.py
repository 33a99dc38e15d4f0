"""
Parse the DAG folder in a process of its own, and print as JSON what that took: seconds, errors, network, secrets.

Run by test_every_dag.py with Airflow's settings in the environment and this file as the secrets backend.
"""

import json
import os
import socket
import sys
import time
from importlib import import_module
from pathlib import Path

from airflow.secrets import BaseSecretsBackend

NETWORK = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}
asked: list[str] = []
connected: list[str] = []


class WatchedSecrets(BaseSecretsBackend):
    """Notes which Variables and connections are asked for, and has none."""

    def get_variable(self, key: str, team_name: str | None = None) -> None:  # noqa: ARG002 - Airflow's signature
        asked.append(f"variable {key}")

    def get_connection(self, conn_id: str, team_name: str | None = None) -> None:  # noqa: ARG002 - as above
        asked.append(f"connection {conn_id}")


def close_the_network() -> None:
    """Refuse and note every attempt to reach another process."""

    def refuse(event: str, arguments: tuple) -> None:
        if event in NETWORK:
            connected.append(f"{event} {arguments[1:]}")
            raise ConnectionRefusedError(event)

    sys.addaudithook(refuse)


def is_closed() -> bool:
    """Return whether the network is closed; notes nothing."""
    try:
        socket.create_connection(("127.0.0.1", 1), timeout=1)
    except ConnectionRefusedError as error:
        connected.clear()
        return str(error).startswith("socket.")
    return False


def main() -> None:
    from airflow.dag_processing.dagbag import BundleDagBag
    from airflow.sdk import Variable

    backend = import_module("parse_alone")  # this file as Airflow imports it, beside __main__
    close_the_network()
    Variable.get("watched", default=None)
    is_watched = backend.asked == ["variable watched"]
    backend.asked.clear()
    report = {"is_closed": is_closed(), "is_watched": is_watched}
    folder = os.environ["AIRFLOW__CORE__DAGS_FOLDER"]
    started = time.monotonic()
    bag = BundleDagBag(folder, bundle_path=Path(folder), bundle_name="dags-folder")
    report |= {
        "seconds": time.monotonic() - started,
        "dags": sorted(bag.dags),
        "errors": bag.import_errors,
        "asked": backend.asked,
        "connected": connected,
    }
    print(json.dumps(report))  # noqa: T201 - what the test reads


if __name__ == "__main__":
    main()
