"""`table check`: read some items, and show what the mapping understands of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chatcensus.commands import options
from chatcensus.commands.terminal import say, say_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TableDescriptionTypeDef
    from mypy_boto3_s3 import S3Client

    from chatcensus.mapping import Item, TableMapping
    from chatcensus.table_check import TableCheck

EXAMPLES = """
[bold]Examples[/bold]

  chatcensus table check --table chat-conversations

  chatcensus table check --mapping include/presets/simple.yaml --items 1000 --json
"""

app = typer.Typer(help="Look at the conversation table through the mapping.", no_args_is_help=True)


@app.callback()
def _of_table() -> None:
    """Keep `check` a word of its own: typer folds the only command of a group into the group."""


@app.command(epilog=EXAMPLES)
def check(
    table: options.Table,
    mapping: Annotated[Path, typer.Option(help="Yours, or one of include/presets/*.yaml.")] = Path(
        "include/table.yaml"
    ),
    items: Annotated[int, typer.Option(min=1, max=10_000, help="How many items to read.")] = 100,
    as_json: options.AsJson = False,
) -> None:
    """Show, without any text, what the mapping understands of a table's items; exit code 1 when it needs a change."""
    from chatcensus.include import read_yaml
    from chatcensus.mapping import TableMapping

    mapped = read_yaml(mapping, TableMapping)
    found = _look(options.client("dynamodb"), options.client("s3"), table, mapped, items)
    if as_json:
        say_json({"table": table, "is_ok": not found.changes, "lines": found.lines, "changes": found.changes})
    else:
        changes = ["To change:", *(f"  {change}" for change in found.changes)] if found.changes else ["OK"]
        say([f"Table {table} through {mapping}", *found.lines, *changes])
    raise typer.Exit(1 if found.changes else 0)


def _look(dynamodb: "DynamoDBClient", s3: "S3Client", table: str, mapping: "TableMapping", limit: int) -> "TableCheck":
    from datetime import UTC, datetime
    from functools import partial

    from chatcensus.aws.bodies import body_text
    from chatcensus.table_check import TableCheck, check_items

    found = TableCheck()
    description = dynamodb.describe_table(TableName=table)["Table"]
    keys = [key["AttributeName"] for key in description["KeySchema"]]
    mapped = mapping.key_names
    found.say("key", f"{', '.join(keys)}; the mapping says {', '.join(mapped)}")
    _check_index(found, table, description, mapping)
    if keys != mapped:
        found.changes.append(f"partition_key, sort_key: the table has {', '.join(keys)}")
        return found
    if mapping.body and mapping.body.bucket:
        s3.head_bucket(Bucket=mapping.body.bucket)  # whether or not one of these items is a large one
    items = list(_items(dynamodb, table, limit))
    check_items(found, mapping, items, partial(body_text, s3, mapping), datetime.now(UTC))
    return found


def _check_index(
    found: "TableCheck", table: str, description: "TableDescriptionTypeDef", mapping: "TableMapping"
) -> None:
    from chatcensus.aws.index import checked_index
    from chatcensus.errors import SetupError

    if mapping.partition.strategy == "scan":
        found.say("partition", "scan: every run reads the whole table")
        return
    found.say("partition", f"{mapping.partition.strategy}: index {mapping.partition.index}")
    try:
        checked_index(table, description, mapping.partition)
    except SetupError as error:
        found.changes.append(f"partition: {error}")


def _items(dynamodb: "DynamoDBClient", table: str, limit: int) -> "Iterator[Item]":
    from boto3.dynamodb.types import TypeDeserializer

    deserialize = TypeDeserializer().deserialize
    some = {"MaxItems": limit, "PageSize": limit}
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, PaginationConfig=some)  # type: ignore[arg-type]
    for page in pages:
        for item in page["Items"]:
            yield {name: deserialize(value) for name, value in item.items()}
