"""What judging everything that is due would take, from the conversations that were read: all of them, or a sample."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from chatcensus.conversation import estimated_tokens
from chatcensus.forecast import Letters, expected_usage, message_about
from chatcensus.job import Job
from chatcensus.model_catalog import ModelCatalog
from chatcensus.pricing import Price, Usage, cost_micro_usd
from chatcensus.selection import Found
from chatcensus.side_by_side import Fixed, Work, expected_micro_usd, minutes, side_by_side, table_lines
from chatcensus.usage_history import LEAST_CALLS, History, Used

SURE = 1.96  # standard errors on either side: 95 of 100 samples
NONE_SEEN = 3.0  # with none among n, up to 3/n of all may be there: as sure


@dataclass
class Estimate:
    """
    The conversations that were read, summed up.

    Shape: *guessed_micro_usd* is the guess of one call for each that is due, by the formula that `classify` sums up in
    a dry run; *squares* are of those guesses, and *guess_of_all* is of one call for each that was read. *used* is what
    evaluations by the job's prompt have taken, by model.
    """

    job: Job
    price: Price
    conversations: int = 0
    due: int = 0
    calls: int = 0
    unreadable: int = 0
    guessed_tokens: int = 0
    readable: int = 0
    tokens_of_all: int = 0
    guessed_micro_usd: int = 0
    squares: int = 0
    guess_of_all: int = 0
    letters: Letters = field(default_factory=Letters)
    used: dict[str, Used] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._instruction_tokens = estimated_tokens(self.job.instructions)

    def add(self, found: Found) -> None:
        """Count a conversation."""
        usage = expected_usage(found.conversation, self._instruction_tokens)
        guess = cost_micro_usd(usage, self.price)
        self.conversations += 1
        self.unreadable += found.conversation.problem is not None
        self.guess_of_all += guess
        self.readable += usage.input_tokens > 0
        self.tokens_of_all += usage.input_tokens
        previous = found.previous
        is_of_prompt = previous and previous.get("prompt_version") == self.job.prompt_version
        if previous and is_of_prompt and usage.input_tokens and not self._is_of_batch(previous):
            model = str(previous.get("model"))
            used = Used.of_evaluation(previous, usage.input_tokens)
            self.used[model] = self.used.get(model, Used()) + used
        if not found.is_due:
            return
        self.due += 1
        if usage.input_tokens and found.stored.has_room:
            self.calls += 1
            self.letters += Letters.of(message_about(found.conversation))
            self.guessed_tokens += usage.input_tokens
            self.guessed_micro_usd += guess
            self.squares += guess * guess

    def of_table(
        self,
        times: float,
        catalog: ModelCatalog,
        runs: Iterable[tuple[str, str, Used]],
        quota: Mapping[str, float],
        day: date,
        most: int = 0,
    ) -> dict[str, Any]:
        """
        Return the figures of a table *times* as large as what was read; 1 is the table itself, without a doubt.

        Shape: `due` and `cost_micro_usd` with the range (`_low`, `_high`) in which 95 of 100 samples have the truth;
        no more than *most* (0: all) are judged. `models` is the table of side_by_side.py, by the history of the
        ledger's *runs* and of what was read; the figures above it are those of its first row, the model of the job.
        """
        work, job = Work(self.due, self.calls, self.guessed_tokens, self.letters) * times, self.job
        part = most / work.conversations if 0 < most < work.conversations else 1.0
        history = History(catalog, job.prompt_version, runs, self.used)
        fixed = Fixed.of(job.instructions, job.taxonomy)
        rows = side_by_side(work * part, fixed, catalog, job.model_id, history, quota, day)
        return {
            **{name: round(times * getattr(self, name)) for name in ("conversations", "due", "unreadable")},
            **self._due_range(times),
            "judged": round(work.conversations * part),
            **{name: rows[0][name] for name in ("calls", "input_tokens", "output_tokens")},
            "cost_micro_usd": expected_micro_usd(rows[0]),
            **self._cost_range(times, part, expected_micro_usd(rows[0])),
            "minutes": minutes(rows[0]),
            "guessed_micro_usd": round(times * self.guessed_micro_usd),
            "guessed_tokens": self._guess_of_one(),
            "models": rows,
        }

    def _guess_of_one(self) -> int:
        """Return the guess of one call: by those that are due, or by all that were read where those are few."""
        if self.calls >= LEAST_CALLS:
            return round(self.guessed_tokens / self.calls)
        return round(self.tokens_of_all / max(1, self.readable))

    def _is_of_batch(self, evaluation: Mapping[str, Any]) -> bool:
        """Return whether batch inference has made it, without the tool and the cache: only its cost says so."""
        if self.price.batch is None or evaluation.get("model") != self.job.model_id:
            return False
        tokens_in, tokens_out = (int(evaluation.get(f"{way}_tokens", 0)) for way in ("input", "output"))
        half = cost_micro_usd(Usage(tokens_in, tokens_out), self.price, is_batch=True)
        return abs(int(evaluation.get("cost_micro_usd", 0)) - half) <= int(evaluation.get("attempts", 0))

    # Both ranges are as if each conversation had been drawn by itself; none leaves what is possible.

    def _due_range(self, times: float) -> dict[str, int]:
        half = self._due_half(times)
        return {
            "due_low": max(self.due, math.floor(times * self.due - half)),
            "due_high": min(round(times * self.conversations), math.ceil(times * self.due + half)),
        }

    def _cost_range(self, times: float, part: float, expected: int) -> dict[str, int]:
        """Return the range of the cost: that of the guess, by as much as what is *expected* differs from it."""
        half = _doubt(times) * SURE * self._spread(self.guessed_micro_usd, self.squares)
        if self._is_alike:  # for those that may be there, or not be, though none was seen
            half += self._due_half(times) * self.guess_of_all / max(1, self.conversations)
        guess = times * self.guessed_micro_usd
        by = expected / guess if guess else part
        return {
            "cost_micro_usd_low": max(math.floor(by * self.guessed_micro_usd), math.floor(by * (guess - half))),
            "cost_micro_usd_high": math.ceil(by * (guess + half)) if half else expected,
        }

    @property
    def _is_alike(self) -> bool:
        return self.due in (0, self.conversations)

    def _due_half(self, times: float) -> float:
        return _doubt(times) * (NONE_SEEN if self._is_alike else SURE * self._spread(self.due, self.due))

    def _spread(self, total: int, squares: int) -> float:
        return math.sqrt(max(0.0, squares - total * total / max(1, self.conversations)))


def _doubt(times: float) -> float:
    return times * math.sqrt(1 - 1 / times)  # what was read is known: the doubt is about the rest only


def estimate_lines(figures: Mapping[str, Any], quota: Mapping[str, float]) -> Iterator[str]:
    """Yield what is to be told of *figures*, those of `of_table` with what the command knows of the table."""
    sampled = figures["is_sample"]
    read, items = figures["items_read"], figures["items"]
    yield _line("items", f"{items:,} in the table, {read:,} read" + (": a sample, drawn at random" if sampled else ""))
    yield _line("conversations", f"{_about(sampled)}{figures['conversations']:,}, of which {_due(figures)} due")
    if figures["unreadable"]:
        yield _line("unreadable", f"{_about(sampled)}{figures['unreadable']:,}: see `chatcensus table check`")
    for reason, count in sorted(figures["skipped"].items()):
        yield _line("not counted", f"{count:,} of those read: {reason}")
    yield _line("tokens", f"{_about(sampled)}{figures['input_tokens']:,} input, {figures['output_tokens']:,} output")
    yield _line("cost", _cost(figures))
    yield _line("reading", f"{figures['read_units']:,} read units a run, {figures['read_micro_usd'] / 1e6:.4f} USD")
    yield _line(
        "time",
        f"{counted(figures['minutes'], 'minute')} at {quota['requests_per_minute']:,.0f} requests and "
        f"{quota['tokens_per_minute']:,.0f} tokens a minute",
    )
    yield _BASIS[figures["models"][0]["tokens_from"]]
    yield ""
    yield from table_lines(figures["models"])
    if sampled:
        yield (
            "Ranges hold in 95 of 100 samples of conversations that are alike all over the table; the table's size is "
            "DynamoDB's own count, which may be six hours old. --items 0 reads everything."
        )


_BASIS = {
    "prompt": "By what calls of this model and prompt have taken: tokens, answers, repeated questions, and the cache.",
    "family": "By what calls of the same model have taken, elsewhere or by another prompt.",
    "": "An estimate: one call each, tokens reckoned from the text. An invalid answer is asked again, at most twice.",
}


def counted(count: int, what: str) -> str:
    """Return *count* with its noun: 1 minute, 2 minutes."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def _line(name: str, text: str) -> str:
    return f"{name:<16}{text}"


def _about(sampled: bool) -> str:
    return "about " if sampled else ""


def _due(figures: Mapping[str, Any]) -> str:
    if not figures["is_sample"]:
        return f"{figures['due']:,} are"
    return f"about {figures['due']:,} ({figures['due_low']:,} to {figures['due_high']:,}) are"


def _cost(figures: Mapping[str, Any]) -> str:
    usd = {name: figures[f"cost_micro_usd{name}"] / 1e6 for name in ("", "_low", "_high")}
    if not figures["is_sample"]:
        return f"{usd['']:.4f} USD"
    return f"about {usd['']:.4f} USD ({usd['_low']:.4f} to {usd['_high']:.4f})"
