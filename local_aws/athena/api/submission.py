"""
From the request of StartQueryExecution to an execution that may run: checks, settings of the workgroup, its text.

Source of the checks, their order and wording: observed on the live service in September 2026:
github.com/aoyagikouhei/athena-local, docs/dev/measurements/client-request-token.md and statements.md.
"""

from __future__ import annotations

import uuid
from typing import Any

from botocore.exceptions import ClientError

from local_aws.athena.api import prepared_statements  # noqa: F401  it completes moto
from local_aws.athena.api.executions import Execution
from local_aws.athena.api.parameters import execution_of_prepared
from local_aws.athena.api.statement_kinds import kind_of, pieces, words
from local_aws.athena.api.validation import invalid
from local_aws.athena.execution import Job
from local_aws.athena.failures import StatementError, SyntaxRejection, Unsupported
from local_aws.athena.language.parsing import MAX_STATEMENT_BYTES, parse_statement
from local_aws.athena.tables import ddl, hive_grammar
from local_aws.athena.tables.catalog import Catalog
from local_aws.athena.tables.store import folder_uri, split_uri

_MOST_OF_A_TOKEN = 128
_MOST_OF_A_PARAMETER = 1024
_OLDEST_REUSED_MINUTES = 10_080


class Submissions:
    """Make executions of requests; *athena*, *s3* and *glue* are boto3 clients."""

    def __init__(self, athena: Any, s3: Any, glue: Any) -> None:
        self._athena = athena
        self._s3 = s3
        self._glue = glue

    def execution(self, body: dict[str, Any]) -> Execution:
        """
        Return a new execution, queued.

        Raises: AwsError InvalidRequestException for what Athena refuses before it queues anything.
        """
        token = body.get("ClientRequestToken")
        if token is None:
            raise invalid("clientRequestToken is null or empty")
        if len(token.encode()) > _MOST_OF_A_TOKEN:
            raise invalid(f"clientRequestToken exceeds maximum allowed length {_MOST_OF_A_TOKEN}")
        size = len(body["QueryString"].encode())
        if size > MAX_STATEMENT_BYTES:
            raise invalid(f"QueryString must have 1 to {MAX_STATEMENT_BYTES} bytes, has {size}")
        if body.get("EngineConfiguration"):
            raise invalid("LOCAL_AWS_UNSUPPORTED: EngineConfiguration")
        workgroup = body.get("WorkGroup") or "primary"
        context = dict(body.get("QueryExecutionContext") or {})
        catalog = context.get("Catalog") or "AwsDataCatalog"
        if catalog.lower() != "awsdatacatalog":
            raise invalid(f"LOCAL_AWS_UNSUPPORTED: catalog {catalog!r}")
        settings = self._settings(workgroup)
        configuration, is_enforced = _configuration(settings, body.get("ResultConfiguration") or {})
        self._check_bucket(configuration["OutputLocation"])
        text = _single(body["QueryString"])
        statement, parameters = self._statement(text, _parameters(body), workgroup)
        _check_syntax(statement, has_parameters=bool(parameters))
        self._check_described(statement, context.get("Database"))
        execution_id = str(uuid.uuid4())
        job = Job(
            statement,
            (context.get("Database") or "").lower() or None,
            configuration["OutputLocation"],
            is_enforced,
            execution_id,
            parameters,
            settings.get("BytesScannedCutoffPerQuery"),
        )
        return Execution(
            execution_id,
            text,
            workgroup,
            context,
            job,
            configuration,
            engine=settings.get("EngineVersion") or {},
            reuse=_reuse(body),
            token=token,
            request=(body["QueryString"], context, configuration["OutputLocation"]),
            kind=kind_of(statement),
        )

    def workgroup(self, name: str) -> dict[str, Any]:
        """Return a workgroup as GetWorkGroup does, or raise AwsError when there is none."""
        try:
            return dict(self._athena.get_work_group(WorkGroup=name)["WorkGroup"])
        except ClientError as problem:
            raise invalid("WorkGroup is not found.") from problem

    def _settings(self, workgroup: str) -> dict[str, Any]:
        group = self.workgroup(workgroup)
        if group.get("State", "ENABLED") != "ENABLED":
            raise invalid(f"WorkGroup {workgroup} is disabled.")
        return dict(group.get("Configuration") or {})

    def _check_bucket(self, location: str) -> None:
        bucket = split_uri(location)[0]
        try:
            self._s3.head_bucket(Bucket=bucket)
        except ClientError as problem:
            raise invalid(f"Unable to verify/create output bucket {bucket}") from problem

    def _check_described(self, text: str, database: str | None) -> None:
        """Refuse DESCRIBE and SHOW COLUMNS of a table that is not there."""
        try:
            statement = hive_grammar.parse(text)
            if not isinstance(statement, hive_grammar.Describe | hive_grammar.ShowColumns):
                return
            catalog = Catalog(self._glue, database)
            is_there = catalog.find(catalog.name(list(statement.table))) is not None
        except (StatementError, Unsupported):
            return
        if not is_there:
            raise invalid(
                "Entity Not Found (Service: AmazonDataCatalog; Status Code: 400; Error Code: EntityNotFoundException; "
                f"Request ID: {uuid.uuid4()}; Proxy: null)"
            )

    def _statement(self, text: str, parameters: tuple[str, ...], workgroup: str) -> tuple[str, tuple[str, ...]]:
        try:
            prepared = execution_of_prepared(text)
        except Unsupported as problem:
            raise invalid(str(problem)) from problem
        if prepared is None:
            return text, parameters
        name, values = prepared
        if values and parameters:
            raise invalid("EXECUTE … USING and ExecutionParameters both give values: give them once")
        try:
            kept = self._athena.get_prepared_statement(StatementName=name, WorkGroup=workgroup)["PreparedStatement"]
        except ClientError as problem:
            raise invalid(f"PreparedStatement {name} was not found in workGroup {workgroup}") from problem
        return kept["QueryStatement"], values or parameters


