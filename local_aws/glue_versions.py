"""Glue's optimistic lock, which moto lacks: a table is not updated from a stale version."""

from collections.abc import Callable
from typing import Any

from local_aws.aws_error import AwsError


def refuse_stale_version(body: dict[str, Any], get_table: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """
    Check the VersionId of an UpdateTable request against the table's present version.

    Raises: AwsError ConcurrentModificationException when it is another one.
    """
    wanted = body.get("VersionId")
    if wanted is None or "TableInput" not in body:
        return
    name = body["TableInput"]["Name"]
    table = get_table({"DatabaseName": body["DatabaseName"], "Name": name})["Table"]
    if str(table["VersionId"]) != str(wanted):
        raise AwsError(
            "ConcurrentModificationException",
            f"Update table failed due to concurrent modifications: {name!r} is at version {table['VersionId']}",
        )
