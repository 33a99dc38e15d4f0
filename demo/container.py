"""
What prepares the containers of docker-compose.yaml: its services `secrets` and `init`.

The secrets are generated into a volume and never stand in a file of the repository; the other services read them by
Airflow's `_CMD` settings.
"""

import argparse
import os
from pathlib import Path

from demo.airflow_home import SECRETS, USER, admin_password, secrets_of

# Only containers have them: the PostgreSQL of `make up` is behind a socket of its owner's, and it needs no Redis.
PASSWORDS = ("database_password", "broker_password")


def make_secrets(state: Path) -> None:
    """Generate what is not there yet: every secret, and the password of the user `admin`."""
    secrets_of(state, (*SECRETS, *PASSWORDS))
    admin_password(state)


def prepare_database(state: Path) -> None:
    """Create or upgrade the metadata database, as often as it is asked to."""
    from airflow.models.variable import Variable
    from airflow.utils.db import initdb

    initdb()
    # A Variable in the environment cannot come from a file; in the database it can.
    if Variable.get("chatcensus_pseudonym_secret", default_var=None) is None:
        Variable.set("chatcensus_pseudonym_secret", secrets_of(state)["pseudonym_secret"])


def main() -> None:
    """Do the one or the other, and say where Airflow will be."""
    parser = argparse.ArgumentParser(prog="demo.container", description=__doc__)
    parser.add_argument("what", choices=["secrets", "init"])
    parser.add_argument("state", type=Path, help="the folder of the volume `state`")
    options = parser.parse_args()
    if options.what == "secrets":
        make_secrets(options.state)
        return
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"  # Variables are read and written in the database directly
    prepare_database(options.state)
    url = os.environ["AIRFLOW__API__BASE_URL"]
    print(f"Airflow: {url}   user {USER}, password {admin_password(options.state)}")


if __name__ == "__main__":
    main()
