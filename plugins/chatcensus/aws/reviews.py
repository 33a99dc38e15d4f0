"""What a review reads of the table, and its files in the snapshot bucket."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer

from chatcensus.aws.objects import found
from chatcensus.errors import SetupError
from chatcensus.evaluation import ATTRIBUTE
from chatcensus.mapping import TableMapping

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

DRAWN, SHEET, CATEGORIES, ANSWERS = "drawn.jsonl", "sheet.csv", "categories.csv", "answers.csv"
CSV = "text/csv; charset=utf-8"

_deserialize = TypeDeserializer().deserialize


def evaluated_items(
    client: "DynamoDBClient", table: str, mapping: TableMapping
) -> Iterator[tuple[str, Mapping[str, Any], str | None]]:
    """
    Yield the id, the evaluation and the language of each item that carries an evaluation; DynamoDB sends no text.

    Shape: the language is None where the table does not say it. Units: it reads the whole table once.
    """
    shown = [*mapping.key_names, *([mapping.language] if mapping.language else [])]
    names = {"#evaluation": ATTRIBUTE, "#outcome": "outcome"} | {f"#{at}": name for at, name in enumerate(shown)}
    pages = client.get_paginator("scan").paginate(
        TableName=table,
        FilterExpression="attribute_exists(#evaluation.#outcome)",
        ProjectionExpression=", ".join(name for name in names if name != "#outcome"),
        ExpressionAttributeNames=names,
        ConsistentRead=True,
    )
    for page in pages:
        for typed in page["Items"]:
            item = {name: _deserialize(value) for name, value in typed.items()}
            language = item.get(mapping.language) if mapping.language else None
            yield mapping.conversation_id(item), item[ATTRIBUTE], language if isinstance(language, str) else None


class Reviews:
    """The files of one review, under `reviews/<name>/`, and the gold rows that come of it."""

    def __init__(self, s3: "S3Client", bucket: str, name: str) -> None:
        self.s3, self.bucket, self.folder = s3, bucket, f"reviews/{name}/"

    @property
    def place(self) -> str:
        """Where its files lie."""
        return f"s3://{self.bucket}/{self.folder}"

    def read(self, file: str) -> bytes:
        """Return one of its files. Errors: SetupError when it is not there."""
        content = self.found(file)
        if content is None:
            raise SetupError(
                f"there is no {file} in {self.place}: the command review return puts answers.csv there, the tasks of "
                "review the others, and all are deleted after 30 days"
            )
        return content

    def found(self, file: str) -> bytes | None:
        """Return one of its files, None when it is not there."""
        return found(self.s3, self.bucket, self.folder + file)

    def answered_at(self) -> datetime:
        """Return when the answers were put there."""
        return self.s3.head_object(Bucket=self.bucket, Key=self.folder + ANSWERS)["LastModified"]

    def write(self, file: str, content: bytes, content_type: str = CSV) -> None:
        """Write one of its files."""
        self.s3.put_object(Bucket=self.bucket, Key=self.folder + file, Body=content, ContentType=content_type)

    def write_gold(self, taxonomy_version: str, file: str, lines: bytes) -> str:
        """Write gold rows, and return their key."""
        key = f"gold/{taxonomy_version}/{file}"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=lines, ContentType="application/x-ndjson")
        return key
