"""The one error our own handlers raise: it becomes the error reply that botocore expects."""

from collections.abc import Mapping


class AwsError(Exception):
    """
    Say no the way AWS does.

    Shape: *code* as in the service's API model (`ValidationException`), *status* an HTTP status, *members* what the
    model's error carries besides its message.
    """

    def __init__(self, code: str, message: str, status: int = 400, *, members: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.members = dict(members or {})
