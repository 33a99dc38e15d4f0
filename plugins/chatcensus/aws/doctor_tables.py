"""The conversation table and the control table: there, with the right keys, backed up, and how large."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from chatcensus.aws.index import checked_index
from chatcensus.aws.probing import Probe
from chatcensus.doctor import Finding, Names, fail, ok
from chatcensus.errors import SetupError
from chatcensus.mapping import TableMapping

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_DESCRIBE = "dynamodb:DescribeTable"
_CONTROL_KEYS = ["pk", "sk"]


def table_probes(names: Names, mapping: TableMapping | None) -> Iterator[Probe]:
    """Yield the looks at both tables, if they have names."""
    if table := names.table:
        backups = "dynamodb:DescribeContinuousBackups"
        yield Probe("table", "dynamodb", _DESCRIBE, lambda client: _conversation_table(client, table, mapping))
        yield Probe("table-backups", "dynamodb", backups, lambda client: _backups(client, table))
    if control := names.control_table:
        yield Probe("control-table", "dynamodb", _DESCRIBE, lambda client: [_control_table(client, control)])


def _description(client: "DynamoDBClient", table: str) -> Any:
    """Return what DescribeTable says; None where there is no such table."""
    try:
        return client.describe_table(TableName=table)["Table"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise


def _absent(check: str, table: str, region: str, variable: str, remedy: str) -> Finding:
    return fail(check, f"there is no table {table} in {region}", f"correct {variable} or the Region{remedy}")


def _conversation_table(client: "DynamoDBClient", table: str, mapping: TableMapping | None) -> Iterator[Finding]:
    description = _description(client, table)
    if description is None:
        yield _absent("table", table, client.meta.region_name, "chatcensus_table", "")
        return
    if description["TableStatus"] not in ("ACTIVE", "UPDATING"):
        found = f"{table} is {description['TableStatus']}"
        yield fail("table", found, f"wait: aws dynamodb wait table-exists --table-name {table}")
        return
    items, size = description["ItemCount"], description["TableSizeBytes"]
    yield ok("table", f"{table}: {items:,} items, {size:,} bytes, as DynamoDB counts them every six hours")
    yield _encryption(table, description.get("SSEDescription"))
    if mapping:
        yield _keys(table, description, mapping)
        yield _index(table, description, mapping)


def _encryption(table: str, described: Any) -> Finding:
    if not described:
        return ok("table-encryption", "at rest, with a key that AWS owns")
    if described.get("InaccessibleEncryptionDateTime"):
        found = f"DynamoDB cannot reach the KMS key of {table}, and archives the table after seven days"
        return fail(
            "table-encryption", found, "enable the key, and let its policy name DynamoDB and this account again"
        )
    return ok("table-encryption", f"at rest, with {described.get('KMSMasterKeyArn', 'a KMS key')}")


def _keys(table: str, description: Any, mapping: TableMapping) -> Finding:
    keys = [key["AttributeName"] for key in description["KeySchema"]]
    if keys != mapping.key_names:
        found = f"{table} has the key {', '.join(keys)}; include/table.yaml says {', '.join(mapping.key_names)}"
        sort_key = keys[1] if len(keys) > 1 else "null"
        return fail("table-keys", found, f"in include/table.yaml: partition_key: {keys[0]}, sort_key: {sort_key}")
    types = {part["AttributeName"]: part["AttributeType"] for part in description["AttributeDefinitions"]}
    if binary := [key for key in keys if types[key] == "B"]:
        found = f"{', '.join(binary)} is binary, and a conversation is named by text or a number"
        return fail("table-keys", found, "a table with such a key cannot be judged")
    return ok("table-keys", f"{', '.join(keys)}, as the mapping says")


def _index(table: str, description: Any, mapping: TableMapping) -> Finding:
    strategy = mapping.partition
    if strategy.strategy == "scan":
        return ok("table-index", "none is used: every run scans the table")
    try:
        checked_index(table, description, strategy)
    except SetupError as error:
        return fail("table-index", str(error), "see docs/scale.md; `partition: {strategy: scan}` needs no index")
    return ok("table-index", f"{strategy.index}, for {strategy.strategy}")


def _backups(client: "DynamoDBClient", table: str) -> Iterator[Finding]:
    try:
        described = client.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    except ClientError as error:
        if error.response["Error"]["Code"] in ("TableNotFoundException", "ResourceNotFoundException"):
            return  # `table` says so
        raise
    recovery = described.get("PointInTimeRecoveryDescription", {})
    if recovery.get("PointInTimeRecoveryStatus") == "ENABLED":
        yield ok("table-backups", "point-in-time recovery is on")
        return
    remedy = (
        f"aws dynamodb update-continuous-backups --table-name {table} "
        "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true"
    )
    yield fail("table-backups", "point-in-time recovery is off, and exports need it", remedy)


def _control_table(client: "DynamoDBClient", table: str) -> Finding:
    description = _description(client, table)
    if description is None:
        deploy = ", or deploy deploy/chatcensus.yaml"
        return _absent("control-table", table, client.meta.region_name, "chatcensus_control_table", deploy)
    keys = [key["AttributeName"] for key in description["KeySchema"]]
    if keys != _CONTROL_KEYS:
        found = f"{table} has the key {', '.join(keys)}; the ledger needs {', '.join(_CONTROL_KEYS)}"
        return fail("control-table", found, "set chatcensus_control_table to the output ControlTableName of the stack")
    if description["TableStatus"] not in ("ACTIVE", "UPDATING"):
        found = f"{table} is {description['TableStatus']}"
        return fail("control-table", found, f"wait: aws dynamodb wait table-exists --table-name {table}")
    return ok("control-table", table)
