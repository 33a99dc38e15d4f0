"""The key that turns conversation ids into pseudonyms, where Athena can read it and its query history cannot."""

import hashlib
from typing import TYPE_CHECKING

from chatcensus.aws.catalog import key_table, upsert_partition, upsert_table

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client


def fingerprint(subkey: str) -> str:
    """Return 8 hex digits by which a statement names *subkey* and does not tell it."""
    return hashlib.sha256(subkey.encode()).hexdigest()[:8]


def put_key(s3: "S3Client", glue: "GlueClient", database: str, bucket: str, subkey: str) -> str:
    """
    Make *subkey* a row of the table of keys; return its fingerprint, the second parameter of `layer.sql`.

    Shape: *bucket* is that of the exports: whoever reads it can read the conversations, and it forgets the key with
    them. Each key has an object of its own: two runs with different keys never read each other's.
    """
    name, table = fingerprint(subkey), key_table(bucket)
    s3.put_object(Bucket=bucket, Key=f"key/{name}/subkey.txt", Body=f"{subkey}\n".encode(), ContentType="text/plain")
    upsert_table(glue, database, table)
    upsert_partition(glue, database, table, (name,), f"s3://{bucket}/key/{name}/")
    return name
