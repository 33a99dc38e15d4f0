"""What one segment is judged by; everything here is the same for every conversation of the run."""

from dataclasses import dataclass
from functools import cached_property

from chatcensus.interval import Window
from chatcensus.mapping import TableMapping
from chatcensus.model_catalog import Model
from chatcensus.pacing import Quota
from chatcensus.prompt import prompt_version
from chatcensus.reevaluation import Where
from chatcensus.taxonomy import Taxonomy


@dataclass(frozen=True)
class Job:
    """
    The work of one task.

    Shape: with *where*, a re-evaluation: exactly what it matches is judged again, and nothing that is pending. A dry
    run reads and counts, makes no call and writes nothing.
    """

    name: str
    run_id: str
    window: Window
    mapping: TableMapping
    instructions: str
    taxonomy: Taxonomy
    model_id: str
    model: Model
    quota: Quota
    pseudonym_secret: str
    in_flight: int
    expected: int = 0
    where: Where | None = None
    is_dry_run: bool = False

    @cached_property
    def prompt_version(self) -> str:
        """The version of the instructions."""
        return prompt_version(self.instructions)
