"""Airflow's own simple auth manager, which knows rights on all DAGs or none, with one person more."""

from typing import Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

from tests.security.people import ANOTHER_DAG, STRANGER


class SimpleAuthManagerWithStranger(SimpleAuthManager):
    """The stranger may do everything with the DAG `another`, and nothing else."""

    def is_authorized_dag(self, *, user: Any, details: Any = None, **kwargs: Any) -> bool:
        """Return whether *user* may."""
        if user.get_name() == STRANGER:
            return details is not None and details.id == ANOTHER_DAG
        return super().is_authorized_dag(user=user, details=details, **kwargs)
