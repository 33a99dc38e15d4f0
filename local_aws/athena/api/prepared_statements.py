"""
Prepared statements as Athena keeps them, one list for each workgroup: what moto's lack, put into moto.

Written against moto 5.2.5, held by tests/sql/test_athena_workgroups.py. Source: the API model of Athena.
"""

from __future__ import annotations

import json
import re
import time

from moto.athena.models import PreparedStatement
from moto.athena.responses import AthenaResponse

from local_aws.athena.api.workgroups import group_of, paged, refused, request_of

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_@:]{1,256}")
_MOST_BYTES = 262_144


def _put(response: AthenaResponse, *, is_new: bool) -> str:
    group, request = group_of(response), request_of(response)
    name, text = request.get("StatementName") or "", request.get("QueryStatement") or ""
    if not _NAME.fullmatch(name):
        raise refused(f"StatementName must match {_NAME.pattern}, is {name[:260]!r}")
    if not 1 <= len(text.encode()) <= _MOST_BYTES:
        raise refused(f"QueryStatement must have 1 to {_MOST_BYTES} bytes, has {len(text.encode())}")
    statements = response.athena_backend.prepared_statements
    if is_new and (group.name, name) in statements:
        raise refused(f"PreparedStatement {name} already exists in workGroup {group.name}")
    if not is_new:
        _of(response)
    statement = PreparedStatement(name, group.name, text, request.get("Description"))
    statement.modified = time.time()
    statements[group.name, name] = statement
    return "{}"


def _of(response: AthenaResponse) -> PreparedStatement:
    group, name = group_of(response), request_of(response).get("StatementName")
    statement = response.athena_backend.prepared_statements.get((group.name, name))
    if statement is None:
        message = f"PreparedStatement {name} was not found in workGroup {group.name}"
        raise refused(message, "ResourceNotFoundException")
    return statement


def _get(response: AthenaResponse) -> str:
    statement = _of(response)
    described = {
        "StatementName": statement.statement_name,
        "QueryStatement": statement.query_statement,
        "WorkGroupName": statement.workgroup,
        "LastModifiedTime": statement.modified,
    }
    if statement.description:
        described["Description"] = statement.description
    return json.dumps({"PreparedStatement": described})


def _delete(response: AthenaResponse) -> str:
    statement = _of(response)
    del response.athena_backend.prepared_statements[statement.workgroup, statement.statement_name]
    return "{}"


def _list(response: AthenaResponse) -> str:
    group = group_of(response)
    found = [
        (name, {"StatementName": name, "LastModifiedTime": statement.modified})
        for (owner, name), statement in response.athena_backend.prepared_statements.items()
        if owner == group.name
    ]
    return paged(response, "PreparedStatements", found)


AthenaResponse.create_prepared_statement = lambda response: _put(response, is_new=True)
AthenaResponse.update_prepared_statement = lambda response: _put(response, is_new=False)
AthenaResponse.get_prepared_statement = _get
AthenaResponse.delete_prepared_statement = _delete
AthenaResponse.list_prepared_statements = _list
