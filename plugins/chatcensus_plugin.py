"""
The dashboard in Airflow: the one file of this folder that the plugin manager imports (`.airflowignore` hides the rest).

Every component imports it, the web server alone needs the app: so it is made there, when it is asked for.
"""

import logging
from functools import cache
from typing import Any

from airflow.plugins_manager import AirflowPlugin

log = logging.getLogger(__name__)


@cache
def _apps() -> list[dict[str, Any]]:
    """The app, or none: a dashboard that cannot be made must not keep Airflow's web server from starting."""
    try:
        from chatcensus.dashboard.app import dashboard_app

        return [{"app": dashboard_app(), "url_prefix": "/chatcensus", "name": "Chat Census"}]
    except Exception:
        log.exception("the dashboard of Chat Census is left out")
        return []


class ChatCensusPlugin(AirflowPlugin):
    """
    The page in the navigation, on the tab of the DAG, and on the tab of each of its runs.

    Airflow shows a tab on every DAG, encodes what it puts in place of `{DAG_ID}` and `{RUN_ID}`, and has one name for
    all languages. Links have no slash in front: Airflow may live below a path.
    """

    name = "chatcensus"
    external_views = [  # noqa: RUF012 - as Airflow declares it
        {
            "name": "Census",  # the narrow navigation cuts a longer name
            "href": "chatcensus/",
            "destination": "nav",
            "url_route": "chatcensus",
        },
        {
            "name": "Chat Census",
            "href": "chatcensus/?dag_id={DAG_ID}",
            "destination": "dag",
            "url_route": "chatcensus_dag",
        },
        {
            "name": "Report of this run",
            "href": "chatcensus/run?dag_id={DAG_ID}&run_id={RUN_ID}",
            "destination": "dag_run",
            "url_route": "chatcensus_run",
        },
    ]

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The app, made when the web server asks for it."""
        return _apps()
