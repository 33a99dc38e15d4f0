"""
What a request for an export may ask, and what it asks when it does not say.

Sources: API reference of ExportTableToPointInTime and IncrementalExportSpecification; Amazon DynamoDB developer guide,
"Requesting a table export" and "Quotas: table export to Amazon S3". Where these only say that a request is refused,
the words are those which the service was seen to answer.
"""

from typing import Any

from local_aws.aws_error import AwsError
from local_aws.dynamodb.projections import Tree, parse_projection
from local_aws.dynamodb.read_request import check_parameters
from local_aws.request_model import check_request

# What of a request makes it the same request; the token itself is not part of it.
PARAMETERS = (
    "TableArn", "S3Bucket", "S3Prefix", "S3BucketOwner", "S3SseAlgorithm", "S3SseKmsKeyId", "ExportFormat",
    "ExportType", "ExportTime", "IncrementalExportSpecification", "FilterSpecification",
)  # fmt: skip
_FILTER_PARTS = ("ProjectionExpression", "ExpressionAttributeNames")
_LONGEST_EXPRESSION = 4096  # bytes; developer guide, "Filtering a table export"
_SHORTEST_S, _LONGEST_S = 15 * 60, 24 * 60 * 60


def checked(body: dict[str, Any]) -> dict[str, Any]:
    """
    Return the request with the defaults that do not depend on the time.

    Raises: AwsError (ValidationException), for what AWS refuses and for what the local AWS does not do.
    """
    check_request("dynamodb", "ExportTableToPointInTime", body)
    _refuse_what_is_not_done(body)
    wanted_of(body)
    arn = body["TableArn"].split(":", 5)
    if len(arn) != 6 or not arn[5].startswith("table/") or arn[5].count("/") != 1:
        raise AwsError("ValidationException", "One or more parameter values were invalid: tableArn is not a valid ARN")
    if body.get("S3SseKmsKeyId") and body.get("S3SseAlgorithm") != "KMS":
        raise AwsError("ValidationException", "Invalid Request: KMS Key Id is not supported for this encryption type")
    _check_kind(body)
    return {"ExportFormat": "DYNAMODB_JSON", "S3SseAlgorithm": "AES256", "ExportType": "FULL_EXPORT", **body}


def _refuse_what_is_not_done(body: dict[str, Any]) -> None:
    unknown = sorted(name for name in body if name not in {*PARAMETERS, "ClientToken"})
    if unknown:
        raise AwsError("ValidationException", f"The local AWS exports without {', '.join(unknown)}: leave it out")
    if body.get("ExportType") == "INCREMENTAL_EXPORT" and body.get("ExportFormat") == "ION":
        raise AwsError(
            "ValidationException",
            "The local AWS exports increments as DYNAMODB_JSON only: AWS documents no sample of their Ion form",
        )


def wanted_of(request: dict[str, Any]) -> Tree:
    """
    Return what of each item is asked for, as `projected` takes it; empty where items are wanted whole.

    Errors: AwsError (SerializationException, ValidationException). The pinned model knows no FilterSpecification.
    Source: Amazon DynamoDB developer guide, "Filtering a table export"; API reference of FilterSpecification.
    """
    asked = request.get("FilterSpecification")
    if asked is None:
        return {}
    if not isinstance(asked, dict):
        raise AwsError("SerializationException", "The FilterSpecification must be a structure")
    if others := sorted(name for name in asked if name not in _FILTER_PARTS):
        raise AwsError(
            "ValidationException",
            f"The local AWS filters an export by ProjectionExpression only: leave out {', '.join(others)}",
        )
    expression, names = asked.get("ProjectionExpression"), asked.get("ExpressionAttributeNames", {})
    is_map = isinstance(names, dict) and all(isinstance(name, str) for name in names.values())
    if not isinstance(expression, str) or not is_map:
        raise AwsError(
            "SerializationException", "The ProjectionExpression must be a text, ExpressionAttributeNames a map of texts"
        )
    if len(expression.encode()) > _LONGEST_EXPRESSION:
        raise AwsError(
            "ValidationException",
            f"Invalid ProjectionExpression: Expression size has exceeded the maximum allowed size; expression size: "
            f"{len(expression.encode())}",
        )
    check_parameters("Scan", asked)
    return parse_projection(expression, names)


def _check_kind(body: dict[str, Any]) -> None:
    window = body.get("IncrementalExportSpecification")
    if body.get("ExportType") != "INCREMENTAL_EXPORT":
        if window is not None:
            raise AwsError(
                "ValidationException",
                "Invalid Request: Export Type expected to be Incremental Export when incremental export specification "
                "is provided",
            )
        return
    if window is None:
        raise AwsError(
            "ValidationException",
            "Invalid Request: Incremental Export Specification expected when export type is set as Incremental Export",
        )
    if window.get("ExportFromTime") is None:
        raise AwsError(
            "ValidationException",
            "Invalid Request: ExportFromTime must be provided in IncrementalExportSpecification",
        )
    if body.get("ExportTime") is not None:
        raise AwsError("ValidationException", "The local AWS exports increments without ExportTime: leave it out")


def resolved(request: dict[str, Any], start: float) -> dict[str, Any]:
    """Return what makes this request, with the times it means when it is made at *start* (seconds since 1970)."""
    wanted = {name: request[name] for name in PARAMETERS if request.get(name) not in (None, "")}
    if request["ExportType"] == "FULL_EXPORT":
        return {"ExportTime": start, **wanted}
    defaults = {"ExportToTime": int(start), "ExportViewType": "NEW_AND_OLD_IMAGES"}
    given = {name: value for name, value in request["IncrementalExportSpecification"].items() if value is not None}
    return {**wanted, "IncrementalExportSpecification": {**defaults, **given}}


def check_times(request: dict[str, Any], recovery: dict[str, Any], now: float) -> None:
    """
    Refuse times outside of what can be recovered, and increments that are too short or too long.

    Shape: *request* as checked, before its times are resolved; *recovery* is a PointInTimeRecoveryDescription.
    Raises: AwsError (InvalidExportTimeException).
    """
    earliest, latest = recovery["EarliestRestorableDateTime"], recovery["LatestRestorableDateTime"]
    moment = request.get("ExportTime")
    if moment is not None and not earliest <= moment <= now:
        raise _invalid(f"Export Time is invalid: {moment} is not from {earliest} to {now}")
    if moment is not None and moment > latest:
        raise _invalid(
            f"Point in Time Recovery is not available for specified export time: {moment} is after the latest "
            f"restorable time, {latest}"
        )
    if request["ExportType"] == "INCREMENTAL_EXPORT":
        window = resolved(request, now)["IncrementalExportSpecification"]
        _check_window(window["ExportFromTime"], window["ExportToTime"], earliest, now)


def _check_window(start: float, end: float, earliest: float, now: float) -> None:
    if start < earliest:
        raise _invalid(
            "Incremental export period from time cannot be less than the earliest restorable time: "
            f"{start} < {earliest}"
        )
    if end > now:
        raise _invalid(f"Incremental export period to time cannot be greater than the current time: {end} > {now}")
    if start >= end:
        raise _invalid(
            "Incremental export period from time should not be greater or equal to incremental export period to time: "
            f"{start} >= {end}"
        )
    between = "Difference between export period from time and export period to time is"
    if end - start < _SHORTEST_S:
        raise _invalid(f"{between} less than 15 minutes: {end - start} s")
    if end - start > _LONGEST_S:
        raise _invalid(f"{between} more than 24 hours: {end - start} s")


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidExportTimeException", message)
