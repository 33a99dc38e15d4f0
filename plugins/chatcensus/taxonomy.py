"""The taxonomy: the closed list of categories a conversation can fall in."""

import hashlib
import json
from collections.abc import Iterable
from functools import cached_property

from pydantic import BaseModel, ConfigDict, Field, field_validator

KEY = r"^[a-z][a-z0-9_]{0,39}$"
MOST_CATEGORIES = 20  # with more, models and people agree less on which one it is


class Text(BaseModel):
    """One text in the languages of our readers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    en: str = Field(min_length=1)
    ja: str = Field(min_length=1)


class Category(BaseModel):
    """One category: a key for machines, a label for readers, a definition for the model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str = Field(pattern=KEY)
    label: Text
    definition: Text
    examples: tuple[str, ...] = ()


class Taxonomy(BaseModel):
    """The categories in the order in which the model reads them, at least two and at most MOST_CATEGORIES."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    categories: tuple[Category, ...] = Field(min_length=2, max_length=MOST_CATEGORIES)

    @field_validator("categories")
    @classmethod
    def _keys_are_unique(cls, categories: tuple[Category, ...]) -> tuple[Category, ...]:
        keys = [category.key for category in categories]
        repeated = sorted({key for key in keys if keys.count(key) > 1})
        if repeated:
            raise ValueError(f"a category key may stand only once, these are repeated: {', '.join(repeated)}")
        return categories

    @cached_property
    def keys(self) -> frozenset[str]:
        """The category keys."""
        return frozenset(category.key for category in self.categories)

    def with_new(self, categories: Iterable[Category], before: str) -> "Taxonomy":
        """Return the taxonomy with *categories* in front of the category *before*. Errors: that of a bad taxonomy."""
        keys = [category.key for category in self.categories]
        at = keys.index(before)
        return Taxonomy(categories=(*self.categories[:at], *categories, *self.categories[at:]))

    @cached_property
    def version(self) -> str:
        """The first 12 hex digits of the sha256 of everything in the taxonomy."""
        text = json.dumps(self.model_dump(), ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
