"""
The files of taxonomy reviews in the result bucket; none of them holds any text of a conversation.

    taxonomy/<review>/gathered.jsonl   which conversations are read: ids and content hashes
    taxonomy/<review>/versions.json    how many the category has, by the taxonomy version that judged them
    taxonomy/<review>/proposed.json    what the model has proposed, screened; how much was dropped, and why
    taxonomy/<review>/proposals.json   what a person is asked about, with counts
    taxonomy/<review>/taxonomy.yaml    the taxonomy with what the person has approved
    taxonomy/<review>/crosswalk.yaml   the crosswalk with the step that leads there
"""

import json
from typing import TYPE_CHECKING

from chatcensus.aws.objects import found
from chatcensus.errors import SetupError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

GATHERED, VERSIONS = "gathered.jsonl", "versions.json"
PROPOSED, PROPOSALS = "proposed.json", "proposals.json"
TAXONOMY, CROSSWALK = "taxonomy.yaml", "crosswalk.yaml"
_KINDS = {"json": "application/json", "jsonl": "application/x-ndjson", "yaml": "application/yaml"}


class TaxonomyReview:
    """The files of one review in *bucket*."""

    def __init__(self, s3: "S3Client", bucket: str, name: str) -> None:
        self.s3, self.bucket, self.name = s3, bucket, name

    def found(self, file: str) -> str | None:
        """Return one of its files, None when it is not there."""
        content = found(self.s3, self.bucket, self._key(file))
        return None if content is None else content.decode()

    def read(self, file: str) -> str:
        """Return one of its files. Errors: SetupError when it is not there."""
        text = self.found(file)
        if text is None:
            raise SetupError(
                f"review {self.name!r} has no {file} in {self.bucket!r}: check the name, which the task gather of the "
                f"DAG taxonomy_review has logged, and whether the run came so far"
            )
        return text

    def write(self, file: str, text: str) -> None:
        """Write one of its files."""
        kind = _KINDS[file.rsplit(".", 1)[-1]]
        self.s3.put_object(Bucket=self.bucket, Key=self._key(file), Body=text.encode(), ContentType=kind)

    def write_json(self, file: str, document: object) -> None:
        """Write one of its files as JSON."""
        self.write(file, json.dumps(document, ensure_ascii=False))

    def _key(self, file: str) -> str:
        return f"taxonomy/{self.name}/{file}"
