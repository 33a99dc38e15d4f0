"""Who takes part in a trial: a model, an output mode, a prompt file."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from chatcensus.errors import SetupError
from chatcensus.model_catalog import Model, ModelCatalog, OutputMode

PROMPT = "prompts/classify.md"
# <model>, <model>@<output mode>, <model>@<prompt file> or <model>@<output mode>@<prompt file>
CONTENDER = r"^[A-Za-z0-9][A-Za-z0-9.:-]*(@(tool|prompt|json_schema))?(@prompts/[A-Za-z0-9_-]+\.md)?$"
FEWEST, MOST = 2, 6  # contenders: every pair of them is compared


@dataclass(frozen=True)
class Contender:
    """
    One that is tried: a model, by the instructions of *prompt*.

    Shape: with *mode* it answers in that output mode alone, else as a run would let it.
    """

    model: str
    mode: OutputMode | None = None
    prompt: str = PROMPT

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the contender that *text* names, as in CONTENDER. Errors: SetupError for any other text."""
        if not re.fullmatch(CONTENDER, text):
            raise SetupError(
                f"contender {text!r} is none: write a model_id, then @tool, @prompt or @json_schema, then "
                f"@prompts/<file>.md, where you want to try these"
            )
        model, *rest = text.split("@")
        modes: list[OutputMode] = [part for part in rest if not part.startswith("prompts/")]  # type: ignore[misc]
        prompts = [part for part in rest if part.startswith("prompts/")]
        return cls(model, modes[0] if modes else None, prompts[0] if prompts else PROMPT)

    @property
    def name(self) -> str:
        """The text that names it, in its shortest form."""
        return "@".join([self.model, *([self.mode] if self.mode else []), *([self.prompt] * (self.prompt != PROMPT))])

    def of(self, catalog: ModelCatalog) -> Model:
        """Return its model, with no output mode besides the one that is tried. Errors: SetupError."""
        model = catalog.model(self.model)
        if self.mode is None:
            return model
        if self.mode not in model.output_modes:
            modes = ", ".join(model.output_modes)
            raise SetupError(f"contender {self.name!r}: the model has no output mode {self.mode!r}, only {modes}")
        return model.model_copy(update={"output_modes": (self.mode,)})


def contenders(names: Iterable[str], include: Path) -> list[Contender]:
    """
    Return those that *names* name.

    Errors: SetupError for too few or too many, one that stands twice, a prompt file that is not there.
    """
    found = [Contender.parse(name) for name in names]
    if not FEWEST <= len(found) <= MOST:
        raise SetupError(f"a trial has {FEWEST} to {MOST} contenders, not {len(found)}: correct the Param contenders")
    if twice := sorted(each.name for each, count in Counter(found).items() if count > 1):
        raise SetupError(f"contender {twice[0]!r} stands twice: a trial compares different ones")
    for each in found:
        if not (include / each.prompt).is_file():
            raise SetupError(
                f"contender {each.name!r}: there is no include/{each.prompt}: correct it, or deploy the file"
            )
    return found
