"""The few calls of Airflow's REST API that we make: 0.1 s each, where the `airflow` command takes 10 s."""

import json
import urllib.error
import urllib.request
from typing import Any

from demo.airflow_home import USER

# A proxy of the person's shell must not stand between us and 127.0.0.1.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class AirflowApi:
    """The API server at *url*; with a *password* as the user admin, without one only for its health."""

    def __init__(self, url: str, password: str | None = None) -> None:
        self._url = url
        self._password = password
        self._token: str | None = None

    def get(self, path: str) -> Any:
        """Return the answer, or None when there is none: not there, or not yet up."""
        try:
            return self._ask("GET", path)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """
        Send *body* and return the answer.

        Raises: urllib.error.HTTPError when it is refused.
        """
        return self._ask("POST", path, body)

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        """Change what is at *path* to what *body* says and return it. Raises: as `post`."""
        return self._ask("PATCH", path, body)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        if self._password and not self._token and path != "/auth/token":
            self._token = self.post("/auth/token", {"username": USER, "password": self._password})["access_token"]
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self._url + path, data, headers, method=method)  # noqa: S310 - http on 127.0.0.1
        with _OPENER.open(request, timeout=30) as answer:
            return json.load(answer)
