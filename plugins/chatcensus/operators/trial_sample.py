"""sample: draw the conversations of a trial, as many as its money is enough for."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator, Context

from chatcensus.aws.conversation_store import ConversationStore
from chatcensus.aws.reviewed_gold import reviewed_gold
from chatcensus.aws.trials import TrialFiles, trial_name
from chatcensus.contender import contenders
from chatcensus.conversation import Conversation
from chatcensus.gold_rows import GoldRow
from chatcensus.operators.aws_client import CONNECTION, airflow_errors, aws_client
from chatcensus.pricing import micro_usd
from chatcensus.trial import Urn, Weighed, weighed
from chatcensus.trial_include import TrialInclude
from chatcensus.trial_plan import fitted, planned


class SampleTrialOperator(BaseOperator):
    """
    Draw the conversations that all contenders judge, as many as the money is enough for, and return the contenders.

    :param include: the folder with prompts, taxonomy, models, mapping and gold rows
    :param table: the conversation table (templated)
    :param result_bucket: where the files of the trial lie (templated)
    :param snapshot_bucket: where reviews have left gold rows (templated)
    :param contenders: JSON list of who is tried, such as ["a-model", "a-model@prompt@prompts/new.md"] (templated)
    :param conversations: how many are drawn at most (templated)
    :param seed: another one draws other conversations (templated)
    :param max_usd: what all contenders together may cost (templated)
    :param aws_conn_id: the Airflow connection with credentials, role and Region
    """

    template_fields: Sequence[str] = (
        *("table", "result_bucket", "snapshot_bucket", "contenders"),
        *("conversations", "seed", "max_usd"),
    )
    ui_color = "#dbe9f4"

    def __init__(
        self,
        *,
        include: Path,
        table: str,
        result_bucket: str,
        snapshot_bucket: str,
        contenders: str,
        conversations: str | int,
        seed: str | int,
        max_usd: str | float,
        aws_conn_id: str = CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.include, self.table, self.contenders = include, table, contenders
        self.result_bucket, self.snapshot_bucket = result_bucket, snapshot_bucket
        self.conversations, self.seed, self.max_usd, self.aws_conn_id = conversations, seed, max_usd, aws_conn_id

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return one small mapping per contender; the sample itself lies in the result bucket."""
        with airflow_errors():
            include, money = TrialInclude(self.include), micro_usd(self.max_usd)
            region, today = aws_client("bedrock-runtime", self.aws_conn_id).meta.region_name, datetime.now(UTC).date()
            named = contenders(json.loads(self.contenders), self.include)
            tried = [include.tried(each, region, today) for each in named]
            urn = Urn(int(self.conversations))
            gold = list(self._walk(include, urn))
            chosen = fitted(urn.draw(), gold, tried, money)
            drawn = [each for each, _ in chosen]
            trial = trial_name(context["run_id"])
            plan = {
                "trial": trial,
                "seed": int(self.seed),
                "taxonomy_version": include.taxonomy.version,
                "wanted": int(self.conversations),
                "max_micro_usd": money,
                "strata": dict(sorted(urn.sizes.items())),
                "contenders": planned(chosen, tried, money),
            }
            TrialFiles(aws_client("s3", self.aws_conn_id), self.result_bucket, trial).write_plan(plan, drawn)
        self.log.info(
            "trial %s: %d of %d conversations and %d gold rows for %d contenders, at most %.4f USD",
            trial,
            sum(each.stratum is not None for each in drawn),
            urn.sizes.total(),
            sum(each.label is not None for each in drawn),
            len(tried),
            money / 1e6,
        )
        return [{"trial": trial, "number": number, "name": each.name} for number, each in enumerate(tried, 1)]

    def _walk(self, include: TrialInclude, urn: Urn) -> Iterator[Weighed]:
        """Put every conversation of the table into *urn*; yield those of gold rows, and the texts of gold rows."""
        seed, mapping = int(self.seed), include.mapping
        s3 = aws_client("s3", self.aws_conn_id)
        gold = include.gold(seed, reviewed_gold(s3, self.snapshot_bucket, include.taxonomy.version))
        for row in gold.values():
            if row.turns and (found := weighed(seed, Conversation(f"gold/{row.id}", row.turns))):
                yield _labelled(found, row, conversation_id=None)
        bodies = s3 if mapping.body else None
        dynamodb = aws_client("dynamodb", self.aws_conn_id)
        for stored in ConversationStore(dynamodb, self.table, mapping, s3=bodies).read():
            if stored is None or (found := weighed(seed, mapping.conversation(stored))) is None:
                continue
            urn.put(*found)
            of_it = gold.get(found[0].draw)
            if of_it and of_it.content_hash == found[0].content_hash:
                yield _labelled(found, of_it)


def _labelled(found: Weighed, row: GoldRow, **changes: Any) -> Weighed:
    """Return *found* as a gold row, which stands for no stratum of the table."""
    said: dict[str, Any] = {
        "label": row.category,
        "label_score": row.inquiry_score,
        "language": row.language,
        "stratum": None,
    }
    return found[0].model_copy(update=said | changes), found[1]
