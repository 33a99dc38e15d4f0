"""judge: let one contender of a trial judge its sample; mapped over the contenders."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from airflow.sdk import BaseOperator, Context

from chatcensus.asking import Asker
from chatcensus.aws.bedrock import client_config
from chatcensus.aws.claims import SegmentClaim
from chatcensus.aws.judges import judge_at
from chatcensus.aws.lookup import Lookup
from chatcensus.aws.renewal import Renewal
from chatcensus.aws.trials import TrialFiles
from chatcensus.clock import Clock
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

WRITE_EVERY = 25  # answers: what a try that is killed has paid for and not written is at most so many


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
        planned, include = plan["contenders"][self.contender["number"] - 1], TrialInclude(self.include)
        file, answers, unwritten = planned["file"], files.answers(planned["file"], drawn), 0
        asker = self._asker(context, include, planned)
        todo = [each for each in drawn if each.draw not in answers]
        texts = {each.draw: each.content_hash for each in todo}
        conversations = self._conversations(include, plan["seed"], todo, answers)
        renewal = Renewal(claim, asker.spread, self._stop)
        try:
            for judged in judge(conversations, asker, int(self.in_flight), renewal.renew):
                if answer := answer_of(judged, texts[judged.conversation_id]):
                    answers[answer.draw] = answer
                    unwritten += 1
                if unwritten >= WRITE_EVERY:
                    files.write_answers(file, answers)
                    unwritten = 0
        finally:
            # Another try may have written meanwhile, if this one has stood still for longer than its claim holds.
            files.write_answers(file, files.answers(file, drawn) | answers)
        told = self._told(planned["name"], drawn, answers)
        if told["left"] and self._stop.is_set():
            raise ModelBusy(f"{planned['name']!r} was stopped, {told['left']} are left: it goes on in its next try")
        return told

    def _asker(self, context: Context, include: TrialInclude, planned: Mapping[str, Any]) -> Asker:
        """Return who asks the model of the contender that is *planned*, with its part of the money."""
        runtime = aws_client("bedrock-runtime", self.aws_conn_id, client_config(int(self.in_flight)))
        tried = include.tried(Contender.parse(planned["name"]), runtime.meta.region_name, datetime.now(UTC).date())
        model, instructions = tried.model, tried.instructions
        if prompt_version(instructions) != planned["prompt_version"]:
            raise SetupError(f"the instructions of {tried.name!r} have changed since sample: trigger another trial")
        routes = read_routes(self.include / "prompts/models.yaml")
        timed = Timed(judge_at(runtime, model, include.taxonomy, routes))
        quota = Quota(burndown=model.burndown, **{name: float(value) for name, value in self.quota.items()})
        clock = Clock()
        spread = Spread.over([Way(model.model_id, timed, model, quota)], clock, estimated_tokens(instructions))
        ledger = run_ledger(context, self.control_table, self.aws_conn_id, planned["max_micro_usd"])
        ledger.run_id += f"/{self.contender['number']}"  # its part of the money, also in its next try
        return Asker(spread, Apart(ledger), model, instructions, include.taxonomy, clock, self._stop.is_set)

    def _conversations(
        self, include: TrialInclude, seed: int, todo: Sequence[Drawn], answers: dict[str, Answer]
    ) -> Iterator[Conversation]:
        """Yield what *todo* names, each under its draw; what is not as it was drawn goes to *answers* as missing."""
        dynamodb, s3 = aws_client("dynamodb", self.aws_conn_id), aws_client("s3", self.aws_conn_id)
        lookup, gold = Lookup(dynamodb, self.table, include.mapping, s3), include.gold(seed)
        for each in todo:
            conversation = lookup.find(each.conversation_id) if each.conversation_id else _own(gold.get(each.draw))
            if conversation and conversation.content_hash == each.content_hash:
                yield replace(conversation, conversation_id=each.draw)
            else:
                missing: Literal["deleted", "changed"] = "changed" if conversation else "deleted"
                answers[each.draw] = Answer(draw=each.draw, content_hash=each.content_hash, missing=missing)

    def _told(self, name: str, drawn: Sequence[Drawn], answers: Mapping[str, Answer]) -> dict[str, int]:
        told = {
            "judged": sum(each.missing is None for each in answers.values()),
            "missing": sum(each.missing is not None for each in answers.values()),
            "left": len(drawn) - len(answers),
            "cost_micro_usd": sum(each.cost_micro_usd for each in answers.values()),
        }
        self.log.info("%s: %s", name, told)
        return told


def _own(row: GoldRow | None) -> Conversation | None:
    return Conversation(row.id, row.turns) if row and row.turns else None
