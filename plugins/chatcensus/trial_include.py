"""What a trial takes from the `include/` folder: contenders with their prompts, the mapping, the gold rows."""

from collections.abc import Mapping
from datetime import date
from functools import cached_property
from pathlib import Path

from chatcensus.contender import Contender
from chatcensus.crosswalk import Crosswalk
from chatcensus.gold_rows import GoldRow, parsed_rows, read_gold_rows
from chatcensus.include import read_yaml
from chatcensus.instructions import rendered_instructions
from chatcensus.mapping import TableMapping
from chatcensus.model_catalog import Model, ModelCatalog
from chatcensus.routes import permitted, read_routes
from chatcensus.taxonomy import Taxonomy
from chatcensus.trial import lot
from chatcensus.trial_plan import Tried


class TrialInclude:
    """One `include/` folder; its files are read when they are asked for. Errors: SetupError where one is wrong."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def taxonomy(self) -> Taxonomy:
        """The categories."""
        return read_yaml(self.folder / "prompts/taxonomy.yaml", Taxonomy)

    @cached_property
    def mapping(self) -> TableMapping:
        """Where the table keeps a conversation."""
        return read_yaml(self.folder / "table.yaml", TableMapping)

    def tried(self, contender: Contender, region: str | None, day: date) -> Tried:
        """Return *contender* with its model, called from *region*, its instructions and the price of *day*."""
        models = self.folder / "prompts/models.yaml"
        model: Model = contender.of(read_yaml(models, ModelCatalog))
        permitted(model, region, read_routes(models).residency)
        instructions = rendered_instructions(self.folder, self.taxonomy, contender.prompt)
        return Tried(contender.name, model, instructions, model.price(day))

    def gold(self, seed: int, reviewed: Mapping[str, str] | None = None) -> dict[str, GoldRow]:
        """
        Return the gold rows by the lot that they draw: that of their conversation, or one of their own.

        Shape: with those that were *reviewed*, lines by their place; of two for one conversation the later one counts.
        """
        crosswalk = read_yaml(self.folder / "prompts/crosswalk.yaml", Crosswalk)
        ours = read_gold_rows(self.folder / "gold", self.taxonomy, crosswalk).rows
        theirs = (row for place, lines in (reviewed or {}).items() for _, row in parsed_rows(place, lines))
        rows = sorted([*ours, *theirs], key=lambda row: row.labelled_on)
        return {lot(seed, row.id if row.turns is None else f"gold/{row.id}"): row for row in rows}
