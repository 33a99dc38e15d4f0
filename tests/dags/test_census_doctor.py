"""The DAG of the doctor: what it looks at in Airflow, what it leaves behind, and that it ends red when a run would."""

import logging
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.sdk.exceptions import AirflowFailException

from chatcensus.doctor import CHECKS
from chatcensus.operators import PARAMS, DoctorOperator
from chatcensus.operators.doctor import XCOM_KEY, _limits, _plugin
from chatcensus.pacing import REQUESTS_PER_MINUTE, TOKENS_PER_MINUTE
from demo.airflow_home import VARIABLES
from tests.aws.examined import examined
from tests.conftest import LocalAwsForTests

REPOSITORY = Path(__file__).parents[2]
DAG_FILE, INCLUDE = REPOSITORY / "dags/census_doctor.py", REPOSITORY / "include"
TABLE = VARIABLES["chatcensus_table"]
NAMES = {name.removeprefix("chatcensus_"): value for name, value in VARIABLES.items()}
Look = Callable[..., tuple[dict[str, dict[str, str]], str | None]]
SECRET = "AIRFLOW_VAR_CHATCENSUS_PSEUDONYM_SECRET"


@pytest.fixture(scope="module")
def dag():
    bag = BundleDagBag(DAG_FILE.parent, bundle_path=DAG_FILE.parent, bundle_name="dags-folder")
    assert bag.import_errors == {}
    return bag.dags["census_doctor"]


# The DAG


def test_it_runs_by_hand_alone_and_says_what_it_is(dag):
    assert dag.doc_md.strip().startswith("# Census doctor")
    assert dag.schedule is None
    assert dag.tags == {"chatcensus"}
    assert [(task.task_id, task.owner) for task in dag.tasks] == [("doctor", "chatcensus")]
    assert len(DAG_FILE.read_text().splitlines()) <= 120


def test_a_variable_that_is_not_set_is_left_to_the_doctor_to_tell(dag):
    task = dag.task_dict["doctor"].prepare_for_execution()

    task.render_template_fields({"var": SimpleNamespace(value={"chatcensus_table": "chats"})}, dag.get_template_env())

    assert task.names == dict.fromkeys(NAMES, "") | {"table": "chats"}


def test_it_looks_with_the_connection_of_the_census(dag):
    bag = BundleDagBag(DAG_FILE.parent, bundle_path=DAG_FILE.parent, bundle_name="dags-folder")

    census = bag.dags["chat_census"].task_dict["plan"].aws_conn_id

    assert dag.task_dict["doctor"].aws_conn_id == census


def test_the_quota_is_compared_with_the_defaults_of_the_params():
    defaults = tuple(PARAMS[name].value for name in ("requests_per_minute", "tokens_per_minute"))

    assert defaults == (REQUESTS_PER_MINUTE, TOKENS_PER_MINUTE)


# The task


@pytest.fixture
def stack(local_aws: LocalAwsForTests) -> LocalAwsForTests:
    local_aws.create_stack()
    examined(client=local_aws.client)  # patiently: the local AWS is slow to answer a service for the first time
    return local_aws


@pytest.fixture
def look(stack) -> Look:  # noqa: ARG001 - the task finds it in the environment
    """What the task does: the findings of its XCom by check, and why it failed, if it did."""
    return _look


def _look(**changes: str) -> tuple[dict[str, dict[str, str]], str | None]:
    pushed: dict[str, Any] = {}
    context: Any = {"ti": SimpleNamespace(xcom_push=lambda key, value: pushed.update({key: value}))}
    why = None
    try:
        DoctorOperator(task_id="doctor", names=NAMES | changes, include=INCLUDE).execute(context)
    except AirflowFailException as error:
        why = str(error)
    return {finding["check"]: finding for finding in pushed[XCOM_KEY]}, why


def test_a_good_deployment_is_green_and_the_findings_are_left_as_data(look, caplog):
    with caplog.at_level(logging.INFO):
        findings, why = look()

    assert why is None
    assert {check for check, finding in findings.items() if finding["level"] != "OK"} == {"quota"}
    assert {"pseudonym-secret", "airflow-connection", "airflow-limits", "airflow-plugin"} <= findings.keys()
    assert findings.keys() <= set(CHECKS)


def test_a_fault_makes_the_task_red_and_is_named(look):
    findings, why = look(table="nope")

    assert findings["table"]["level"] == "FAIL"
    assert why == "to be put right before a run: table; the log says how"


def test_the_log_has_each_fault_and_its_remedy_at_the_level_of_the_fault(look, capsys):
    look(table="nope")

    said = re.findall(r"\[(\w+) *\] +((?:FAIL|WARN|fix:).*|\d+ OK, .*FAIL)", capsys.readouterr().out)
    assert [(level, line.split()[0]) for level, line in said[:-1]] == [
        *[("error", "FAIL"), ("error", "fix:")],
        *[("warning", "WARN"), ("warning", "fix:")],
    ]
    assert "there is no table nope" in said[0][1]
    assert said[-1][0] == "info"


@pytest.mark.parametrize("secret", ["", "fifteen-letters"])
def test_a_secret_that_is_too_short_is_told_and_nothing_of_it(look, monkeypatch, secret):
    monkeypatch.setenv(SECRET, secret)

    findings, why = look()

    assert findings["pseudonym-secret"]["level"] == "FAIL"
    assert "pseudonym-secret" in why
    assert not secret or secret not in str(findings)


def test_the_secret_itself_is_nowhere(look, monkeypatch, caplog):
    monkeypatch.setenv(SECRET, "a-secret-that-is-long-enough")

    with caplog.at_level(logging.DEBUG):
        findings, why = look()

    assert why is None
    assert findings["pseudonym-secret"]["level"] == "OK"
    assert "a-secret-that" not in str(findings) + caplog.text


def test_limits_of_airflow_that_are_too_small_are_told(monkeypatch):
    told = [_limits().level]
    monkeypatch.setenv("AIRFLOW__CORE__MAX_TEMPLATED_FIELD_LENGTH", "4096")
    told.append(_limits().level)
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "1023")
    told.append(_limits().level)

    assert told == ["OK", "WARN", "FAIL"]


def test_a_plugins_folder_without_its_hidden_file_fails(tmp_path):
    told = [_plugin(tmp_path).level]
    (tmp_path / "chatcensus_plugin.py").touch()
    told.append(_plugin(tmp_path).level)
    (tmp_path / ".airflowignore").write_text("chatcensus/\n")
    told.append(_plugin(tmp_path).level)

    assert told == ["WARN", "FAIL", "OK"]


# In a real Airflow


@pytest.mark.airflow
def test_it_is_green_over_a_good_deployment_and_red_over_another(stack, airflow):
    green = airflow.run_dag("census_doctor", {}, "good", lambda _: None)
    stack.client("dynamodb").update_continuous_backups(
        TableName=TABLE, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )
    red = airflow.run_dag("census_doctor", {}, "bad", lambda _: None)
    log = airflow.log_file.read_text()

    assert (green, red) == ("success", "failed")
    assert "OK    table-backups               point-in-time recovery is on" in log
    assert "FAIL  table-backups               point-in-time recovery is off, and exports need it" in log
    assert "fix: aws dynamodb update-continuous-backups" in log
