"""
Airflow's web server with our plugin, in a process of its own: `python -m tests.security.web_process PORT READY_FILE`.

Its environment is `demo.airflow_home.airflow_environment`, with the auth manager of the test. What the dashboard needs
of Airflow lies in the database, as it does where people set Variables and connections in the UI. READY_FILE gets a
token for each kind of reader, and every route below /chatcensus.
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from demo.airflow_home import VARIABLES, migrate_here
from tests.security.people import ANOTHER_DAG, STRANGER

PREFIX = "/chatcensus"
CONNECTION = os.environ.pop("AIRFLOW_CONN_CHATCENSUS_DASHBOARD", "aws://")
for name in VARIABLES:
    os.environ.pop(f"AIRFLOW_VAR_{name.upper()}", None)


def main(port: int, ready_file: Path) -> None:
    """Serve until the process is ended."""
    migrate_here()
    import uvicorn  # slow imports: after the environment is known to be right
    from airflow.api_fastapi.main import app

    _keep_settings()
    routes = [
        path
        for mount in app.routes
        if getattr(mount, "path", "") == PREFIX
        for path in _paths(mount.app, PREFIX)  # type: ignore[attr-defined]
    ]
    ready_file.write_text(json.dumps({"tokens": _tokens(), "routes": routes}))
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


def _paths(app: Any, prefix: str) -> Iterator[str]:
    """Every path that *app* answers, whatever serves it: also what is mounted, and mounted again in that."""
    for route in app.routes:
        path = prefix + route.path
        yield path
        if inner := getattr(route, "app", None):
            yield from _paths(inner, path) if hasattr(inner, "routes") else ()


def _keep_settings() -> None:
    from airflow.models.connection import Connection  # of the database: `airflow.sdk` has what tasks are given
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session

    with create_session() as session:
        session.add(Connection(conn_id="chatcensus_dashboard", uri=CONNECTION))
    for name, value in VARIABLES.items():
        Variable.set(name, value)


def _tokens() -> dict[str, str]:
    """A token for who may do all, who may read all, who may read another DAG, and who has a login and no rights."""
    from airflow.api_fastapi.app import get_auth_manager

    manager: Any = get_auth_manager()
    people = _fab_people(manager) if "fab" in type(manager).__module__ else _simple_people()
    return {name: manager.generate_jwt(person) for name, person in people.items()}


def _simple_people() -> dict[str, Any]:
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    roles = {"admin": "admin", "viewer": "viewer", STRANGER: None, "nobody": None}
    return {name: SimpleAuthManagerUser(username=name, role=role) for name, role in roles.items()}


def _fab_people(manager: Any) -> dict[str, Any]:
    security = manager.security_manager
    strangers = security.add_role("Strangers")
    for resource in (f"DAG:{ANOTHER_DAG}", f"DAG Run:{ANOTHER_DAG}"):
        security.add_permission_to_role(strangers, security.create_permission("can_read", resource))
    roles = {"admin": "Admin", "viewer": "Viewer", STRANGER: "Strangers", "nobody": "Public"}
    return {
        name: security.add_user(
            username=name,
            first_name=name,
            last_name="",
            email=f"{name}@example.com",
            role=security.find_role(role),
            hashed_password="nobody logs in by it",
        )
        for name, role in roles.items()
    }


if __name__ == "__main__":
    import chatcensus.dashboard.app

    # What readers see may be two seconds old; here each test sees what it has put.
    chatcensus.dashboard.app.FRESH_SECONDS = 0
    main(int(sys.argv[1]), Path(sys.argv[2]))
