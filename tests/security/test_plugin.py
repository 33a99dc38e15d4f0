"""The plugin as MWAA gets it: the zip of `make package`, unpacked, loaded by a fresh interpreter."""

import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from demo.airflow_home import REPOSITORY, VARIABLES, airflow_environment, process_environment
from deploy.package import package_files


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that MWAA makes of plugins.zip."""
    folder = tmp_path_factory.mktemp("mwaa")
    with zipfile.ZipFile(io.BytesIO(package_files(REPOSITORY)["plugins.zip"])) as file:
        file.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def told(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What Airflow has of the plugin, whole and broken, where nothing else of the repository can be imported."""
    home = tmp_path_factory.mktemp("home")
    broken = home / "broken"
    shutil.copytree(unpacked, broken)
    (broken / "chatcensus/dashboard/app.py").write_text("from airflow.api_fastapi import no_such_thing\n")
    environment = airflow_environment(home, "http://127.0.0.1:1", VARIABLES) | {"PYTHONPATH": ""}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("plugin_process.py")), str(unpacked), str(broken)],
        env=process_environment(environment),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return [each | {"log": done.stdout + done.stderr} for each in told]


def test_the_zip_holds_what_hides_the_library(unpacked: Path):
    assert (unpacked / ".airflowignore").read_text() == "chatcensus/\n"
    assert {path.name for path in unpacked.iterdir()} == {".airflowignore", "chatcensus", "chatcensus_plugin.py"}


def test_as_mwaa_loads_it_the_plugin_has_its_pages_and_its_views(unpacked: Path, told: list[dict[str, Any]]):
    whole = told[0]
    (app,) = whole["apps"]

    assert whole["errors"] == {}
    assert Path(app["from"]).is_relative_to(unpacked)
    assert app["prefix"] == "/chatcensus"
    assert {"/", "/run", "/report.json", "/static/{name}"} < set(app["routes"])
    assert set(app["pages"]) == {"report", "run"}
    assert all('<html lang="ja"' in page for page in app["pages"].values())
    assert [view["destination"] for view in whole["views"]] == ["nav", "dag", "dag_run"]


def test_a_component_without_a_web_server_imports_nothing_of_the_library(told: list[dict[str, Any]]):
    assert [each["held_before"] for each in told] == [[], []]


def test_a_dashboard_that_cannot_be_made_is_left_out_and_airflow_starts(told: list[dict[str, Any]]):
    broken = told[1]

    assert broken["errors"] == {}
    assert broken["apps"] == []
    assert "the dashboard of Chat Census is left out" in broken["log"]


def test_every_view_leads_to_a_route_of_ours_wherever_airflow_lives(told: list[dict[str, Any]]):
    (app,), views = told[0]["apps"], told[0]["views"]
    routes = {app["prefix"] + route for route in app["routes"]}
    run_id = "manual__2026-11-30T03:00:00+00:00"

    for view in views:
        # As Airflow's UI fills it in: by encodeURIComponent, which leaves !'()* as they are.
        filled = view["href"].replace("{DAG_ID}", "chat_census").replace("{RUN_ID}", quote(run_id, safe="!'()*"))

        assert not filled.startswith("/")
        assert "{" not in filled
        assert f"/{filled.partition('?')[0]}" in routes
    assert len({view["url_route"] for view in views}) == len(views)
    assert all(re.fullmatch(r"[a-z_]+", view["url_route"]) for view in views)
