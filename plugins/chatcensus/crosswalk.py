"""
The crosswalk: how the categories of an older taxonomy meet those of a newer one (`include/prompts/crosswalk.yaml`).

A rename or a merge loses nothing: what was judged by the older name counts under today's. A split cannot be undone by
counting: until the split category is judged again, only what it was before can be compared over the change.
"""

from collections.abc import Iterator
from datetime import date
from functools import cached_property
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from chatcensus.errors import SetupError
from chatcensus.taxonomy import KEY, Taxonomy

Version = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
Key = Annotated[str, Field(pattern=KEY)]


class Step(BaseModel):
    """
    One change of the taxonomy.

    Shape: *split* gives, for a category of the version before, those that it became, itself among them where it stays;
    *renamed* and *merged* give the key that took the place of one of the version before.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    before: Version = Field(alias="from")
    after: Version = Field(alias="to")
    since: date
    split: dict[Key, tuple[Key, ...]] = Field(default_factory=dict)
    renamed: dict[Key, Key] = Field(default_factory=dict)
    merged: dict[Key, Key] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _says_one_thing_of_each(self) -> "Step":
        named = [*self.split, *self.renamed, *self.merged]
        if twice := sorted({key for key in named if named.count(key) > 1}):
            raise ValueError(f"a category is split, renamed or merged, and not two of them: {', '.join(twice)}")
        if short := sorted(key for key, parts in self.split.items() if len(set(parts)) < 2):
            raise ValueError(f"a split is into two different categories at least: {', '.join(short)}")
        return self

    def of(self, category: str) -> str:
        """Return the name that *category* of the version before has in the version after."""
        return self.renamed.get(category) or self.merged.get(category) or category


class Crosswalk(BaseModel):
    """The steps from the oldest version to the one in force, each beginning where the one before it ends."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: tuple[Step, ...] = ()

    @model_validator(mode="after")
    def _is_one_chain(self) -> "Crosswalk":
        for earlier, later in zip(self.steps, self.steps[1:], strict=False):
            if earlier.after != later.before:
                raise ValueError(f"a step ends at {earlier.after}, the next begins at {later.before}: they must meet")
        versions = self.versions
        if len(set(versions)) < len(versions):
            raise ValueError("a version stands there twice: a taxonomy that comes back needs no step of its own")
        return self

    @property
    def versions(self) -> list[str]:
        """The versions in their order; none where nothing has changed yet."""
        return [*(step.before for step in self.steps), *(step.after for step in self.steps[-1:])]

    def check(self, taxonomy: Taxonomy) -> None:
        """Errors: SetupError when the steps do not lead to *taxonomy*."""
        if not self.steps:
            return
        if self.steps[-1].after != taxonomy.version:
            raise SetupError(
                f"crosswalk.yaml ends at version {self.steps[-1].after}, the taxonomy in force is {taxonomy.version}: "
                f"add the step from the one to the other, or take the change back"
            )
        step = self.steps[-1]
        named = {*step.renamed.values(), *step.merged.values(), *(key for keys in step.split.values() for key in keys)}
        if unknown := sorted(named - taxonomy.keys):
            raise SetupError(
                f"the last step of crosswalk.yaml leads to {', '.join(unknown)}, which the taxonomy in force has not: "
                f"correct the step"
            )

    def today(self, version: str | None, category: str) -> str:
        """Return the name that *category*, as it was judged under *version*, has today by renaming and merging."""
        for step in self._since(version):
            category = step.of(category)
        return category

    def label_today(self, version: str, category: str) -> str | None:
        """Return *category*, as a person chose it under *version*, by its name of today; None if it was split since."""
        for step in self._since(version):
            if category in step.split:
                return None
            category = step.of(category)
        return category

    def _since(self, version: str | None) -> tuple[Step, ...]:
        versions = self.versions
        return self.steps[versions.index(version) :] if version in versions else ()

    @cached_property
    def renames(self) -> list[tuple[str, str, str]]:
        """Version, category and today's name of every category that has another one today."""
        keys = sorted({key for step in self.steps for key in (*step.renamed, *step.merged)})
        moved = ((version, key, self.today(version, key)) for version in self.versions for key in keys)
        return [(version, key, name) for version, key, name in moved if key != name]

    @cached_property
    def comparable(self) -> list[tuple[str, str]]:
        """
        Each category that is compared over all versions under another name, and that name.

        Shape: both are names of today; the second is that of the oldest category of all that splits have connected it
        with. A category that is not there is comparable as it is.
        """
        groups: list[list[str]] = []
        for group in self._connected():
            touching = [other for other in groups if set(other) & set(group)]
            groups = [other for other in groups if other not in touching]
            groups.append([key for each in (*touching, group) for key in each])
        return sorted({(key, group[0]) for group in groups for key in group if key != group[0]})

    def _connected(self) -> Iterator[list[str]]:
        """Yield what each split connects, by today's names, the category that was split first."""
        for step in self.steps:
            for key, parts in step.split.items():
                yield [self.today(step.after, name) for name in (key, *parts)]
