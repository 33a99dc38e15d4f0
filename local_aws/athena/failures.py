"""Ways in which a statement can fail: what Athena refuses too, and what only this engine refuses."""

from typing import Any

UNSUPPORTED = "LOCAL_AWS_UNSUPPORTED"
HIVE = "FAILED"  # the code of what Hive says: its text is kept where the result would be

_SYSTEM, _USER, _OTHER = 1, 2, 3
_ENGINE_BROKE, _USER_ERROR, _NOT_SUPPORTED = 200, 1000, 1200
# The error's name tells the type where the catalog has one for it; everything else is its plain "User error".
_ERROR_TYPES = {
    HIVE: 1003,
    "SYNTAX_ERROR": 1006,
    "INVALID_TABLE_PROPERTY": 1103,
    "INVALID_FUNCTION_ARGUMENT": 1106,
    "INVALID_VIEW": 1107,
    "VIEW_IS_STALE": 1107,
    "TABLE_NOT_FOUND": 1301,
    "SCHEMA_NOT_FOUND": 1301,
    "TABLE_ALREADY_EXISTS": 1110,
    "INVALID_CAST_ARGUMENT": 1100,
    "MISSING_COLUMN_NAME": 1100,
    "NOT_SUPPORTED": _NOT_SUPPORTED,
    "FUNCTION_NOT_FOUND": 1303,
    "HIVE_BAD_DATA": 1001,
}


class StatementError(Exception):
    """
    A statement that real Athena rejects or fails as well; *code* is Trino's error name, or empty.

    *kind* is the ErrorType where the code alone does not tell it, *explanation* an ErrorMessage of its own.
    """

    def __init__(self, code: str, message: str, *, kind: int | None = None, explanation: str | None = None) -> None:
        super().__init__(f"{code}: {message}" if code else message)
        self.code = code
        self.kind = kind
        self.explanation = explanation


class SyntaxRejection(StatementError):
    """A text that is no statement: Athena refuses it before it becomes a query execution."""

    def __init__(self, message: str) -> None:
        super().__init__("SYNTAX_ERROR", message)


class Unsupported(Exception):
    """A construct that Athena may know and that this engine does not translate."""

    def __init__(self, construct: str) -> None:
        super().__init__(f"{UNSUPPORTED}: {construct}")
        self.construct = construct


class ScanLimitExceeded(Exception):
    """A query that reads more than its workgroup's BytesScannedCutoffPerQuery: Athena cancels it."""

    def __init__(self) -> None:
        super().__init__("Bytes scanned limit was exceeded")


def hive_failure(message: str, kind: int | None = None) -> StatementError:
    """Return the failure of a statement that Athena gives to Hive, in Hive's form."""
    return StatementError(HIVE, message, kind=kind)


def ddl_task_failure(message: str, explanation: str | None = None) -> StatementError:
    """Return the failure of a task that Hive had begun, such as a table that exists already."""
    text = f"Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. {message}"
    return StatementError(HIVE, text, kind=1006, explanation=explanation)


def table_not_found(place: str) -> StatementError:
    """Return the failure of a statement of Hive about a table (database.name) that is not there."""
    return hive_failure(f"SemanticException [Error 10001]: Table not found {place}", 1301)


def iceberg_refusal() -> StatementError:
    """Return the failure of a statement that Athena has for tables of Hive alone."""
    return StatementError("", "Query type not supported by Athena Iceberg at this time", kind=_NOT_SUPPORTED)


def athena_error(problem: Exception) -> dict[str, Any]:
    """
    Return the AthenaError of a failed execution.

    Category 3 is what only this engine refuses.
    Source: Athena user guide, "Athena error catalog"; observed on the live service in September 2026:
    github.com/aoyagikouhei/athena-local, docs/dev/measurements/statements.md and result-files.md.
    """
    explanation = None
    if isinstance(problem, StatementError):
        category, kind = _USER, problem.kind or _ERROR_TYPES.get(problem.code, _USER_ERROR)
        explanation = problem.explanation
    elif isinstance(problem, Unsupported):
        category, kind = _OTHER, _NOT_SUPPORTED
    else:
        category, kind = _SYSTEM, _ENGINE_BROKE
    return {
        "ErrorCategory": category,
        "ErrorType": kind,
        "Retryable": category == _SYSTEM,
        "ErrorMessage": explanation or str(problem),
    }
