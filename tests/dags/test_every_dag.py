"""What holds for every file of `dags/`: it parses alone, is short, says what it is, and the manual has its settings."""

import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import BundleDagBag

from chatcensus.operators import variables
from chatcensus.operators.alert import SLACK, TOPIC
from demo.airflow_home import REPOSITORY, VARIABLES, airflow_environment, process_environment

HERE = Path(__file__).parent
FILES = sorted((REPOSITORY / "dags").glob("*.py"))
NAMES = [path.stem for path in FILES]
OPERATIONS = (REPOSITORY / "docs/operations.md").read_text()
MOST_LINES = 120
PSEUDONYM_SECRET = "chatcensus_pseudonym_secret"
each_file = pytest.mark.parametrize("path", FILES, ids=NAMES)
each_dag = pytest.mark.parametrize("name", NAMES)


@cache
def bag() -> BundleDagBag:
    folder = REPOSITORY / "dags"
    return BundleDagBag(folder, bundle_path=folder, bundle_name="dags-folder")


def dag_of(name: str) -> Any:
    return bag().dags[name]


def test_the_dags_parse_without_network_database_variable_or_connection(tmp_path, record_property, capsys):
    environment = process_environment(airflow_environment(tmp_path, "http://127.0.0.1:1", {}))
    given = ("AWS_", "AIRFLOW_VAR_", "AIRFLOW_CONN_")
    environment = {name: value for name, value in environment.items() if not name.startswith(given)}
    environment["AIRFLOW__SECRETS__BACKEND"] = "parse_alone.WatchedSecrets"
    environment["PYTHONPATH"] += os.pathsep + str(HERE)

    done = subprocess.run(
        [sys.executable, str(HERE / "parse_alone.py")], env=environment, capture_output=True, text=True, check=True
    )

    report = json.loads(done.stdout.splitlines()[-1])
    seconds = report.pop("seconds")
    record_property("parse_seconds", seconds)
    with capsys.disabled():
        print(f"[the DAG folder parses in {seconds:.2f} s]", end=" ")  # noqa: T201 - told, not asserted
    assert report == {
        "is_closed": True,
        "is_watched": True,
        "dags": NAMES,
        "errors": {},
        "asked": [],
        "connected": [],
    }


@each_file
def test_a_dag_file_is_short_and_is_named_as_its_dag(path: Path):
    lines = path.read_text().splitlines()

    assert len(lines) <= MOST_LINES
    assert max(map(len, lines)) <= MOST_LINES
    assert dag_of(path.stem).fileloc == str(path)


def test_nothing_reads_the_conf_of_a_run_or_todays_date():
    sources = [*FILES, *(REPOSITORY / "plugins").rglob("*.py"), *(REPOSITORY / "include").rglob("*.*")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)

    assert re.findall(r"dag_run\.conf|\{\{\s*(?:ds|ts|logical_date|execution_date)\b", text) == []


@each_dag
def test_a_dag_says_what_it_is_and_who_owns_it(name: str):
    dag = dag_of(name)

    assert dag.doc_md.strip().startswith(f"# {name.replace('_', ' ').capitalize()}\n")
    assert re.search(r"^\| \*\*.+\*\* \| .+ \|$", dag.doc_md, re.MULTILINE)
    assert dag.tags == {"chatcensus"}
    assert {task.owner for task in dag.tasks} == {"chatcensus"}
    assert not dag.catchup


@each_dag
def test_the_manual_of_a_dag_names_files_that_there_are(name: str):
    named = re.findall(r"\b(?:docs|include)/[\w./-]+\w", dag_of(name).doc_md)

    assert [path for path in named if not (REPOSITORY / path).exists()] == []


@each_dag
def test_every_param_has_a_type_a_description_and_a_default_that_fits(name: str):
    params = dag_of(name).params

    for key in params:
        param = params.get_param(key)
        assert param.schema["type"] in ("number", "integer", "string", "boolean", "array"), key
        assert len(param.description or "") > 20, key
        assert param.resolve() is not None, key


@each_dag
def test_every_param_is_in_the_manual_of_operations_with_its_default(name: str):
    sections = dict(re.findall(r"^### Params of `(\w+)`\n(.*?)(?=^#|\Z)", OPERATIONS, re.MULTILINE | re.DOTALL))
    told = dict(re.findall(r"^\| `(\w+)` \| `?([^`|]*?)`? ?\|", sections.get(name, ""), re.MULTILINE))

    assert told == {key: _written(value) for key, value in dag_of(name).params.dump().items()}
    assert set(sections) <= set(NAMES)


def _written(default: Any) -> str:
    return ", ".join(map(str, default)) if isinstance(default, list) else str(default)


def test_every_variable_is_in_the_manual_of_operations_and_no_other():
    told = set(re.findall(r"^\| `(chatcensus_\w+)` \|", OPERATIONS, re.MULTILINE))
    templates = "\n".join(path.read_text() for path in [*FILES, Path(variables.__file__)])
    read = set(re.findall(r"var\.value\.(chatcensus_\w+)", templates))
    optional = set(re.findall(r"var\.value\.get\('(\w+)'", templates)) | {TOPIC, SLACK}

    assert told == read | {PSEUDONYM_SECRET} | optional
    assert read == set(VARIABLES)


@each_dag
def test_every_file_that_a_task_is_given_is_there(name: str):
    tasks = dag_of(name).tasks
    given = [value for task in tasks for value in [*vars(task).values(), *getattr(task, "partial_kwargs", {}).values()]]
    files = {value for value in given if isinstance(value, Path)} - {REPOSITORY / "include/gold.yaml"}  # may be missing

    assert [path for path in files if not path.exists()] == []
