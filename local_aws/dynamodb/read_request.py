"""What a Scan or a Query asks for, and what of it DynamoDB refuses."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.dynamodb.models import Table
from moto.dynamodb.responses import validate_select

from local_aws.aws_error import AwsError
from local_aws.dynamodb.conditions import named_in
from local_aws.dynamodb.indexes import Index
from local_aws.dynamodb.key_conditions import range_of
from local_aws.dynamodb.key_order import TOP, Entry, segment_bounds
from local_aws.dynamodb.projections import Tree

_OLD_PARAMETERS = ("ScanFilter", "QueryFilter", "KeyConditions", "ConditionalOperator", "AttributesToGet")
_EXPRESSIONS = ("KeyConditionExpression", "FilterExpression", "ProjectionExpression")
_PLACEHOLDER = re.compile(r"[#:]\w+")

Body = Mapping[str, Any]


def entries_of(index: Index, action: str, body: Body) -> Iterator[Entry]:
    """Return what is asked for, from the starting key on."""
    low, high = range_of(index, body) if action == "Query" else _segment(body)
    is_forward = body.get("ScanIndexForward", True)
    start = body.get("ExclusiveStartKey")
    if start is not None:
        entry = index.entry_of(start)
        if entry is None or len(start) != len(index.names):
            raise AwsError("ValidationException", "The provided starting key is invalid: it is no key of the table")
        if not low <= entry < high:
            raise AwsError(
                "ValidationException",
                "The provided starting key is outside query boundaries based on provided conditions"
                if action == "Query"
                else "The provided Exclusive start key does not map to the provided Segment and TotalSegments values.",
            )
        low, high = ((*entry, TOP), high) if is_forward else (low, entry)
    return index.keys.between(low, high, is_forward=is_forward)


def _segment(body: Body) -> tuple[Entry, Entry]:
    segment, segments = body.get("Segment"), body.get("TotalSegments")
    if segment is None and segments is None:
        return (), (TOP,)
    if segment is None or segments is None:
        there, missing = ("TotalSegments", "Segment") if segment is None else ("Segment", "TotalSegments")
        raise AwsError(
            "ValidationException",
            f"The {missing} parameter is required but was not present in the request when {there} parameter is present",
        )
    if segment >= segments:
        raise AwsError(
            "ValidationException",
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
            f"Segment: {segment} is not less than TotalSegments: {segments}",
        )
    return segment_bounds(segment, segments)


def check_parameters(action: str, body: Body) -> None:
    """Refuse what is asked for in the old way, and placeholders that are not defined or not used."""
    for name in _OLD_PARAMETERS:
        if name in body:
            raise AwsError("ValidationException", f"The local AWS does not answer {name}: use an expression")
    if action == "Query" and "KeyConditionExpression" not in body:
        raise AwsError(
            "ValidationException",
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
        )
    used = {name: {*_PLACEHOLDER.findall(body.get(name, ""))} for name in _EXPRESSIONS}
    for sign, kind, member in (("#", "name", "Names"), (":", "value", "Values")):
        given = body.get(f"ExpressionAttribute{member}", {}).keys()
        for expression, placeholders in used.items():
            for one in sorted(placeholders - given):
                if one.startswith(sign):
                    raise AwsError(
                        "ValidationException",
                        f"Invalid {expression}: An expression attribute {kind} used in the document path is not "
                        f"defined; attribute {kind}: {one}",
                    )
        unused = sorted(given - set().union(*used.values()))
        if unused:
            raise AwsError(
                "ValidationException",
                f"Value provided in ExpressionAttribute{member} unused in expressions: keys: {{{', '.join(unused)}}}",
            )


def check_selection(table: Table, index: Index, action: str, body: Body, tree: Tree, condition: Any) -> bool:
    """Refuse what the index cannot answer; say whether the items themselves have to be fetched (local indexes)."""
    try:
        validate_select(
            operation=action,
            select=body.get("Select"),
            projection_expression=body.get("ProjectionExpression"),
            attributes_to_get=None,
            table=table,
            index_name=body.get("IndexName"),
        )
    except JsonRESTError as error:
        raise AwsError("ValidationException", error.message) from None
    filtered = {*named_in(condition)}
    keys = {one["AttributeName"] for one in index.schema}
    if action == "Query" and filtered & keys:
        raise AwsError(
            "ValidationException",
            "Filter Expression can only contain non-primary key attributes: Primary key attribute: "
            f"{min(filtered & keys)}",
        )
    if index.projected is None:
        return False
    beyond = {str(name) for name in tree} - index.projected
    if index.is_global and beyond:
        raise AwsError(
            "ValidationException",
            "One or more parameter values were invalid: Global secondary index "
            f"{body['IndexName']} does not project [{', '.join(sorted(beyond))}]",
        )
    return not index.is_global and (bool(beyond) or body.get("Select") == "ALL_ATTRIBUTES")
