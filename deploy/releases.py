"""
The releases in a bucket, each in full under `releases/<id>/`, and the files that MWAA reads, which are copies of one.

    releases/<id>/…         a release as it was packaged; its manifest is written last, so one with a manifest is whole
    releases/live.json      which releases were live, and every path that a deployment may have left live
    dags/… plugins.zip requirements.txt     what MWAA reads
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from deploy.package import MANIFEST

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LIVE = "releases/live.json"
DIGEST = "sha256"  # the metadata of an object that says what is in it, and that a deployment wrote it
# What S3 answers to a conditional write when the object is not the one that was read.
OVERTAKEN = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey")


class NotDeployable(RuntimeError):
    """The bucket cannot take the release, or does not have it; the message says what to do."""


@dataclass(frozen=True)
class Live:
    """
    What deployments did to the live files.

    *history*: the releases that went live, the present one last. *target*: the one that an unfinished deployment was
    writing, None when it finished. *files*: every live path that a deployment wrote and none deleted.
    """

    history: tuple[str, ...] = ()
    target: str | None = None
    is_rollback: bool = False
    files: tuple[str, ...] = ()

    def begun(self, release: str, files: set[str], *, is_rollback: bool) -> "Live":
        """Return what is so while *release* is being written."""
        return Live(self.history, release, is_rollback, tuple(sorted({*self.files, *files})))

    def ended(self, release: str, files: set[str], *, is_rollback: bool) -> "Live":
        """Return what is so when *release* is live: after a rollback the releases after it never were."""
        before = self.history
        if is_rollback and release in before:
            before = before[: before.index(release)]
        kept = tuple(earlier for earlier in before if earlier != release)
        return Live((*kept, release), None, is_rollback=False, files=tuple(sorted(files)))

    def previous(self) -> str:
        """Return the release that a rollback leads to. Raises: NotDeployable when there is none."""
        if self.target and self.is_rollback:
            return self.target  # unfinished, so that it is finished
        earlier = self.history if self.target else self.history[:-1]  # an unfinished deployment is given up
        if not earlier:
            raise NotDeployable("there is no earlier release to go back to in this bucket")
        return earlier[-1]


class Releases:
    """The releases in *bucket*, everything of them below *prefix*."""

    def __init__(self, s3: "S3Client", bucket: str, prefix: str = "") -> None:
        self._s3, self._bucket = s3, bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._live_tag: str | None = None  # of live.json as it was last read or written here

    def check_bucket(self) -> None:
        """Raise NotDeployable unless the bucket is there, is ours to read, and keeps versions."""
        try:
            versioning = self._s3.get_bucket_versioning(Bucket=self._bucket).get("Status", "off")
        except ClientError as error:
            code = error.response["Error"]["Code"]
            raise NotDeployable(f"bucket {self._bucket!r} answered {code}: check its name and the access") from None
        if versioning != "Enabled":
            raise NotDeployable(
                f"versioning of bucket {self._bucket!r} is {versioning.lower()}, and MWAA demands it: "
                f"aws s3api put-bucket-versioning --bucket {self._bucket} --versioning-configuration Status=Enabled"
            )

    def store(self, manifest: Mapping[str, Any], contents: Mapping[str, bytes]) -> None:
        """Keep a release; of one that is there already only what is missing is written."""
        release = manifest["release"]
        lacking = self.lacking(manifest)
        for path in lacking:
            digest = manifest["files"][path]["sha256"]
            self._put(f"releases/{release}/{path}", contents[path], {DIGEST: digest})
        if lacking or self.stored(release) is None:
            self._put(f"releases/{release}/{MANIFEST}", json.dumps(manifest, indent=2).encode())

    def lacking(self, manifest: Mapping[str, Any]) -> list[str]:
        """Return the files of a release that are not in the bucket, or not whole: somebody may tidy up there."""
        start = self.key(f"releases/{manifest['release']}/")
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=start)
        sizes = {
            entry["Key"].removeprefix(start): entry["Size"] for page in pages for entry in page.get("Contents", [])
        }
        return [path for path, file in manifest["files"].items() if sizes.get(path) != file["size"]]

    def stored(self, release: str) -> dict[str, Any] | None:
        """Return the manifest of a release, None where it is not kept."""
        found = self._read(f"releases/{release}/{MANIFEST}")
        return None if found is None else dict(json.loads(found))

    def manifest(self, release: str) -> dict[str, Any]:
        """Return the manifest of a whole release. Raises: NotDeployable that says what is there instead."""
        found = self.stored(release)
        if found is None:
            others = ", ".join(each for each in self.ids() if each != release)
            raise NotDeployable(f"no release {release!r} in {self.address('releases/')}, only: {others}")
        if lacking := self.lacking(found):
            raise NotDeployable(
                f"release {release!r} is not whole, {len(lacking)} files are gone, {lacking[0]} among them: choose "
                f"another one, or package its commit again and make deploy"
            )
        return found

    def ids(self) -> list[str]:
        """Return the ids of all releases, begun ones too."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=f"{self._prefix}releases/", Delimiter="/"
        )
        found = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]
        return sorted(prefix.rstrip("/").rsplit("/", 1)[1] for prefix in found)

    def live(self) -> Live:
        """Return what deployments did so far."""
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=self.key(LIVE))
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            self._live_tag = None
            return Live()
        self._live_tag = answer["ETag"]
        found: dict[str, Any] = json.loads(answer["Body"].read())
        return Live(**{key: tuple(value) if isinstance(value, list) else value for key, value in found.items()})

    def write_live(self, live: Live) -> None:
        """
        Note what a deployment is doing, or has done.

        Raises: NotDeployable when somebody else wrote it since it was read here: two deployments at a time.
        """
        read = {"IfMatch": self._live_tag} if self._live_tag else {"IfNoneMatch": "*"}
        body = json.dumps(asdict(live), indent=2).encode()
        try:
            answer = self._s3.put_object(Bucket=self._bucket, Key=self.key(LIVE), Body=body, **read)  # type: ignore[arg-type]
        except ClientError as error:
            if error.response["Error"]["Code"] not in OVERTAKEN:
                raise
            raise NotDeployable(
                f"{self.address(LIVE)} was written meanwhile, by a second deployment at the same time: what is live "
                f"may be of both. Agree on one, wait until nobody deploys, and run that one again"
            ) from None
        self._live_tag = answer["ETag"]

    def digest(self, path: str) -> str | None:
        """Return the sha256 that a deployment noted at the live file *path*; "" without a note, None without a file."""
        try:
            found = self._s3.head_object(Bucket=self._bucket, Key=self.key(path))
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
                return None
            raise
        return found["Metadata"].get(DIGEST, "")

    def copy(self, release: str, path: str) -> None:
        """Make the file of *release* the live one."""
        source = {"Bucket": self._bucket, "Key": self.key(f"releases/{release}/{path}")}
        self._s3.copy_object(Bucket=self._bucket, Key=self.key(path), CopySource=source)  # type: ignore[arg-type]

    def delete(self, path: str) -> None:
        """Delete a live file; the bucket keeps its versions."""
        self._s3.delete_object(Bucket=self._bucket, Key=self.key(path))

    def version(self, path: str) -> str:
        """Return the version id of a live file."""
        return self._s3.head_object(Bucket=self._bucket, Key=self.key(path))["VersionId"]

    def key(self, path: str) -> str:
        """Return the key of *path* in the bucket."""
        return self._prefix + path

    def address(self, path: str) -> str:
        """Return the s3:// address of *path*."""
        return f"s3://{self._bucket}/{self.key(path)}"

    def _put(self, path: str, content: bytes, metadata: Mapping[str, str] | None = None) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=self.key(path), Body=content, Metadata=metadata or {})

    def _read(self, path: str) -> bytes | None:
        try:
            return self._s3.get_object(Bucket=self._bucket, Key=self.key(path))["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return None
            raise
