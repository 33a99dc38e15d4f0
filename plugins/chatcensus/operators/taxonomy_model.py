"""propose and count: the tasks of a taxonomy review that call the model, within the run's money and its share."""

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from chatcensus.answer import Judgement
from chatcensus.asking import Asker
from chatcensus.aws.claims import SegmentClaim
from chatcensus.aws.judges import judges
from chatcensus.aws.renewal import Renewal
from chatcensus.aws.taxonomy_reviews import PROPOSALS, PROPOSED, VERSIONS, TaxonomyReview
from chatcensus.clock import Clock
from chatcensus.conversation import estimated_tokens
from chatcensus.errors import ModelBusy, SetupError
from chatcensus.include import read_yaml
from chatcensus.instructions import rendered_instructions
from chatcensus.judging import Apart, judge
from chatcensus.model_catalog import ModelCatalog
from chatcensus.operators.aws_client import airflow_errors, aws_client, model_client, run_ledger
from chatcensus.operators.taxonomy_task import OfATaxonomyReview
from chatcensus.pacing import Quota
from chatcensus.pricing import micro_usd
from chatcensus.proposing import Proposer
from chatcensus.review import review_name
from chatcensus.spreading import Spread
from chatcensus.taxonomy import Category, Taxonomy
from chatcensus.taxonomy_review import Recount, Result, most_new