def _single(text: str) -> str:
    """Return the one statement of a text, without the semicolons around it."""
    found = pieces(text)
    if len(found) > 1:
        raise invalid(f"Only one sql statement is allowed. Got: {text.rstrip()}", "MALFORMED_QUERY")
    if not found:
        raise invalid(f"Empty sql statement: {text.rstrip()}", "MALFORMED_QUERY")
    return found[0]


def _configuration(settings: dict[str, Any], requested: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Return where and how results are kept, and whether the workgroup decides it alone."""
    own = settings.get("ResultConfiguration") or {}
    is_enforced = bool(settings.get("EnforceWorkGroupConfiguration", False)) and bool(own.get("OutputLocation"))
    chosen = dict(own if is_enforced or not requested.get("OutputLocation") else {**own, **requested})
    location = chosen.get("OutputLocation") or ""
    if not location:
        raise invalid(
            "No output location provided. An output location is required either through the Workgroup result "
            "configuration setting or as an API input."
        )
    try:
        return {**chosen, "OutputLocation": folder_uri(location)}, is_enforced
    except StatementError as problem:
        raise invalid("outputLocation is not a valid S3 path.") from problem


def _parameters(body: dict[str, Any]) -> tuple[str, ...]:
    parameters = body.get("ExecutionParameters")
    if parameters is None:
        return ()
    for number, value in enumerate(parameters, 1):
        if not 1 <= len(value) <= _MOST_OF_A_PARAMETER:
            raise invalid(
                f"ExecutionParameters must have 1 to {_MOST_OF_A_PARAMETER} characters each, {number} has {len(value)}"
            )
    return tuple(parameters)


def _reuse(body: dict[str, Any]) -> dict[str, Any] | None:
    """
    Return the request's ResultReuseConfiguration.

    Every query runs anew and says so (ReusedPreviousResult false), as Athena's own does whenever a condition of reuse
    is not met. Source: Athena user guide, "Reusing query results".
    """
    reuse = body.get("ResultReuseConfiguration")
    age = ((reuse or {}).get("ResultReuseByAgeConfiguration") or {}).get("MaxAgeInMinutes", 0)
    if not 0 <= age <= _OLDEST_REUSED_MINUTES:
        raise invalid(f"MaxAgeInMinutes must be between 0 and {_OLDEST_REUSED_MINUTES}, is {age}")
    return reuse


def _check_syntax(text: str, *, has_parameters: bool) -> None:
    """Refuse at once what is no statement; what is only unsupported becomes a failed execution."""
    if words(text)[:4] == ["create", "or", "replace", "table"]:
        message = "mismatched input 'TABLE'. Expecting: 'MATERIALIZED', 'MULTI', 'PROTECTED', 'VIEW'"
        raise invalid(message, "MALFORMED_QUERY")
    try:
        if ddl.is_external_table(text):
            ddl.parse_external_table(text)
        elif hive_grammar.parse(text) is None:
            parse_statement(text, has_parameters=has_parameters)
    except SyntaxRejection as problem:
        raise invalid(str(problem), "MALFORMED_QUERY") from problem
    except (StatementError, Unsupported):
        return
