"""
What is in an export, line by line: the table as it is, as it was, or what changed in a window.

Sources: Amazon DynamoDB developer guide, "DynamoDB table export output format": full and incremental export output;
"Filtering a table export".
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from local_aws.dynamodb.export_request import wanted_of
from local_aws.dynamodb.ion import ion_line
from local_aws.dynamodb.item_image import Image
from local_aws.dynamodb.projections import Tree, projected
from local_aws.dynamodb.table_history import Change

# Source: Amazon DynamoDB pricing: an incremental export is billed for 10 MB at least.
_LEAST_BILLED_BYTES = 10_000_000
_MICROS = 1_000_000


class Items(Protocol):
    """What an export reads. Times in microseconds since 1970."""

    def images(self, region: str, table: str, before: int | None = None) -> list[Image]: ...

    def changes(self, region: str, table: str, start: int, end: int) -> list[Change]: ...

    def key_names(self, region: str, table: str) -> list[str]: ...


@dataclass(frozen=True)
class Contents:
    """
    Hold what an export has of a table: *rows*, each written as one line of bytes, without the line end, by *line*.

    Units: *billed_bytes* as DescribeExport tells it.
    """

    rows: Sequence[Any]
    line: Callable[[Any], bytes]
    billed_bytes: int


def contents_of(items: Items, description: dict[str, Any]) -> Contents:
    """Return what the export with this description has to hold; under the lock, so nothing here is copied."""
    region, table = description["TableArn"].split(":")[3], description["TableArn"].rpartition("/")[2]
    window, wanted = description.get("IncrementalExportSpecification"), wanted_of(description)
    if window:
        start, end = (int(window[name] * _MICROS) for name in ("ExportFromTime", "ExportToTime"))
        changes = items.changes(region, table, start, end)
        billed = sum(max(image.size_bytes for image in (change.old, change.new) if image) for change in changes)
        line = _record_line(items.key_names(region, table), window["ExportViewType"], wanted)
        return Contents(changes, line, max(_LEAST_BILLED_BYTES, billed))
    # A request without a time means what is there now, writes of this very moment included.
    is_present = description["ExportTime"] == description["StartTime"]
    images = items.images(region, table, None if is_present else int(description["ExportTime"] * _MICROS))
    line = _ion_line(wanted) if description["ExportFormat"] == "ION" else _json_line(wanted)
    return Contents(images, line, sum(image.size_bytes for image in images))


def _ion_line(wanted: Tree) -> Callable[[Image], bytes]:
    if wanted:
        return lambda image: ion_line(projected(image.attributes(), wanted)).encode()
    return lambda image: ion_line(image.attributes()).encode()


def _json_line(wanted: Tree) -> Callable[[Image], bytes]:
    return lambda image: b'{"Item":%b}' % _text(image, wanted)


def _text(image: Image, wanted: Tree) -> bytes:
    return _json(projected(image.attributes(), wanted)) if wanted else image.text


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _record_line(key_names: list[str], view: str, wanted: Tree) -> Callable[[Change], bytes]:
    """
    Return what writes the final state of one item in the window of an incremental export.

    An insert has keys and new image, an update the old image too, a delete keys and old image; with new images only,
    no record has an old one. The images have what is *wanted* of them; that the keys stay beside them is assumed.
    """

    def line(change: Change) -> bytes:
        attributes = (change.new or change.old).attributes()  # type: ignore[union-attr]  # one of them is there
        keys = _json({name: attributes[name] for name in key_names})
        text = b'{"Metadata":{"WriteTimestampMicros":{"N":"%d"}},"Keys":%b' % (change.at, keys)
        if change.old and view == "NEW_AND_OLD_IMAGES":
            text += b',"OldImage":%b' % _text(change.old, wanted)
        if change.new:
            text += b',"NewImage":%b' % _text(change.new, wanted)
        return text + b"}"

    return line
