"""doctor: look at everything a run needs from where runs happen, with their connection and their Variables."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator, Connection, Context, Variable
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException

from chatcensus.aws.doctor import CLIENT_CONFIG, examine
from chatcensus.doctor import Finding, Names, as_dicts, fail, in_order, is_ill, lines, ok, warn
from chatcensus.operators.aws_client import CONNECTION, aws_client
from chatcensus.operators.secret import SHORTEST
from chatcensus.partition import MAX_SEGMENTS

XCOM_KEY = "findings"
_LEVELS = {"WARN": logging.WARNING, "FAIL": logging.ERROR}  # so that the UI can show these alone
_PROMPT_CHARACTERS = 20_000  # room for the rendered prompt, where Airflow's own limit cuts it at 4,096


class DoctorOperator(BaseOperator):
    """
    Log one line a check, with the remedy of what is wrong; fail if a run would. Nothing is written or paid for.

    :param names: the deployment: each field of `Names` by its name (templated)
    :param include: the folder with prompt, taxonomy, models and mapping
    :param pseudonym_variable: the Airflow Variable with the secret of the pseudonyms; only its length is looked at
    :param aws_conn_id: the Airflow connection with credentials, role and Region
    """

    template_fields: Sequence[str] = ("names",)
    ui_color = "#e3f4db"

    def __init__(
        self,
        *,
        names: Mapping[str, str],
        include: Path,
        pseudonym_variable: str = "chatcensus_pseudonym_secret",
        aws_conn_id: str = CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.names, self.include = names, include
        self.pseudonym_variable, self.aws_conn_id = pseudonym_variable, aws_conn_id

    def execute(self, context: Context) -> None:
        """Leave the findings as the XCom `findings`; raise AirflowFailException if one is FAIL."""
        at_aws = examine(Names(**self.names), self.include, self._client)
        findings = in_order([*at_aws, *self._airflow()])
        level = logging.INFO
        for line in lines(findings):
            if not line.startswith(" "):  # a remedy has the level of its finding
                level = _LEVELS.get(line.split()[0], logging.INFO)
            self.log.log(level, "%s", line)
        context["ti"].xcom_push(key=XCOM_KEY, value=as_dicts(findings))
        if is_ill(findings):
            wrong = ", ".join(finding.check for finding in findings if finding.level == "FAIL")
            raise AirflowFailException(f"to be put right before a run: {wrong}; the log says how")

    def _client(self, service: str) -> Any:
        return aws_client(service, self.aws_conn_id, CLIENT_CONFIG)

    def _airflow(self) -> Iterator[Finding]:
        yield _secret(self.pseudonym_variable)
        yield _connection(self.aws_conn_id)
        yield _limits()
        yield _plugin(Path(conf.get("core", "plugins_folder")))


def _secret(variable: str) -> Finding:
    if len(str(Variable.get(variable, default=""))) < SHORTEST:
        found = f"the Variable {variable} is not set, or has fewer than {SHORTEST} characters"
        return fail("pseudonym-secret", found, f"set it to the output of: openssl rand -base64 32; {_KEEP_IT}")
    return ok("pseudonym-secret", f"{variable} is set, and long enough")


_KEEP_IT = "keep it for ever, in the secrets backend: another secret makes other pseudonyms"


def _connection(conn_id: str) -> Finding:
    try:
        Connection.get(conn_id)
    except AirflowNotFoundException:
        remedy = f"add the Airflow connection {conn_id} (aws://, with role_arn and region_name)"
        return warn("airflow-connection", f"there is no {conn_id}: tasks have the rights of their machine", remedy)
    return ok("airflow-connection", conn_id)


def _limits() -> Finding:
    segments, characters = conf.getint("core", "max_map_length"), conf.getint("core", "max_templated_field_length")
    if segments < MAX_SEGMENTS:
        found = f"core.max_map_length is {segments}, and a run may have {MAX_SEGMENTS} segments"
        return fail("airflow-limits", found, f"set core.max_map_length to {MAX_SEGMENTS}")
    if characters < _PROMPT_CHARACTERS:
        found = f"core.max_templated_field_length is {characters}: the UI does not show the whole prompt"
        return warn("airflow-limits", found, f"set core.max_templated_field_length to {_PROMPT_CHARACTERS}")
    return ok("airflow-limits", f"{segments} segments, {characters} characters of a field")


def _plugin(folder: Path) -> Finding:
    if not (folder / "chatcensus_plugin.py").is_file():
        found = f"no chatcensus_plugin.py in {folder}: the page is not there"
        return warn("airflow-plugin", found, "deploy plugins.zip as `make package` makes it")
    ignored = folder / ".airflowignore"
    if not ignored.is_file() or "chatcensus/" not in ignored.read_text(encoding="utf-8").split():
        found = f"{ignored} does not hide chatcensus/: Airflow runs every file of the library as a plugin"
        return fail("airflow-plugin", found, "deploy plugins.zip as `make package` makes it, hidden files included")
    return ok("airflow-plugin", f"{folder}: the page, and the library hidden from the plugin scanner")
