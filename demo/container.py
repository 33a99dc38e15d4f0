"""
The `init` service of docker-compose.yaml: secrets, metadata database and password, before anything else starts.

The secrets are generated into a volume and never stand in a file of the repository; the other services read them by
Airflow's `_CMD` settings.
"""

import os
import sys
from pathlib import Path

from demo.airflow_home import USER, admin_password, secrets_of


def prepare(state: Path) -> str:
    """Prepare the containers' Airflow, as often as it is asked to, and return the password of the user `admin`."""
    secret = secrets_of(state)  # before the first import of Airflow, which reads them
    from airflow.models.variable import Variable
    from airflow.utils.db import initdb

    initdb()
    # A Variable in the environment cannot come from a file; in the database it can.
    if Variable.get("chatcensus_pseudonym_secret", default_var=None) is None:
        Variable.set("chatcensus_pseudonym_secret", secret["pseudonym_secret"])
    return admin_password(state)


if __name__ == "__main__":
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"  # Variables are read and written in the database directly
    password = prepare(Path(sys.argv[1]))
    print(f"Airflow: http://127.0.0.1:8080   user {USER}, password {password}")
