"""gather and adopt: the first and the last task of a taxonomy review; they call no model."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from chatcensus.aws.reviews import evaluated_items
from chatcensus.aws.taxonomy_reviews import CROSSWALK, GATHERED, PROPOSALS, TAXONOMY, VERSIONS, TaxonomyReview
from chatcensus.crosswalk import Crosswalk
from chatcensus.include import parse_yaml, read_yaml
from chatcensus.operators.aws_client import airflow_errors
from chatcensus.operators.taxonomy_task import CROSSWALK_FILE, TAXONOMY_FILE, OfATaxonomyReview, present
from chatcensus.taxonomy import Taxonomy
from chatcensus.taxonomy_review import FEWEST, Gathered, Pile, Result, most_new
from chatcensus.taxonomy_text import adopted
from chatcensus.trial import as_lines, of_lines


class GatherCategoryOperator(OfATaxonomyReview):
    """
    Draw the conversations of the category that are read; the same seed and table give the same ones.

    :param conversations: how many at most (templated)
    :param seed: of the draw (templated)
    """

    template_fields: Sequence[str] = (*OfATaxonomyReview.template_fields, "conversations_most", "seed")

    def __init__(self, *, conversations: str | int, seed: str | int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conversations_most, self.seed = conversations, seed

    def execute(self, context: Context) -> dict[str, Any]:
        """Return how many there are and how many are read; what was drawn once stays so."""
        with airflow_errors():
            review, taxonomy = self.review(context), self.taxonomy
            most_new(taxonomy, self.category)
            read_yaml(self.include / CROSSWALK_FILE, Crosswalk).check(taxonomy)
            if review.found(GATHERED) is None:
                self._gather(review)
            versions = json.loads(review.read(VERSIONS))
            gathered = len(of_lines(review.read(GATHERED), Gathered))
            self.log.info(
                "review %s: %d of %d conversations of %s are read",
                *(review.name, gathered, sum(versions.values()), self.category),
            )
            return {"review": review.name, "gathered": gathered, "versions": versions}

    def _gather(self, review: TaxonomyReview) -> None:
        lookup, pile = self.lookup(), Pile(self.category, int(self.seed), int(self.conversations_most))
        for conversation_id, evaluation, _ in evaluated_items(lookup.client, self.table, lookup.mapping):
            pile.add(conversation_id, evaluation)
        drawn = list[Gathered]()
        for gathered in pile.lowest():
            if len(drawn) == int(self.conversations_most):
                break
            if present(lookup, gathered):
                drawn.append(gathered)
        if len(drawn) < FEWEST:
            raise AirflowSkipException(
                f"category {self.category!r} has {len(drawn)} conversations that are judged as they are now, a review "
                f"needs {FEWEST}: there is nothing to discover yet"
            )
        review.write_json(VERSIONS, pile.versions)
        review.write(GATHERED, as_lines(drawn))  # last: where it is, all is


class AdoptCategoriesOperator(OfATaxonomyReview):
    """
    Write the taxonomy and the crosswalk with what was approved to the result bucket; what is in force stays as it is.

    :param approved: keys of the approved proposals (templated)
    :param timezone: in which the day of the step is
    """

    template_fields: Sequence[str] = (*OfATaxonomyReview.template_fields, "approved")
    template_fields_renderers = {"approved": "json"}  # noqa: RUF012 - as Airflow declares it

    def __init__(self, *, approved: Any, timezone: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.approved, self.timezone = approved, timezone

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the new version, its new keys, and what judging again exactly what is affected would take."""
        with airflow_errors():
            review = self.review(context)
            result = Result.model_validate_json(review.read(PROPOSALS))
            today = datetime.now(ZoneInfo(self.timezone)).date()
            of_taxonomy, of_crosswalk = (
                (self.include / name).read_text(encoding="utf-8") for name in (TAXONOMY_FILE, CROSSWALK_FILE)
            )
            text, steps = adopted(of_taxonomy, of_crosswalk, result, self.approved, today)
            version = parse_yaml(text, Taxonomy, TAXONOMY).version
            review.write(CROSSWALK, steps)
            review.write(TAXONOMY, text)  # last: where it is, both are
            conversations, again_micro_usd = result.again()
            self.log.info(
                "taxonomy %s is written. Fetch it with `chatcensus taxonomy adopt %s`, commit and deploy it; then "
                "trigger chat_census with reevaluate = %r: %d conversations, about %.2f USD",
                *(version, review.name, result.condition(), conversations, again_micro_usd / 1e6),
            )
            return {
                "taxonomy_version": version,
                "categories": list(self.approved),
                "reevaluate": result.condition(),
                "conversations": conversations,
                "forecast_micro_usd": again_micro_usd,
            }
