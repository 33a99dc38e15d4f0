"""What the tasks of a taxonomy review share: the files of the release, those of the review, and its conversations."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator, Context

from chatcensus.aws.lookup import Lookup
from chatcensus.aws.taxonomy_reviews import GATHERED, TaxonomyReview
from chatcensus.conversation import Conversation
from chatcensus.include import read_yaml
from chatcensus.mapping import TableMapping
from chatcensus.operators.aws_client import CONNECTION, aws_client
from chatcensus.review import review_name
from chatcensus.taxonomy import Taxonomy
from chatcensus.taxonomy_review import Gathered
from chatcensus.trial import of_lines

TAXONOMY_FILE, CROSSWALK_FILE = "prompts/taxonomy.yaml", "prompts/crosswalk.yaml"


class OfATaxonomyReview(BaseOperator):
    """
    What the tasks of a taxonomy review share.

    :param include: the folder with prompts, taxonomy, crosswalk, models and mapping
    :param table: the conversation table (templated)
    :param result_bucket: where the files of the review lie (templated)
    :param category: the category that is looked into (templated)
    :param aws_conn_id: the Airflow connection with credentials, role and Region
    """

    template_fields: Sequence[str] = ("table", "result_bucket", "category")
    ui_color = "#e8e4f3"

    def __init__(
        self,
        *,
        include: Path,
        table: str,
        result_bucket: str,
        category: str,
        aws_conn_id: str = CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.include, self.table, self.result_bucket = include, table, result_bucket
        self.category, self.aws_conn_id = category, aws_conn_id

    @property
    def taxonomy(self) -> Taxonomy:
        """The taxonomy in force."""
        return read_yaml(self.include / TAXONOMY_FILE, Taxonomy)

    def review(self, context: Context) -> TaxonomyReview:
        """Return the files of the review that *context* is of."""
        s3 = aws_client("s3", self.aws_conn_id)
        return TaxonomyReview(s3, self.result_bucket, review_name(str(context["run_id"])))

    def lookup(self) -> Lookup:
        """Return what finds the conversations of the table."""
        dynamodb, s3 = aws_client("dynamodb", self.aws_conn_id), aws_client("s3", self.aws_conn_id)
        return Lookup(dynamodb, self.table, read_yaml(self.include / "table.yaml", TableMapping), s3)

    def conversations(self, review: TaxonomyReview) -> list[Conversation]:
        """Return what was gathered, as it is now; what has changed since, or is gone, is left out."""
        lookup, gathered = self.lookup(), of_lines(review.read(GATHERED), Gathered)
        found = (present(lookup, each) for each in gathered)
        return [conversation for conversation in found if conversation]


def present(lookup: Lookup, gathered: Gathered) -> Conversation | None:
    """Return the conversation, if it still has the text that was judged, and one that can be read."""
    conversation = lookup.find(gathered.conversation_id)
    if conversation is None or conversation.problem or conversation.content_hash != gathered.content_hash:
        return None
    return conversation
