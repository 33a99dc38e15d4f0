"""Judge gold rows as a run would: the same prompt, routes and answers, with money of their own."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from chatcensus.asking import Asker
from chatcensus.aws.judges import judges
from chatcensus.clock import Clock
from chatcensus.conversation import Conversation, estimated_tokens
from chatcensus.crosswalk import Crosswalk
from chatcensus.errors import SetupError
from chatcensus.gold_measure import Measurement, measured
from chatcensus.gold_rows import GoldRow, gold_version, read_gold_rows
from chatcensus.include import read_yaml
from chatcensus.instructions import rendered_instructions
from chatcensus.judging import Allowance, Apart, Judged, Timed, judge
from chatcensus.model_catalog import ModelCatalog
from chatcensus.pacing import REQUESTS_PER_MINUTE, TOKENS_PER_MINUTE, Quota
from chatcensus.prompt import prompt_version
from chatcensus.spreading import Spread
from chatcensus.taxonomy import Taxonomy

IN_FLIGHT = 8
_SILENCE_S = 60.0  # a person waits, or a CI: a run is more patient


class Judging:
    """
    The gold rows of *folder* that have a text, before the model that shall judge them.

    Shape: *left_out* says which rows are not among them, and why; when *stop* is set, no call begins any
    more. Units: *max_micro_usd*.
    Errors: SetupError for a file that is wrong, no row, or too little money; nothing was sent then.
    """

    def __init__(self, include: Path, folder: Path, taxonomy: Taxonomy, model_id: str, max_micro_usd: int) -> None:
        self.folder, self.taxonomy, self.model_id, self.max_micro_usd = folder, taxonomy, model_id, max_micro_usd
        found = read_gold_rows(folder, taxonomy, read_yaml(include / "prompts/crosswalk.yaml", Crosswalk))
        self.rows: list[GoldRow] = [row for row in found.rows if row.turns is not None]
        self.left_out = list(found.left_out())
        if elsewhere := len(found.rows) - len(self.rows):
            self.left_out.append(f"left out: {elsewhere} that are in the table only; model_trial has them judged")
        if not self.rows:
            why = "; ".join(self.left_out) or "there are none"
            raise SetupError(f"{folder} has no gold rows with a text of taxonomy {taxonomy.version}: {why}")
        self.gold_version = gold_version(self.rows)
        self.stop = threading.Event()
        self._instructions = rendered_instructions(include, taxonomy)
        self._models = include / "prompts/models.yaml"

    @cached_property
    def asker(self) -> Asker:
        """The asker of a run, with this money and no table."""
        model = read_yaml(self._models, ModelCatalog).model(self.model_id)
        quota = Quota(REQUESTS_PER_MINUTE, TOKENS_PER_MINUTE, model.burndown)
        ways = judges(self._models, self.model_id, self.taxonomy, quota, IN_FLIGHT)
        clock = Clock()
        timed = [replace(way, judge=Timed(way.judge)) for way in ways]
        spread = Spread.over(timed, clock, estimated_tokens(self._instructions))
        ledger = Apart(Allowance(self.max_micro_usd))

        def is_stopped() -> bool:
            return self.stop.is_set() or spread.silent_s() >= _SILENCE_S

        return Asker(spread, ledger, model, self._instructions, self.taxonomy, clock, is_stopped)

    @cached_property
    def forecast_micro_usd(self) -> int:
        """About what the rows will cost. Errors: SetupError when that is more than there is."""
        forecast = sum(self.asker.forecast_micro_usd(conversation) for conversation in self._conversations())
        if forecast > self.max_micro_usd:
            raise SetupError(
                f"{len(self.rows)} gold rows would cost about {forecast / 1e6:.4f} USD, and --max-usd is "
                f"{self.max_micro_usd / 1e6:.4f}: raise it; nothing was paid"
            )
        return forecast

    def measured(self, tell: Callable[[int], None]) -> Measurement:
        """Return what the model makes of the rows; *tell* hears how many are done. Errors: those of `measured`."""
        return measured(
            self.rows,
            self._judged(tell),
            model=self.model_id,
            prompt_version=prompt_version(self._instructions),
            taxonomy_version=self.taxonomy.version,
            measured_on=datetime.now(UTC).date(),
        )

    def _judged(self, tell: Callable[[int], None]) -> Iterator[Judged]:
        for done, judged in enumerate(judge(self._conversations(), self.asker, IN_FLIGHT), 1):
            tell(done)
            yield judged

    def _conversations(self) -> Iterator[Conversation]:
        for row in self.rows:
            yield Conversation(row.id, row.turns or ())
