"""judge: let one contender of a trial judge its sample; mapped over the contenders."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from airflow.sdk import BaseOperator, Context

from chatcensus.asking import Asker, Clock
from chatcensus.aws.bedrock import client_config
from chatcensus.aws.claims import SegmentClaim
from chatcensus.aws.judges import judge_at
from chatcensus.aws.lookup import Lookup
from chatcensus.aws.trials import TrialFiles
from chatcensus.contender import Contender
from chatcensus.conversation import Conversation, estimated_tokens
from chatcensus.errors import ModelBusy, SetupError
from chatcensus.gold_rows import GoldRow
from chatcensus.judging import Apart, Timed, judge
from chatcensus.operators.aws_client import CONNECTION, airflow_errors, aws_client, run_ledger
from chatcensus.pacing import Quota
from chatcensus.prompt import prompt_version
from chatcensus.routes import read_routes
from chatcensus.spreading import Spread, Way
from chatcensus.trial import Answer, Drawn, answer_of
from chatcensus.trial_include import TrialInclude
from chatcensus.trial_plan import Tried

WRITE_EVERY = 25  # answers: what a try that is killed has paid for and not written is at most so many
RENEW_EVERY_S = 1.0


class JudgeTrialOperator(BaseOperator):
    """
    Let one contender judge the sample; the answers go to the result bucket, and nothing to the conversation table.

    :param contender: one element of what `sample` returned (mapped)
    :param include: the folder with prompts, taxonomy, models, mapping and gold rows
    :param table: the conversation table (templated)
    :param control_table: the table of the ledger (templated)
    :param result_bucket: where the files of the trial lie (templated)
    :param in_flight: how many calls are kept under way at most (templated)
    :param quota: requests and tokens a minute that all tasks together may use of a model (templated)
    :param aws_conn_id: the Airflow connection with credentials, role and Region
    """

    template_fields: Sequence[str] = ("contender", "table", "control_table", "result_bucket", "in_flight", "quota")
    ui_color = "#f9e3c4"

    def __init__(
        self,
        *,
        contender: Mapping[str, Any],
        include: Path,
        table: str,
        control_table: str,
        result_bucket: str,
        in_flight: str | int,
        quota: Mapping[str, str | float],
        aws_conn_id: str = CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.contender, self.include, self.table, self.control_table = contender, include, table, control_table
        self.result_bucket, self.in_flight, self.quota, self.aws_conn_id = result_bucket, in_flight, quota, aws_conn_id
        self._stop = threading.Event()

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many were judged, were missing, and are left, and what it has cost in micro-USD."""
        with airflow_errors():
            claim = self._claim(context)
            claim.take(time.sleep)
            try:
                return self._judged(context, claim)
            finally:
                claim.release()

    def on_kill(self) -> None:
        """Take nothing new; what is in flight is finished and written."""
        self._stop.set()

    def _claim(self, context: Context) -> SegmentClaim:
        # A table of its own in the claims: a trial only reads, and no run of the census has to wait for it.
        return SegmentClaim(
            aws_client("dynamodb", self.aws_conn_id),
            self.control_table,
            f"trial#{self.contender['trial']}",
            f"{self.contender['number']}/trial",
            Contender.parse(self.contender["name"]).model,
            owner=f"trial/{self.contender['trial']}/{self.contender['number']}",
            attempt=context["ti"].try_number,
        )

    def _judged(self, context: Context, claim: SegmentClaim) -> dict[str, int]:
        files = TrialFiles(aws_client("s3", self.aws_conn_id), self.result_bucket, self.contender["trial"])
        plan, drawn = files.plan()
        planned = plan["contenders"][self.contender["number"] - 1]
        answers = files.answers(planned["file"])
        include, runtime = TrialInclude(self.include), self._runtime()
        tried = include.tried(Contender.parse(planned["name"]), runtime.meta.region_name, datetime.now(UTC).date())
        if prompt_version(tried.instructions) != planned["prompt_version"]:
            raise SetupError(f"the instructions of {tried.name!r} have changed since sample: trigger another trial")
        routes = read_routes(self.include / "prompts/models.yaml")
        model = Timed(judge_at(runtime, tried.model, include.taxonomy, routes))
        quota = Quota(burndown=tried.model.burndown, **{name: float(value) for name, value in self.quota.items()})
        clock = Clock()
        way = Way(tried.model.model_id, model, tried.model, quota)
        spread = Spread.over([way], clock, estimated_tokens(tried.instructions))
        ledger = run_ledger(context, self.control_table, self.aws_conn_id, planned["max_micro_usd"])
        ledger.run_id += f"/{self.contender['number']}"  # its part of the money, also in its next try
        asker = Asker(
            spread, Apart(ledger), tried.model, tried.instructions, include.taxonomy, clock, self._stop.is_set
        )
        todo = [each for each in drawn if each.draw not in answers]
        conversations = self._conversations(include, plan["seed"], todo, answers)
        renewal = _Renewal(claim, spread, self._stop)
        unwritten = 0
        try:
            for judged in judge(conversations, asker, int(self.in_flight), renewal.renew):
                if answer := answer_of(judged):
                    answers[answer.draw] = answer
                    unwritten += 1
                if unwritten >= WRITE_EVERY:
                    files.write_answers(planned["file"], answers)
                    unwritten = 0
        finally:
            files.write_answers(planned["file"], answers)
        told = self._told(tried, drawn, answers)
        if told["left"] and self._stop.is_set():
            raise ModelBusy(f"{tried.name!r} was stopped, {told['left']} are left: this task goes on in its next try")
        return told

    def _runtime(self) -> Any:
        return aws_client("bedrock-runtime", self.aws_conn_id, client_config(int(self.in_flight)))

    def _conversations(
        self, include: TrialInclude, seed: int, todo: Sequence[Drawn], answers: dict[str, Answer]
    ) -> Iterator[Conversation]:
        """Yield what *todo* names, each under its draw; what is not as it was drawn goes to *answers* as missing."""
        dynamodb, s3 = aws_client("dynamodb", self.aws_conn_id), aws_client("s3", self.aws_conn_id)
        lookup = Lookup(dynamodb, dynamodb.describe_table(TableName=self.table)["Table"], include.mapping, s3)
        gold = include.gold(seed)
        for each in todo:
            conversation = lookup.find(each.conversation_id) if each.conversation_id else _own(gold.get(each.draw))
            if conversation and conversation.content_hash == each.content_hash:
                yield replace(conversation, conversation_id=each.draw)
            else:
                missing: Literal["deleted", "changed"] = "changed" if conversation else "deleted"
                answers[each.draw] = Answer(draw=each.draw, missing=missing)

    def _told(self, tried: Tried, drawn: Sequence[Drawn], answers: Mapping[str, Answer]) -> dict[str, int]:
        told = {
            "judged": sum(each.missing is None for each in answers.values()),
            "missing": sum(each.missing is not None for each in answers.values()),
            "left": len(drawn) - len(answers),
            "cost_micro_usd": sum(each.cost_micro_usd for each in answers.values()),
        }
        self.log.info("%s: %s", tried.name, told)
        return told


def _own(row: GoldRow | None) -> Conversation | None:
    return Conversation(row.id, row.turns) if row and row.turns else None


class _Renewal:
    """Keeps the claim and the share of the quota while the contender judges."""

    def __init__(self, claim: SegmentClaim, spread: Spread, stop: threading.Event) -> None:
        self.claim, self.spread, self.stop, self._again_at = claim, spread, stop, 0.0

    def renew(self) -> None:
        """Extend both, once a second at most; stop when the claim is another's."""
        if time.monotonic() < self._again_at or self.stop.is_set():
            return
        share = self.claim.renew()
        if share is None:
            self.stop.set()
            return
        self.spread.share(share)
        self._again_at = time.monotonic() + RENEW_EVERY_S
