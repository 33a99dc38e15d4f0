"""An evaluation: what is stored of a judged conversation, under one attribute of its own item."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from chatcensus.answer import Judgement, Reason

ATTRIBUTE = "evaluation"
# What an evaluation keeps of the one that it replaces.
PREVIOUS = ("outcome", "category", "inquiry_score", "reason", "prompt_version", "model", "evaluated_at")


def evaluation_key(content_hash: str, prompt_version: str, model: str) -> str:
    """
    Return the key of an evaluation: the same text, judged by the same prompt and model, has the same key.

    Shape: 32 hex digits of a sha256.
    """
    return hashlib.sha256(f"{content_hash}\n{prompt_version}\n{model}".encode()).hexdigest()[:32]


def pseudonym(user: str, secret: str) -> str:
    """
    Return the pseudonym of *user* under *secret*: 16 hex digits that nobody without the secret can compute.

    Source: HMAC-SHA-256 (RFC 2104); a plain hash would be undone by hashing every user name there is.
    """
    return hmac.new(secret.encode(), user.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:16]


def conversation_subkey(secret: str) -> str:
    """
    Return the key under which `include/sql/layers/layer.sql` turns conversation ids into pseudonyms: 64 hex digits.

    A key of its own, and not *secret*: Athena has to read it from S3, and whoever reads it there can neither make the
    pseudonym of a user nor come back to the secret.
    """
    return hmac.new(secret.encode(), b"conversation ids", hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Evaluation:
    """
    A judgement, or the reason why there is none (a quarantine), with its provenance.

    Shape: either *judgement* or *reason* is set. *attempts*, the tokens and *cost_micro_usd* sum over all paid calls
    for this evaluation. *model* is what was asked for, *answered_by* what says that it answered. *previous* is what a
    re-evaluation has found: that of the same text, with the attributes of PREVIOUS.
    """

    key: str
    verdict: Judgement | Reason
    content_hash: str
    prompt_version: str
    taxonomy_version: str
    model: str
    answered_by: str
    attempts: int
    input_tokens: int
    output_tokens: int
    cost_micro_usd: int
    is_clipped: bool
    user_pseudonym: str | None
    run_id: str
    evaluated_at: datetime
    previous: Mapping[str, Any] | None = None

    def attribute(self) -> dict[str, Any]:
        """Return the evaluation as the map that DynamoDB stores."""
        stored: dict[str, Any] = {
            field.name: value
            for field in fields(self)
            if field.name != "verdict" and (value := getattr(self, field.name)) is not None
        }
        # To the microsecond: two tries that judge alike in one second must not take each other's write for their own.
        stored["evaluated_at"] = self.evaluated_at.isoformat(timespec="microseconds").replace("+00:00", "Z")
        if isinstance(self.verdict, Judgement):
            return stored | {
                "outcome": "evaluated",
                "category": self.verdict.category,
                "inquiry_score": self.verdict.inquiry_score,
            }
        return stored | {"outcome": "quarantined", "reason": str(self.verdict)}


def stored_evaluation(item: Mapping[str, Any], content_hash: str) -> Mapping[str, Any] | None:
    """Return the evaluation that *item* carries, if it carries one of the text with *content_hash*."""
    evaluation = item.get(ATTRIBUTE)
    if isinstance(evaluation, dict) and evaluation.get("content_hash") == content_hash:
        return evaluation
    return None


def is_of_another(item: Mapping[str, Any]) -> bool:
    """Return whether *item* carries, under the name of ours, an attribute that the census has not written."""
    evaluation = item.get(ATTRIBUTE)
    return evaluation is not None and not (isinstance(evaluation, dict) and "content_hash" in evaluation)


def of_previous(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the evaluation that takes the place of *evaluation* keeps of it."""
    return {name: evaluation[name] for name in PREVIOUS if name in evaluation}
