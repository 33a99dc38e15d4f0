"""Objects in S3 as pyiceberg's files, through the engine's own client."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from pyiceberg.io import FileIO, InputFile, OutputFile

if TYPE_CHECKING:
    from collections.abc import Callable


def _place(location: str) -> dict[str, str]:
    bucket, _, key = location.partition("://")[2].partition("/")
    return {"Bucket": bucket, "Key": key}


class ObjectFile(InputFile, OutputFile):
    """One object, to read or to write."""

    def __init__(self, s3: Any, location: str) -> None:
        super().__init__(location)
        self._s3 = s3

    def __len__(self) -> int:
        return self._s3.head_object(**_place(self.location))["ContentLength"]

    def exists(self) -> bool:
        """Tell whether the object is there."""
        try:
            len(self)
        except ClientError as problem:
            if problem.response["Error"]["Code"] in ("404", "NoSuchKey", "NoSuchBucket"):
                return False
            raise
        return True

    def open(self, seekable: bool = True) -> BytesIO:  # noqa: ARG002 - pyiceberg's signature
        """
        Return the object's bytes.

        Raises: FileNotFoundError.
        """
        try:
            return BytesIO(self._s3.get_object(**_place(self.location))["Body"].read())
        except ClientError as problem:
            raise FileNotFoundError(self.location) from problem

    def to_input_file(self) -> ObjectFile:
        """Return the same object, to read."""
        return self

    def create(self, overwrite: bool = False) -> BytesIO:
        """
        Return a stream whose bytes become the object when it is closed; unless it may *overwrite*, only a new one.
        """
        condition = {} if overwrite else {"IfNoneMatch": "*"}
        return _Upload(lambda body: self._s3.put_object(**_place(self.location), Body=body, **condition))


class _Upload(BytesIO):
    def __init__(self, put: Callable[[bytes], Any]) -> None:
        super().__init__()
        self._put = put

    def close(self) -> None:
        if not self.closed:
            self._put(self.getvalue())
        super().close()


class ObjectStore(FileIO):
    """pyiceberg's view of one S3 client."""

    def __init__(self, s3: Any) -> None:
        super().__init__()
        self._s3 = s3

    def new_input(self, location: str) -> ObjectFile:
        """Return an object to read."""
        return ObjectFile(self._s3, location)

    def new_output(self, location: str) -> ObjectFile:
        """Return an object to write."""
        return ObjectFile(self._s3, location)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Remove one object."""
        self._s3.delete_object(**_place(location if isinstance(location, str) else location.location))
