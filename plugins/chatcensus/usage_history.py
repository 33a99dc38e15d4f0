"""What calls have really taken, by model and prompt: what a forecast is measured by as soon as there is some."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from chatcensus.answer import Reason
from chatcensus.model_catalog import Model, ModelCatalog
from chatcensus.tally import Outcome, Tally

LEAST_CALLS = 20  # fewer say little
# Not the model's doing: nothing was said, there was no room for an evaluation, or the mapping does not fit.
NOT_REJECTED = (Reason.EMPTY, Reason.TOO_LARGE, Reason.UNREADABLE)


@dataclass(frozen=True)
class Used:
    """
    Sums over paid calls.

    Shape: *guessed_tokens* is what `forecast.expected_usage` says of the input of the same calls; *input_tokens* has
    all tokens that went in, those of the cache too.
    """

    runs: float = 0
    conversations: float = 0
    calls: float = 0
    input_tokens: float = 0
    output_tokens: float = 0
    cache_read_tokens: float = 0
    cache_write_tokens: float = 0
    cost_micro_usd: float = 0
    guessed_tokens: float = 0

    def __add__(self, other: "Used") -> "Used":
        return Used(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))

    def as_dict(self) -> dict[str, int]:
        """Return whole numbers, for the ledger."""
        return {name: round(value) for name, value in asdict(self).items()}

    @classmethod
    def of_run(cls, tally: Tally, guessed_a_call: float) -> "Used":
        """Return what a run has used, of which `plan` has guessed so many input tokens a call."""
        rejected = sum(count for reason, count in tally.reasons.items() if reason not in NOT_REJECTED)
        return cls(
            runs=1,
            conversations=tally.outcomes[Outcome.EVALUATED] + rejected,
            calls=tally.calls,
            input_tokens=tally.input_tokens,
            output_tokens=tally.output_tokens,
            cache_read_tokens=tally.cache_read_tokens,
            cache_write_tokens=tally.cache_write_tokens,
            cost_micro_usd=tally.cost_micro_usd,
            guessed_tokens=guessed_a_call * tally.calls,
        )

    @classmethod
    def of_evaluation(cls, evaluation: Mapping[str, Any], guessed_tokens: float) -> "Used":
        """Return what one evaluation has used; *guessed_tokens* of one call about its text."""
        calls = int(evaluation.get("attempts", 0))
        if not calls:
            return cls()
        tokens_in, tokens_out = (int(evaluation.get(f"{way}_tokens", 0)) for way in ("input", "output"))
        return cls(0, 1, calls, tokens_in, tokens_out, guessed_tokens=calls * guessed_tokens)


@dataclass(frozen=True)
class Basis:
    """
    What a forecast of one model goes by.

    Shape: *whose* is `prompt` (its own, by this prompt) or `family` (of the same model elsewhere, or by another
    prompt). *input_ratio* is that of the bill to the guess. *cached* is what the cache has of a call, and what a run
    writes to it, which is once, however long the run; None where it was not measured by this prompt.
    """

    whose: str
    input_ratio: float
    calls_each: float
    output_each: float
    cached: tuple[float, float] | None


class History:
    """
    The usage that is known.

    Shape: *of_runs* by model and prompt version, as the ledger keeps it; *of_items* by model, of the evaluations that
    were read and are by *prompt_version*: only what was read with its text can be guessed anew, text by text.
    """

    def __init__(
        self,
        catalog: ModelCatalog,
        prompt_version: str,
        of_runs: Iterable[tuple[str, str, Used]] = (),
        of_items: Mapping[str, Used] | None = None,
    ) -> None:
        self._families = {model.model_id: model.family for model in catalog.models}
        self._prompt_version, self._of_items = prompt_version, dict(of_items or {})
        self._of_runs = dict[tuple[str, str], Used]()
        for model, version, used in of_runs:
            self._of_runs[model, version] = self._of_runs.get((model, version), Used()) + used

    def basis(self, model: Model) -> Basis | None:
        """Return what is known of *model*: by itself and this prompt first, of its family else; None for nothing."""
        own = (
            self._of_items.get(model.model_id, Used()),
            self._of_runs.get((model.model_id, self._prompt_version), Used()),
        )
        items = [used for name, used in self._of_items.items() if self._families.get(name) == model.family]
        runs = [used for (name, _), used in self._of_runs.items() if self._families.get(name) == model.family]
        return _basis("prompt", *own) or _basis("family", sum(items, Used()), sum(runs, Used()))


def _basis(whose: str, items: Used, runs: Used) -> Basis | None:
    """Return the basis of both: the texts that were read tell the ratio exactly, a run tells all the rest."""
    enough = [used for used in (items, runs) if used.calls >= LEAST_CALLS and used.guessed_tokens]
    if not enough:
        return None
    exact, whole = enough[0], enough[-1]
    touched = whole.cache_read_tokens + whole.cache_write_tokens
    cached = (touched / whole.calls, whole.cache_write_tokens / max(1, whole.runs))
    return Basis(
        whose,
        input_ratio=exact.input_tokens / exact.guessed_tokens,
        calls_each=max(1.0, whole.calls / max(1, whole.conversations)),
        output_each=whole.output_tokens / whole.calls,
        cached=cached if whole is runs and whose == "prompt" else None,
    )
