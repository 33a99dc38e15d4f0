"""
What the control table knows of a run's batch inference: its rounds.

    run#<dag>/<run>     batch#<n>     a round: its files, its jobs, what was reserved for it, and whether it is settled

A round is written in one transaction with the money that is reserved for it, and settled in another: whoever dies in
between finds either both or nothing, so that nothing is paid, reserved or given back twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from chatcensus.aws.batch_turn import BatchTurn
from chatcensus.aws.ledger import Ledger
from chatcensus.errors import SetupError

ASKED, REFUSED = "asked", "refused"

_deserialize = TypeDeserializer().deserialize
_serialize = TypeSerializer().serialize


@dataclass(frozen=True)
class BatchJob:
    """
    One job of a round; *arn* is empty before Bedrock was asked for it, ASKED while nobody knows what came of that, and
    REFUSED when the account may have no more of them.

    Units: *reserved_micro_usd* is the most that its answers can cost.
    """

    records: int
    reserved_micro_usd: int
    arn: str = ""

    @property
    def is_made(self) -> bool:
        """Whether Bedrock has it."""
        return self.arn.startswith("arn:")


@dataclass(frozen=True)
class Round:
    """
    What one try of `submit` has sent: *jobs*, whose records lie below *records* and whose answers below *answers*.

    Shape: *model* is the id that the records are for, *split* that of the segments, whose numbers name the files.
    *conversations* were counted as asked about when they were sent, where the run has a limit of them; *hours* is the
    timeout of the jobs.
    """

    number: int
    model: str
    table: str
    bucket: str
    records: str
    answers: str
    split: str
    conversations: int
    hours: int
    deadline: datetime
    jobs: tuple[BatchJob, ...]
    is_settled: bool = False

    @property
    def reserved_micro_usd(self) -> int:
        """What is reserved for all of its jobs."""
        return sum(job.reserved_micro_usd for job in self.jobs)

    def as_dict(self) -> dict[str, Any]:
        """Return the round as the control table keeps it."""
        return {**vars(self), "deadline": self.deadline.isoformat(), "jobs": [vars(job) for job in self.jobs]}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> "Round":
        """Return the round that `as_dict` gave, as DynamoDB gives it back."""
        jobs = (BatchJob(int(job["records"]), int(job["reserved_micro_usd"]), job["arn"]) for job in row["jobs"])
        plain: dict[str, Any] = {
            name: row[name] for name in ("model", "table", "bucket", "records", "answers", "split")
        }
        plain |= {name: int(row[name]) for name in ("number", "conversations", "hours")}
        deadline = datetime.fromisoformat(row["deadline"])
        return cls(**plain, deadline=deadline, jobs=tuple(jobs), is_settled=row["is_settled"])


class BatchLedger:
    """
    The rounds of one run, and its turn of their tables.

    Shape: *ledger* is that of the run, with its limits. Errors: those of boto3.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.client, self.control_table, self.run_id = ledger.client, ledger.control_table, ledger.run_id
        self.max_micro_usd, self.max_conversations = ledger.max_micro_usd, ledger.max_conversations
        self.turn = BatchTurn(self.client, self.control_table, self.run_id)
        self._ledger = ledger

    def left(self) -> tuple[int, int]:
        """Return how many micro-USD and how many conversations the run may still send."""
        row = self._ledger.run()
        money = self.max_micro_usd - int(row.get("spent_micro_usd", 0))
        begun = self.max_conversations - int(row.get("conversations", 0))
        return max(0, money), max(0, begun) if self.max_conversations else 2**62

    def rounds(self) -> list[Round]:
        """Return the rounds of the run so far, in order."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.control_table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :batch)",
            ExpressionAttributeValues={":pk": self._key("")["pk"], ":batch": {"S": "batch#"}},
            ConsistentRead=True,
        )
        rows = [{name: _deserialize(value) for name, value in item.items()} for page in pages for item in page["Items"]]
        return [Round.from_dict(row) for row in rows]

    def ask_by(self, model: str, prompt_version: str) -> None:
        """Remember by what `submit` has decided to ask; answers to anything else stay unused."""
        self._ledger.record(batch_model=model, batch_prompt_version=prompt_version)

    def check_asked_by(self, model: str, prompt_version: str) -> None:
        """Raise SetupError where the records were sent by another model or prompt: both would be paid for."""
        row = self._ledger.run()
        sent = row.get("batch_model"), row.get("batch_prompt_version")
        if sent != (model, prompt_version):
            raise SetupError(
                f"the batch jobs of this run were asked by model {sent[0]!r} and prompt {sent[1]!r}, which are "
                f"{model!r} and {prompt_version!r} now: put them back and clear this task, and the answers are used; "
                "or clear submit, and what is due is asked and paid for anew"
            )

    def end_turns(self) -> None:
        """Let the next run have the turn of what this one's rounds were about."""
        for table in {round_.table for round_ in self.rounds()}:
            self.turn.end(table)

    def begin(self, round_: Round, hours: float) -> bool:
        """
        Write *round_*, reserve its money and count its conversations, and have the turn for *hours*: all or nothing.

        False, and nothing written, when the run has not the money or the conversations left.
        Errors: SetupError while another run has the turn.
        """
        money, most = self.max_micro_usd - round_.reserved_micro_usd, self.max_conversations - round_.conversations
        if money < 0 or (round_.conversations and most < 0):
            return False
        spend = self._add(round_.reserved_micro_usd, round_.conversations)
        spend["ConditionExpression"] = "(attribute_not_exists(#spent) OR #spent <= :money)"
        spend["ExpressionAttributeValues"][":money"] = _serialize(money)
        if round_.conversations:
            spend["ConditionExpression"] += " AND (attribute_not_exists(#begun) OR #begun <= :most)"
            spend["ExpressionAttributeValues"][":most"] = _serialize(most)
        row = round_.as_dict()
        write = self._update(
            f"batch#{round_.number:04d}",
            "SET " + ", ".join(f"#{name} = :{name}" for name in row),
            {f":{name}": value for name, value in row.items()},
            ConditionExpression="attribute_not_exists(pk)",
            ExpressionAttributeNames={f"#{name}": name for name in row},
        )
        failed = self._all_or_nothing(spend, write, self.turn.taking(round_.table, hours))
        if failed == 2:  # the turn
            self.turn.check(round_.table)
        return failed is None

    def made(self, round_: Round, place: int, arn: str) -> None:
        """Remember that the job at *place* of the round's jobs was made, or is ASKED for, or REFUSED."""
        name = f"batch#{round_.number:04d}"
        self.client.update_item(**self._update(name, f"SET jobs[{place}].arn = :arn", {":arn": arn}))

    def settle(self, round_: Round, paid_micro_usd: int, answered: int) -> None:
        """
        Put what was paid in the place of what was reserved, and count only what was *answered* as asked about: once.

        A round that is settled already stays as it is.
        """
        not_asked = min(0, answered - round_.conversations) if round_.conversations else 0
        write = self._update(
            f"batch#{round_.number:04d}",
            "SET is_settled = :yes, paid_micro_usd = :paid, answered = :answered",
            {":yes": True, ":no": False, ":paid": paid_micro_usd, ":answered": answered},
            ConditionExpression="is_settled = :no",
        )
        self._all_or_nothing(self._add(paid_micro_usd - round_.reserved_micro_usd, not_asked), write)

    def _all_or_nothing(self, *updates: Any) -> int | None:
        """Make all *updates*; or none, and return the place of the first whose condition is not fulfilled."""
        try:
            self.client.transact_write_items(TransactItems=[{"Update": update} for update in updates])
        except self.client.exceptions.TransactionCanceledException as error:
            codes = [reason.get("Code") for reason in error.response["CancellationReasons"]]
            if "ConditionalCheckFailed" not in codes:  # another write of the same row, at the same time
                raise
            return codes.index("ConditionalCheckFailed")
        return None

    def _add(self, micro_usd: int, conversations: int) -> dict[str, Any]:
        """Return the update that adds to what the run has spent and begun."""
        names, values = {"#spent": "spent_micro_usd"}, {":spent": micro_usd}
        if conversations:
            names, values = names | {"#begun": "conversations"}, values | {":begun": conversations}
        adds = ", ".join(f"{name} {value}" for name, value in zip(names, values, strict=True))
        return self._update("run", f"ADD {adds}", values, ExpressionAttributeNames=names)

    def _update(self, sk: str, expression: str, values: Mapping[str, Any], **others: Any) -> dict[str, Any]:
        return {
            "TableName": self.control_table,
            "Key": self._key(sk),
            "UpdateExpression": expression,
            "ExpressionAttributeValues": {name: _serialize(value) for name, value in values.items()},
            **others,
        }

    def _key(self, sk: str) -> dict[str, Any]:
        return {"pk": {"S": f"run#{self.run_id}"}, "sk": {"S": sk}}
