"""Ways in which a statement can fail: what Athena refuses too, and what only this engine refuses."""

UNSUPPORTED = "LOCAL_AWS_UNSUPPORTED"


class StatementError(Exception):
    """A statement that real Athena rejects or fails as well; *code* is Trino's error name."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class SyntaxRejection(StatementError):
    """A text that is no statement: Athena refuses it before it becomes a query execution."""

    def __init__(self, message: str) -> None:
        super().__init__("SYNTAX_ERROR", message)


class Unsupported(Exception):
    """A construct that Athena may know and that this engine does not translate."""

    def __init__(self, construct: str) -> None:
        super().__init__(f"{UNSUPPORTED}: {construct}")
        self.construct = construct
