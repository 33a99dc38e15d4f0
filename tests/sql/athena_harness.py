"""An AthenaService over plain moto in this process, and short ways to fill it and ask it."""

import base64
import gzip
import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import uuid4

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
from botocore import xform_name
from botocore.exceptions import ClientError
from moto import mock_aws

from local_aws.athena.api.service import AthenaService
from local_aws.athena.language.trino_types import Type, from_hive
from local_aws.athena.tables.arrow_types import arrow_type
from local_aws.aws_error import AwsError

BUCKET = "warehouse"
REGION = "ap-northeast-1"
OUTPUT = f"s3://{BUCKET}/results/"


@cache
def client(service: str) -> Any:
    """Return a client of moto; making one takes longer than most tests."""
    return boto3.client(service, REGION)


@dataclass(frozen=True)
class Answer:
    """How a statement ended: `ok`, `user` (Athena refuses it too), `unsupported` (only we do) or `system`."""

    kind: str
    message: str = ""
    columns: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    rows: tuple[tuple[str | None, ...], ...] = ()
    location: str = ""


class OverHttp:
    """The actions of a service that is asked as its users ask it: through boto3."""

    def __init__(self, athena: Any) -> None:
        self._athena = athena

    def handle(self, action: str, body: dict[str, Any]) -> dict[str, Any]:
        """Ask one action. Raises: AwsError, as the service itself."""
        try:
            return dict(getattr(self._athena, xform_name(action))(**body))
        except ClientError as problem:
            raise AwsError(problem.response["Error"]["Code"], problem.response["Error"]["Message"]) from problem


class Athena:
    """One service, one bucket, one database `d`; in this process, unless *over_http* says where."""

    def __init__(self, make: Callable[[str], Any] = client, *, over_http: bool = False) -> None:
        self.s3, self.glue = make("s3"), make("glue")
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.glue.create_database(DatabaseInput={"Name": "d"})
        self.service: Any = OverHttp(make("athena")) if over_http else AthenaService(make)

    def start(self, sql: str, **more: Any) -> str:
        """Start a statement and return its id."""
        request = {
            "QueryString": sql,
            "QueryExecutionContext": {"Database": "d"},
            "ResultConfiguration": {"OutputLocation": OUTPUT},
            "ClientRequestToken": str(uuid4()),
        }
        return self.service.handle("StartQueryExecution", {**request, **more})["QueryExecutionId"]

    def wait(self, execution_id: str) -> dict[str, Any]:
        """Return the execution once it has ended."""
        while True:
            execution = self.service.handle("GetQueryExecution", {"QueryExecutionId": execution_id})["QueryExecution"]
            if execution["Status"]["State"] in ("SUCCEEDED", "FAILED", "CANCELLED"):
                return execution
            time.sleep(0.002)

    def ask(self, sql: str) -> Answer:
        """Run a statement to its end."""
        try:
            execution_id = self.start(sql)
        except AwsError as problem:
            return Answer("unsupported" if "LOCAL_AWS_UNSUPPORTED" in problem.message else "user", problem.message)
        execution = self.wait(execution_id)
        status = execution["Status"]
        if status["State"] != "SUCCEEDED":
            error = status["AthenaError"]
            kind = {1: "system", 2: "user", 3: "unsupported"}[error["ErrorCategory"]]
            return Answer(kind, error["ErrorMessage"])
        result = self.service.handle("GetQueryResults", {"QueryExecutionId": execution_id})["ResultSet"]
        info = result["ResultSetMetadata"]["ColumnInfo"]
        rows = [tuple(cell.get("VarCharValue") for cell in row["Data"]) for row in result["Rows"][1:]]
        location = execution["ResultConfiguration"]["OutputLocation"]
        return Answer("ok", "", tuple(c["Name"] for c in info), tuple(c["Type"] for c in info), tuple(rows), location)

    def rows(self, sql: str) -> list[tuple[str | None, ...]]:
        """Return the rows of a statement that must succeed."""
        answer = self.ask(sql)
        assert answer.kind == "ok", answer.message
        return list(answer.rows)

    def keys(self, prefix: str) -> list[str]:
        """Return the keys below a prefix."""
        listed = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        return [entry["Key"] for entry in listed.get("Contents", [])]

    def put_parquet_table(self, name: str, columns: dict[str, str], rows: list[list[Any]]) -> None:
        """Make a Parquet table of JSON values."""
        kinds = [(label, from_hive(text)) for label, text in columns.items()]
        cells = [
            pa.array([_value(row[index], kind) for row in rows], _stored(kind)) for index, (_, kind) in enumerate(kinds)
        ]
        out = io.BytesIO()
        pq.write_table(pa.table(cells, names=list(columns)), out)
        self.s3.put_object(Bucket=BUCKET, Key=f"tables/{name}/part", Body=out.getvalue())
        listed = ", ".join(f"{label} {text}" for label, text in columns.items())
        location = f"s3://{BUCKET}/tables/{name}/"
        self.rows(f"create external table {name} ({listed}) stored as parquet location '{location}'")

    def put_ion_table(self, columns: dict[str, tuple[str, str]], *, name: str = "raw") -> None:
        """Make an Ion table partitioned by `export_id`; *columns* are name -> (type, path extractor)."""
        paths = ", ".join(f"'ion.{label}.path_extractor' = '{path}'" for label, (_, path) in columns.items())
        listed = ", ".join(f"{label} {kind}" for label, (kind, _) in columns.items())
        self.rows(
            f"create external table {name} ({listed}) partitioned by (export_id string) "
            f"row format serde 'com.amazon.ionhiveserde.IonHiveSerDe' with serdeproperties ({paths}) "
            f"stored as ion location 's3://{BUCKET}/exports/'"
        )

    def put_snapshot(self, export_id: str, *files: bytes | str, name: str = "raw") -> None:
        """Write one snapshot's files (text is compressed) and register its partition."""
        prefix = f"exports/AWSDynamoDB/{export_id}/data/"
        for number, body in enumerate(files):
            data = gzip.compress(body.encode()) if isinstance(body, str) else body
            self.s3.put_object(Bucket=BUCKET, Key=f"{prefix}{number}.ion.gz", Body=data)
        storage = self.glue.get_table(DatabaseName="d", Name=name)["Table"]["StorageDescriptor"]
        partition = {"Values": [export_id], "StorageDescriptor": {**storage, "Location": f"s3://{BUCKET}/{prefix}"}}
        self.glue.create_partition(DatabaseName="d", TableName=name, PartitionInput=partition)


@contextmanager
def running_athena() -> Iterator[Athena]:
    """Give an Athena over an empty moto."""
    with mock_aws():
        athena = Athena()
        try:
            yield athena
        finally:
            athena.service.close()


def _value(value: Any, kind: Type) -> Any:
    if value is None:
        return None
    match kind.name:
        case "decimal":
            return Decimal(value)
        case "date":
            return date.fromisoformat(value)
        case "timestamp":
            return datetime.fromisoformat(value)
        case "varbinary":
            return base64.b64decode(value)
        case "array":
            return [_value(item, kind.args[0]) for item in value]
        case "row":
            return {name: _value(value[name], field) for name, field in kind.args}
    return value


def _stored(kind: Type) -> pa.DataType:
    if kind.name == "array":
        return pa.list_(_stored(kind.args[0]))
    if kind.name == "row":
        return pa.struct([(name, _stored(field)) for name, field in kind.args])
    return arrow_type(kind)
