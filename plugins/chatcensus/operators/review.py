"""review: draw conversations, hand them out to a person, and make gold rows of what the person says."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowSkipException

from chatcensus.aws.lookup import Lookup
from chatcensus.aws.reviews import ANSWERS, CATEGORIES, DRAWN, SHEET, Reviews, evaluated_items
from chatcensus.aws.table_walk import describe
from chatcensus.aws.trials import TrialFiles
from chatcensus.conversation import transcript
from chatcensus.errors import SetupError
from chatcensus.include import read_yaml
from chatcensus.mapping import TableMapping
from chatcensus.operators.aws_client import CONNECTION, airflow_errors, aws_client
from chatcensus.review import WHYS, Draw, candidate_lines, disputed, read_candidates, review_name
from chatcensus.review_answers import Collected, gold_lines
from chatcensus.review_sheet import categories_bytes, read_column, read_reviewed, sheet_bytes
from chatcensus.taxonomy import Taxonomy


class _OfAReview(BaseOperator):
    """
    What the tasks of a review share.

    :param table: the conversation table (templated)
    :param snapshot_bucket: where the review's files lie (templated)
    :param mapping: file that says where the table keeps a conversation
    :param aws_conn_id: the Airflow connection with credentials, role and Region
    """

    template_fields: Sequence[str] = ("table", "snapshot_bucket")
    ui_color = "#f4e3db"

    def __init__(
        self, *, table: str, snapshot_bucket: str, mapping: Path, aws_conn_id: str = CONNECTION, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.table, self.snapshot_bucket, self.mapping, self.aws_conn_id = table, snapshot_bucket, mapping, aws_conn_id

    def reviews(self, context: Context) -> Reviews:
        """Return the files of the review that *context* is of."""
        return Reviews(aws_client("s3", self.aws_conn_id), self.snapshot_bucket, review_name(str(context["run_id"])))

    def lookup(self) -> Lookup:
        """Return what finds the conversations of the table."""
        dynamodb, s3 = aws_client("dynamodb", self.aws_conn_id), aws_client("s3", self.aws_conn_id)
        return Lookup(dynamodb, self.table, read_yaml(self.mapping, TableMapping), s3)


class DrawReviewOperator(_OfAReview):
    """
    Choose whom to ask about, from evaluations alone; no text is read. The same seed and table give the same draw.

    :param sizes: how many of each, by `random`, `changed`, `disputed` and `quarantined` (templated)
    :param seed: of the draw; empty: the run's own (templated)
    :param trial: the trial whose models disagree on the disputed; empty: there are none (templated)
    :param result_bucket: where the files of trials lie (templated)
    """

    template_fields: Sequence[str] = (*_OfAReview.template_fields, "sizes", "seed", "trial", "result_bucket")

    def __init__(self, *, sizes: Mapping[str, str], seed: str, trial: str, result_bucket: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sizes, self.seed, self.trial, self.result_bucket = sizes, seed, trial, result_bucket

    def execute(self, context: Context) -> dict[str, Any]:
        """Return how many of each there are and how many are drawn; what is drawn once stays so."""
        with airflow_errors():
            reviews = self.reviews(context)
            lines = reviews.found(DRAWN)
            if lines is None:
                lines = candidate_lines(self._draw(str(context["run_id"])).drawn())
                reviews.write(DRAWN, lines, "application/x-ndjson")
            counts = Counter(candidate.why for candidate in read_candidates(lines))
            self.log.info("drawn: %s", dict(counts))
            if not counts:
                raise AirflowSkipException("nothing is judged yet: there is nothing to review")
            return {"drawn": dict(counts)}

    def _draw(self, run_id: str) -> Draw:
        dynamodb, mapping = aws_client("dynamodb", self.aws_conn_id), read_yaml(self.mapping, TableMapping)
        describe(dynamodb, self.table, mapping)
        draw = Draw(self.seed or run_id, {why: int(self.sizes[why]) for why in WHYS}, self._disputed())
        for conversation_id, evaluation, language in evaluated_items(dynamodb, self.table, mapping):
            draw.add(conversation_id, evaluation, language)
        self.log.info("the table has: %s", draw.found)
        return draw

    def _disputed(self) -> frozenset[str]:
        if not self.trial:
            return frozenset()
        files = TrialFiles(aws_client("s3", self.aws_conn_id), self.result_bucket, self.trial)
        plan, drawn = files.plan()
        return disputed(drawn, [files.answers(each["file"], drawn) for each in plan["contenders"]])


class HandOutReviewOperator(_OfAReview):
    """
    Write the sheet that a person fills in: conversation text, in the review's own folder of the snapshot bucket.

    :param taxonomy: file with the categories
    """

    def __init__(self, *, taxonomy: Path, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.taxonomy = taxonomy

    def execute(self, context: Context) -> dict[str, Any]:
        """Return where the sheet is and how many rows it has; a sheet that was handed out never changes."""
        with airflow_errors():
            reviews, taxonomy = self.reviews(context), read_yaml(self.taxonomy, Taxonomy)
            drawn = read_candidates(reviews.read(DRAWN))
            sheet = reviews.found(SHEET)
            if sheet is None:
                lookup, rows = self.lookup(), []
                for candidate in drawn:
                    conversation = lookup.find(candidate.conversation_id)
                    if conversation and conversation.content_hash == candidate.content_hash:
                        text = transcript(conversation.turns)
                        rows += [] if text.is_blank else [(candidate, text)]
                sheet = sheet_bytes(rows)
                reviews.write(CATEGORIES, categories_bytes(taxonomy))
                reviews.write(SHEET, sheet)  # last: where it is, all is
            elif reviews.read(CATEGORIES) != categories_bytes(taxonomy):
                raise SetupError(
                    "the taxonomy has changed since this sheet was handed out: start another run of review"
                )
            handed_out = len(read_column(sheet, "row"))
            self.log.info(
                "%d rows of %d drawn are in %s%s; the others have changed, are gone, or hold no text",
                *(handed_out, len(drawn), reviews.place, SHEET),
            )
            if not handed_out:
                raise AirflowSkipException("all that was drawn has changed, is gone, or holds no text")
            return {
                "review": review_name(str(context["run_id"])),
                "place": reviews.place,
                "rows": handed_out,
                "drawn": len(drawn),
                "taxonomy_version": taxonomy.version,
            }


class CollectReviewOperator(_OfAReview):
    """
    Make gold rows of the answers, and say how far the person and the judge agree; nothing is written to the table.

    :param handed_out: what `hand_out` returned (templated)
    """

    template_fields: Sequence[str] = (*_OfAReview.template_fields, "handed_out")
    template_fields_renderers = {"handed_out": "json"}  # noqa: RUF012 - as Airflow declares it

    def __init__(self, *, handed_out: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.handed_out: Mapping[str, Any] = handed_out

    def execute(self, context: Context) -> dict[str, Any]:
        """Return counts, how far both agree, and the keys of the gold rows."""
        with airflow_errors():
            reviews, lookup = self.reviews(context), self.lookup()
            rows = read_column(reviews.read(SHEET), "row")
            reviewed = read_reviewed(reviews.read(ANSWERS), rows, read_column(reviews.read(CATEGORIES), "category"))
            drawn = {candidate.row: candidate for candidate in read_candidates(reviews.read(DRAWN))}
            version = str(self.handed_out["taxonomy_version"])
            collected = Collected(self.handed_out["review"], version, reviews.answered_at().date())
            for answer in reviewed:
                candidate = drawn[answer.row]
                collected.take(candidate, answer, lookup.find(candidate.conversation_id))
            files = [reviews.write_gold(version, file, gold_lines(golden)) for file, golden in collected.gold.items()]
            for line in collected.compared.lines():
                self.log.info("%s", line)
            self.log.info(
                "answered: %d of %d rows: %s", len(reviewed), len(rows), dict(sorted(collected.counts.items()))
            )
            return {
                "rows": len(rows),
                "answered": len(reviewed),
                **collected.counts,
                "gold": sorted(files),
                "agreement": collected.compared.figures(),
            }
