"""Batch inference: whether a run waits for it, and the record that is sent of a conversation."""

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chatcensus.answer import Reply
from chatcensus.conversation import Conversation, transcript
from chatcensus.errors import SetupError
from chatcensus.evaluation import evaluation_key
from chatcensus.job import Job
from chatcensus.model_catalog import Model
from chatcensus.pricing import Price, Usage, cost_micro_usd
from chatcensus.prompt import user_message

# Defaults of Service Quotas, "records per batch inference job"; fewer are refused, more are another job.
LEAST_RECORDS, MOST_RECORDS = 100, 50_000
# Bedrock gives a job that it was given no longer than this; we do not wait longer than our files in S3 are kept.
LEAST_HOURS, MOST_HOURS = 24, 144


@dataclass(frozen=True)
class Choice:
    """Whether the conversations of a run go by batch inference, and why, in one line for its log."""

    is_batch: bool
    why: str


def choose(mode: str, model: Model, price: Price, forecast: Mapping[str, Any], hours: float, role: str) -> Choice:
    """
    Return how a run asks: as *mode* says, or, when that is `auto`, by what is cheaper and in time.

    Shape: *forecast* is that of `plan`: its figures are realtime's with its cache, its first model is the run's. *role*
    is that of the jobs, empty where there is none. Units: the run may wait *hours*.
    Errors: SetupError for mode batch where no job can be.
    """
    if mode == "realtime":
        return Choice(is_batch=False, why="mode is realtime")
    obstacle = _obstacle(model, price, role)
    if mode == "batch":
        if obstacle:
            raise SetupError(f"mode batch cannot be: {obstacle}; or choose the mode realtime")
        return Choice(is_batch=True, why="mode is batch")
    conversations = forecast["conversations"]
    if obstacle:
        return Choice(is_batch=False, why=obstacle)
    if hours < LEAST_HOURS:
        return Choice(is_batch=False, why=f"a job may take {LEAST_HOURS} hours, and deadline_hours is {hours:g}")
    if conversations < LEAST_RECORDS:
        return Choice(is_batch=False, why=f"about {conversations} conversations, and a job needs {LEAST_RECORDS}")
    batch, realtime = forecast["models"][0]["batch_micro_usd"], forecast["cost_micro_usd"]
    why = f"about {batch / 1e6:.4f} USD by batch, {realtime / 1e6:.4f} USD by realtime with its cache"
    return Choice(batch < realtime, why)


def _obstacle(model: Model, price: Price, role: str) -> str:
    if price.batch is None:
        return f"model {model.model_id!r} takes no batch inference by include/prompts/models.yaml: choose another model"
    return "" if role else "no role for the jobs: set the Variable chatcensus_batch_role"


def record_id(conversation: Conversation, job: Job) -> str:
    """
    Return the name of a conversation's record: another text, prompt or model is another record.

    Shape: 32 hex digits of a sha256, which say nothing of the text.
    """
    key = evaluation_key(conversation.content_hash, job.prompt_version, job.model_id)
    return hashlib.sha256(f"{conversation.conversation_id}\n{key}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


@dataclass(frozen=True)
class Record:
    """One line of a file of records, its name, and the most that its answer can cost."""

    record_id: str
    line: bytes
    most_micro_usd: int


def record(
    conversation: Conversation, job: Job, price: Price, nonce: Callable[[], str] = lambda: secrets.token_hex(8)
) -> Record | None:
    """
    Return the record of *conversation*; None where there is nothing to ask about.

    Shape: the body of a Converse request without tools, which batch inference does not take: the answer is JSON text.
    Source: https://docs.aws.amazon.com/bedrock/latest/userguide/batch-inference-data.html; that a token is at least a
    byte bounds the cost, as it does for a call.
    """
    shown = transcript(conversation.turns)
    if conversation.problem or shown.is_blank:
        return None
    message, model = user_message(shown, nonce(), "prompt"), job.model
    inference: dict[str, Any] = {"maxTokens": model.max_tokens}
    if model.temperature is not None:
        inference["temperature"] = model.temperature
    body: dict[str, Any] = {
        "system": [{"text": job.instructions}],
        "messages": [{"role": "user", "content": [{"text": message}]}],
        "inferenceConfig": inference,
    }
    if model.request_fields:
        body["additionalModelRequestFields"] = model.request_fields
    name = record_id(conversation, job)
    line = json.dumps({"recordId": name, "modelInput": body}, ensure_ascii=False)
    most = Usage(len(job.instructions.encode()) + len(message.encode()), model.max_tokens)
    return Record(name, line.encode() + b"\n", cost_micro_usd(most, price, is_batch=True))


class BatchReplies:
    """
    The answers of a segment's records, for the census to use; safe for threads.

    Shape: *replies* by record id. A conversation that has changed has another id, and so no answer here.
    """

    def __init__(self, replies: Mapping[str, Reply], job: Job) -> None:
        self.replies, self.job = replies, job
        self._used = set[str]()

    def reply(self, conversation: Conversation) -> Reply | None:
        """Return the answer about *conversation* as it is now; None when there is none, and it has to be asked."""
        name = record_id(conversation, self.job)
        reply = self.replies.get(name)
        if reply:
            self._used.add(name)
        return reply

    @property
    def is_used_up(self) -> bool:
        """Whether every answer that there is was used."""
        return len(self._used) == len(self.replies)

    @property
    def told(self) -> str:
        """What became of the answers, in one line."""
        unused = len(self.replies) - len(self._used)
        return (
            f"batch inference: {len(self._used)} answers used; {unused} paid for and not used: their conversations are "
            "judged already, have changed, or are gone"
        )