class _AsksTheModel(OfATaxonomyReview):
    """
    What the tasks that call the model share.

    :param control_table: the table of the ledger (templated)
    :param model: id of the model that is called (templated)
    :param max_usd: the budget of the whole run (templated)
    :param in_flight: how many calls are kept under way at most (templated)
    :param quota: requests and tokens a minute that all tasks together may use of the model (templated)
    """

    template_fields: Sequence[str] = (
        *OfATaxonomyReview.template_fields,
        "control_table",
        "model",
        "max_usd",
        "in_flight",
        "quota",
    )

    def __init__(
        self,
        *,
        control_table: str,
        model: str,
        max_usd: str | float,
        in_flight: str | int,
        quota: Mapping[str, str | float],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.control_table, self.model, self.max_usd = control_table, model, max_usd
        self.in_flight, self.quota = in_flight, quota
        self._stop = threading.Event()

    def on_kill(self) -> None:
        """Begin no new call."""
        self._stop.set()

    @contextmanager
    def asking(self, context: Context, taxonomy: Taxonomy, prompt: str) -> Iterator[tuple[Asker, Renewal]]:
        """Give the block who asks by *prompt*, rendered with *taxonomy*, within the run's money and its share."""
        models, in_flight = self.include / "prompts/models.yaml", int(self.in_flight)
        model = read_yaml(models, ModelCatalog).model(self.model)
        quota = Quota(burndown=model.burndown, **{name: float(value) for name, value in self.quota.items()})
        ways = judges(models, self.model, taxonomy, quota, in_flight, partial(model_client, self.aws_conn_id))
        instructions, clock = rendered_instructions(self.include, taxonomy, prompt), Clock()
        spread = Spread.over(ways, clock, estimated_tokens(instructions))
        ledger = run_ledger(context, self.control_table, self.aws_conn_id, micro_usd(self.max_usd))
        asker = Asker(spread, Apart(ledger), model, instructions, taxonomy, clock, self._stop.is_set)
        claim = self._claim(context)
        claim.take(time.sleep)
        try:
            renewal = Renewal(claim, spread, self._stop)
            renewal.renew()
            yield asker, renewal
        finally:
            claim.release()
            if self._stop.is_set():  # whatever has come of a part of the conversations
                raise ModelBusy("this task was stopped, and keeps nothing: it begins anew in its next try")

    def _claim(self, context: Context) -> SegmentClaim:
        # A table of its own in the claims: a review only reads, and no run of the census has to wait for it.
        name = f"taxonomy#{review_name(str(context['run_id']))}"
        dynamodb, attempt = aws_client("dynamodb", self.aws_conn_id), context["ti"].try_number
        return SegmentClaim(dynamodb, self.control_table, name, f"0/{self.task_id}", self.model, name, attempt)


class ProposeCategoriesOperator(_AsksTheModel):
    """Let the model read the conversations, and propose; what it says is screened before it is written anywhere."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Return how many are proposed, how many were dropped and why, and what it has cost in micro-USD."""
        with airflow_errors():
            review, taxonomy = self.review(context), self.taxonomy
            if review.found(PROPOSED) is None:
                conversations = self.conversations(review)
                with self.asking(context, taxonomy, "prompts/propose.md") as (asker, renewal):
                    proposer = Proposer(asker, int(self.in_flight), renewal.renew)
                    proposed = proposer.propose(conversations, most_new(taxonomy, self.category))
                review.write_json(
                    PROPOSED,
                    {
                        "proposals": [category.model_dump() for category in proposed.categories],
                        "dropped": proposed.dropped,
                        "micro_usd": proposed.micro_usd,
                    },
                )
            written = json.loads(review.read(PROPOSED))
            told = {"proposals": len(written["proposals"])} | {name: written[name] for name in ("dropped", "micro_usd")}
            self.log.info("proposed: %s", told)
            return told


class CountProposalsOperator(_AsksTheModel):
    """
    Judge what was gathered once more, with the proposals in the taxonomy, and count; nothing is written to the table.

    :param min_users: a proposal of fewer distinct known users is dropped (templated)
    """

    template_fields: Sequence[str] = (*_AsksTheModel.template_fields, "min_users")

    def __init__(self, *, min_users: str | int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.min_users = min_users

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the keys of the proposals that are left with their counts, and what it has cost in micro-USD."""
        with airflow_errors():
            review, min_users = self.review(context), int(self.min_users)  # a wrong one is found before it is paid for
            if review.found(PROPOSALS) is None:
                review.write(PROPOSALS, self._result(context, review, min_users).model_dump_json())
            result = Result.model_validate_json(review.read(PROPOSALS))
            self.log.info(
                "%d conversations were judged; left are %s; dropped: %s",
                *(result.judged, [each.category.key for each in result.proposals], result.dropped),
            )
            if not result.proposals:
                raise AirflowSkipException("no proposal is of enough people and conversations: nothing to approve")
            return {
                "judged": result.judged,
                "proposals": {each.category.key: [each.count, each.users] for each in result.proposals},
                "micro_usd": result.micro_usd,
            }

    def _result(self, context: Context, review: TaxonomyReview, min_users: int) -> Result:
        taxonomy, written = self.taxonomy, json.loads(review.read(PROPOSED))
        proposals = [Category.model_validate(each) for each in written["proposals"]]
        recount = Recount()
        if proposals:
            self._recount(context, review, taxonomy.with_new(proposals, self.category), recount)
        kept = recount.kept(proposals, min_users)
        dropped = written["dropped"] | ({"few": few} if (few := len(proposals) - len(kept)) else {})
        return Result(
            taxonomy_version=taxonomy.version,
            category=self.category,
            versions=json.loads(review.read(VERSIONS)),
            judged=recount.judged,
            micro_usd=recount.micro_usd,
            dropped=dropped,
            proposals=tuple(kept),
        )

    def _recount(self, context: Context, review: TaxonomyReview, candidate: Taxonomy, recount: Recount) -> None:
        conversations = {each.conversation_id: each for each in self.conversations(review)}
        with self.asking(context, candidate, "prompts/classify.md") as (asker, renewal):
            for judged in judge(conversations.values(), asker, int(self.in_flight), renewal.renew):
                recount.micro_usd += judged.bill.cost_micro_usd
                if isinstance(judged.verdict, Judgement):
                    recount.add(judged.verdict.category, conversations[judged.conversation_id].user)
            if asker.is_spent:
                raise SetupError(
                    "max_usd or the quota of the day was used up before all were counted, the log says which: trigger "
                    "another run, with more or tomorrow"
                )
