"""An object of S3 that may not be there."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def found(s3: "S3Client", bucket: str, key: str) -> bytes | None:
    """Return what lies at *key*, None when nothing does. Errors: those of botocore for everything else."""
    try:
        return s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return None
        raise
