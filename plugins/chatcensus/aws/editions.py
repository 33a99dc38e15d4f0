"""
Editions in the catalog: a partition for each, views that show one of them, and the one switch that says which.

    <table>_editions   one partition an edition; a partition is never moved once readers see its edition
    <table>            the view for readers: the edition that `published` names
    published          one row over one small object; one conditional update moves it, and with it every view
    current.json       the same for readers of files; put after the switch
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from chatcensus.aws.athena import Athena, sql_string
from chatcensus.aws.catalog import holds, parquet_table, upsert_partition, upsert_table
from chatcensus.edition import Edition
from chatcensus.errors import SetupError, SnapshotIncomplete
from chatcensus.summaries import Summary, Value

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client

AT_ONCE = 8  # statements and calls: Athena and Glue allow more
EDITION_KEY, PUBLISHED, CURRENT = "edition", "published", "current.json"
_STATEMENT = "chatcensus_statement"  # parameter of a view: the sha256 of the text it was made from
_TRIES = 20  # each loss means that another publisher has won, and there are never many
_LOST = {"ConcurrentModificationException", "PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"}
_KEPT = (
    "Name",
    "Description",
    "TableType",
    "Parameters",
    "PartitionKeys",
    "StorageDescriptor",
    "ViewOriginalText",
    "ViewExpandedText",
)


@dataclass(frozen=True)
class Published:
    """The edition that readers see: the row of the table `published`."""

    edition: str
    export_id: str
    export_time: str

    @property
    def time(self) -> datetime:
        """The moment that its snapshot describes."""
        return datetime.fromisoformat(self.export_time)


@dataclass(frozen=True)
class Editions:
    """The editions of one Glue database, whose files lie in *bucket*."""

    glue: "GlueClient"
    s3: "S3Client"
    database: str
    bucket: str

    def prepare(self, summaries: Sequence[Summary], athena: Athena) -> None:
        """
        Make the tables, the views and `published`, and repair them; before the first edition views show no row.

        What was dropped by hand comes back as `current.json` names it.
        Errors: SetupError when a column has changed its type, which earlier editions could no longer be read as.
        """
        current, _ = self._current()
        if self._find(PUBLISHED) is None:
            shown = Published(*(current[name] for name in _ROW)) if current else None
            self.glue.create_table(DatabaseName=self.database, TableInput=self._published_table(shown))  # type: ignore[arg-type]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda summary: self._prepare_table(summary, current), summaries))
            list(pool.map(lambda summary: self._prepare_view(summary, athena), summaries))

    def kept(self, summary: Summary, edition: str) -> str | None:
        """Return where *summary* of *edition* lies when readers see that edition, which never changes; else None."""
        shown = self.published()
        return self._location(summary, edition) if shown and shown.edition == edition else None

    def stage(self, summary: Summary, edition: str, prefix: str) -> None:
        """
        Make *prefix* the partition of *edition* in the table of *summary*; no view shows it yet.

        Errors: SetupError when readers see the edition already: it never changes.
        """
        shown = self.published()
        if shown and shown.edition == edition and self._location(summary, edition) != prefix:
            raise SetupError(
                f"edition {edition!r} is published and never changes: to make {summary.table!r} again, clear register "
                f"and all that follows"
            )
        table = self._editions_table(summary)
        self._get(table["Name"])
        upsert_partition(self.glue, self.database, table, (edition,), prefix)

    def rows(self, summary: Summary, edition: str, prefix: str, athena: Athena) -> list[Mapping[str, Value]]:
        """
        Return the rows of *summary* in *edition*, published or not.

        Errors: SnapshotIncomplete, naming the table, when its partition is not *prefix*, or a column has another type.
        """
        if (found := self._location(summary, edition)) != prefix:
            raise SnapshotIncomplete(
                f"{summary.table} of edition {edition!r} lies at {found}, its task has written {prefix}: "
                f"clear summarise.{summary.table}"
            )
        columns = ", ".join(column.name for column in summary.columns)
        types, rows = athena.result(
            f"select {columns} from {summary.table}_editions where {EDITION_KEY} = {sql_string(edition)}"  # noqa: S608 - names from our own file, and quoted
        )
        wanted = {column.name: column.athena_type for column in summary.columns}
        if types != wanted:
            differ = {name: types.get(name) for name in wanted if types.get(name) != wanted[name]}
            raise SnapshotIncomplete(
                f"{summary.table} has columns of other types than include/sql/summaries.yaml says: {differ}; "
                f"clear register and all that follows"
            )
        return summary.read(rows)

    def published(self) -> Published | None:
        """Return the edition that readers see; None before the first."""
        return _shown_by(self._get(PUBLISHED))

    def switch(self, edition: Edition, base: str | None) -> bool:
        """
        Show *edition* in every view at once; False, and nothing has changed, when readers see a newer export.

        Shape: *base* is the edition that readers saw when its statements ran, which told what is new against it. False
        too when they see another one by now: against that, groups that are told may be small.
        """
        row = Published(edition.id, edition.export_id, edition.export_time)
        for _ in range(_TRIES):
            table = self._get(PUBLISHED)
            shown = _shown_by(table)
            if shown == row:
                return True
            if shown and shown.time > row.time:
                return False
            if (shown and shown.edition) != base:
                return False
            self._put_row(row)
            update = {"TableInput": self._published_table(row), "VersionId": table["VersionId"], "SkipArchive": True}
            if _is_won(self.glue.update_table, DatabaseName=self.database, **update):
                return True
        raise SnapshotIncomplete(f"table {PUBLISHED!r} was changed {_TRIES} times meanwhile: clear publish")

    def put_current(self, current: Mapping[str, Any]) -> None:
        """
        Put `current.json`, unless readers see another edition than the one it describes.

        Its ETag is read before the edition is: whoever publishes in between puts another one, and this put fails.
        """
        body = json.dumps(current, indent=1).encode()
        for _ in range(_TRIES):
            _, etag = self._current()
            shown = self.published()
            if shown is None or shown.edition != current[EDITION_KEY]:
                return
            condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
            put = {"Key": CURRENT, "Body": body, "ContentType": "application/json"}
            if _is_won(self.s3.put_object, Bucket=self.bucket, **put, **condition):
                return
        raise SnapshotIncomplete(f"{CURRENT} was replaced {_TRIES} times meanwhile: clear publish")

    def _prepare_table(self, summary: Summary, current: Mapping[str, Any]) -> None:
        table = self._editions_table(summary)
        found = self._find(table["Name"])
        before = {c["Name"]: c["Type"] for c in found["StorageDescriptor"]["Columns"]} if found else {}
        for column in summary.columns:
            if (was := before.get(column.name, column.type)) != column.type:
                raise SetupError(
                    f"column {column.name!r} of {summary.table} is {column.type} in include/sql/summaries.yaml, and "
                    f"{was} in earlier editions, which could not be read any more: give it another name"
                )
        upsert_table(self.glue, self.database, table)
        if found is None and summary.table in current.get("tables", {}):
            upsert_partition(self.glue, self.database, table, (current[EDITION_KEY],), current["tables"][summary.table])

    def _prepare_view(self, summary: Summary, athena: Athena) -> None:
        """Write the view where it is missing or another; Athena knows no comments of a view's columns, Glue does."""
        names = [column.name for column in summary.columns] + [EDITION_KEY]
        select = (
            f"select {', '.join(names)}\nfrom {summary.table}_editions\n"  # noqa: S608 - names from our own file
            f"where {EDITION_KEY} = (select {EDITION_KEY} from {PUBLISHED})"
        )
        columns = [{"Name": c.name, "Type": c.type, "Comment": c.description} for c in summary.columns]
        columns.append({"Name": EDITION_KEY, "Type": "string", "Comment": "The edition that is published"})
        wanted = {
            "Description": summary.description,
            "Parameters": {_STATEMENT: hashlib.sha256(select.encode()).hexdigest()},
            "StorageDescriptor": {"Columns": columns},
        }
        if holds(self._find(summary.table), wanted):
            return
        athena.rows(f"create or replace view {summary.table} as\n{select}")
        made = self._get(summary.table)
        table = {name: made[name] for name in _KEPT if name in made} | {"Description": summary.description}
        for name in ("Parameters", "StorageDescriptor"):
            table[name] = made[name] | wanted[name]
        self.glue.update_table(DatabaseName=self.database, TableInput=table, VersionId=made["VersionId"])  # type: ignore[arg-type]

    def _editions_table(self, summary: Summary) -> dict[str, Any]:
        columns = [column.model_dump() for column in summary.columns]
        location = f"s3://{self.bucket}/{summary.folder}"
        return parquet_table(f"{summary.table}_editions", summary.description, columns, location, (EDITION_KEY,))

    def _published_table(self, row: Published | None) -> dict[str, Any]:
        """Return the TableInput of `published`; its parameters say what its row says, to be read with its version."""
        folder = _row_folder(row.edition) if row else f"{PUBLISHED}/none/"
        return {
            "Name": PUBLISHED,
            "Description": "The edition that readers see: one row, which one update switches for all views",
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"EXTERNAL": "TRUE", "classification": "csv"} | (asdict(row) if row else {}),
            "PartitionKeys": [],
            "StorageDescriptor": {
                "Columns": [{"Name": name, "Type": "string", "Comment": comment} for name, comment in _ROW.items()],
                "Location": f"s3://{self.bucket}/{folder}",
                "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
                "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
                "SerdeInfo": {
                    "SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
                    "Parameters": {"field.delim": ",", "serialization.format": ","},
                },
            },
        }

    def _put_row(self, row: Published) -> None:
        """Put the row's object, which is never replaced; a second object would be a second row to every reader."""
        folder = _row_folder(row.edition)
        line = ",".join(asdict(row).values()) + "\n"
        _is_won(self.s3.put_object, Bucket=self.bucket, Key=f"{folder}row.csv", Body=line.encode(), IfNoneMatch="*")
        keys = [
            entry["Key"] for entry in self.s3.list_objects_v2(Bucket=self.bucket, Prefix=folder).get("Contents", [])
        ]
        if keys != [f"{folder}row.csv"]:
            raise SetupError(
                f"s3://{self.bucket}/{folder} is to hold row.csv alone and holds {len(keys)} objects: delete the others"
            )

    def _current(self) -> tuple[dict[str, Any], str | None]:
        """Return what `current.json` says of an edition, and its ETag; nothing and None where there is none."""
        try:
            answer = self.s3.get_object(Bucket=self.bucket, Key=CURRENT)
        except self.s3.exceptions.NoSuchKey:
            return {}, None
        content = json.loads(answer["Body"].read())
        return (content if EDITION_KEY in content else {}), answer["ETag"]

    def _location(self, summary: Summary, edition: str) -> str | None:
        try:
            found = self.glue.get_partition(
                DatabaseName=self.database, TableName=f"{summary.table}_editions", PartitionValues=[edition]
            )
        except self.glue.exceptions.EntityNotFoundException:
            return None
        return found["Partition"]["StorageDescriptor"]["Location"]

    def _find(self, name: str) -> dict[str, Any] | None:
        try:
            return dict(self.glue.get_table(DatabaseName=self.database, Name=name)["Table"])
        except self.glue.exceptions.EntityNotFoundException:
            return None

    def _get(self, name: str) -> dict[str, Any]:
        found = self._find(name)
        if found is None:
            raise SetupError(f"{name!r} is not in the Glue database {self.database!r}: clear register, which makes it")
        return found


_ROW = {
    "edition": "The edition that every view shows",
    "export_id": "The export it was made of",
    "export_time": "The moment that it describes, ISO 8601 in UTC",
}


def _row_folder(edition: str) -> str:
    return f"{PUBLISHED}/{EDITION_KEY}={edition}/"


def _shown_by(table: Mapping[str, Any]) -> Published | None:
    parameters = table.get("Parameters", {})
    return Published(*(parameters[name] for name in _ROW)) if EDITION_KEY in parameters else None


def _is_won(call: Any, **request: Any) -> bool:
    """Make a conditional call; False when its condition does not hold any more."""
    try:
        call(**request)
    except ClientError as error:
        if error.response["Error"]["Code"] in _LOST:
            return False
        raise
    return True
