"""The bodies of large conversations, which their items point to in S3."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from chatcensus.errors import SetupError
from chatcensus.mapping import Item, TableMapping

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# The fault of one item: the next one can be read.
_OF_THE_ITEM = {"NoSuchKey", "KeyTooLongError", "InvalidObjectState"}  # the last: archived, in Glacier
_OF_THE_BUCKET = {"NoSuchBucket", "AccessDenied", "AllAccessDisabled"}


def body_text(s3: "S3Client", mapping: TableMapping, item: Item) -> str | None:
    """
    Return the text that *item* points to; None where it points to none, or to nothing that can be read.

    Errors: SetupError when the bucket is not there, or not open to us.
    """
    pointer = mapping.body_pointer(item)
    if pointer is None or mapping.body is None:
        return None
    bucket, key = pointer
    try:
        return s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    except UnicodeDecodeError:
        return ""  # not JSON
    except ClientError as error:
        code, is_named_by_item = error.response["Error"]["Code"], mapping.body.bucket is None
        if code in _OF_THE_ITEM or (code == "NoSuchBucket" and is_named_by_item):
            return None
        if code not in _OF_THE_BUCKET:
            raise
        which = f"that {mapping.body.bucket_attribute!r} names" if is_named_by_item else repr(bucket)
    raise SetupError(
        f"the bucket {which} answered {code} for a large conversation: correct body in include/table.yaml, or allow "
        "s3:GetObject and s3:ListBucket on it"
    )
