"""The catalog's prices beside those of another list, and a new dated entry of the file where they differ."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

import yaml

from chatcensus.errors import ChatCensusError
from chatcensus.model_catalog import Model, ModelCatalog
from chatcensus.pricing import Price

# A price as flat rates, USD per million tokens: `input`, `batch.output`; `long_prompt.over_tokens` is a number.
Rates = Mapping[str, Decimal]


@dataclass(frozen=True)
class Compared:
    """One rate of a model: *ours* of the catalog and *theirs* of the list, None where one has no such rate."""

    rate: str
    ours: Decimal | None
    theirs: Decimal | None

    @property
    def verdict(self) -> Literal["same", "changed", "unknown"]:
        """What is to be said of it; a rate that the list lacks is unknown, and neither gone nor free."""
        if self.theirs is None:
            return "unknown"
        return "same" if self.theirs == self.ours else "changed"


def flat_rates(price: Price) -> dict[str, Decimal]:
    """Return the rates of *price* by name, without those it does not have."""
    told = price.model_dump(exclude={"since", "source"}, exclude_none=True)
    flat: dict[str, Decimal] = {}
    for name, rate in told.items():
        parts = rate.items() if isinstance(rate, dict) else [("", rate)]
        flat |= {f"{name}.{part}".rstrip("."): Decimal(value) for part, value in parts}
    return flat


def compare(price: Price, listed: Rates) -> list[Compared]:
    """Return each rate that the catalog or the list has."""
    ours = flat_rates(price)
    return [Compared(rate, ours.get(rate), listed.get(rate)) for rate in dict.fromkeys([*ours, *listed])]


def new_price(price: Price, listed: Rates, since: str, source: str) -> Price:
    """Return *price* with the rates of the list in their place; what the list lacks stays as it is."""
    flat = flat_rates(price) | dict(listed)
    groups: dict[str, dict[str, Decimal]] = {}
    for name, rate in flat.items():
        group, _, part = name.rpartition(".")
        groups.setdefault(group, {})[part] = rate
    return Price.model_validate({"since": since, "source": source} | groups.pop("") | groups)


def with_new_prices(text: str, prices: Mapping[str, Price]) -> str:
    """
    Return the file *text* of the catalog with one more entry for each of *prices*; every other character stays.

    Shape: *prices* by model id. Entries of models that share their prices by an anchor are written once.
    Errors: ChatCensusError where that would change what was not asked for, or cannot be done line by line.
    """
    lines = text.splitlines(keepends=True)
    places: dict[int, tuple[yaml.SequenceNode, list[str]]] = {}
    for model_id, node in _price_lists(text):
        places.setdefault(id(node), (node, []))[1].append(model_id)
    inserted = []
    for node, sharing in places.values():
        new = {prices[model_id] for model_id in sharing if model_id in prices}
        if not new:
            continue
        if len(new) > 1 or not prices.keys() >= set(sharing):
            raise ChatCensusError(f"{', '.join(sharing)} share one list of prices: name all of them, or part them")
        last = node.value[-1]
        if node.flow_style or not last.flow_style:
            raise ChatCensusError(f"the prices of {sharing[0]!r} do not stand one a line: add the new one by hand")
        inserted.append((last.end_mark.line + 1, f"{' ' * node.start_mark.column}- {_entry(*new)}\n"))
    for line, entry in sorted(inserted, reverse=True):
        lines.insert(line, entry)
    result = "".join(lines)
    _check(text, result, prices)
    return result


def _price_lists(text: str) -> Iterator[tuple[str, yaml.SequenceNode]]:
    """Yield each model's id with the node of its prices, which several share where an anchor says so."""
    root = _members(yaml.compose(text, Loader=yaml.SafeLoader))
    for node in root["models"].value:
        members = _members(node)
        prices = members["prices"]
        if isinstance(prices, yaml.SequenceNode):
            yield members["model_id"].value, prices


def _members(node: yaml.Node | None) -> dict[str, yaml.Node]:
    """Return what a mapping has, its own before what it merges in."""
    members: dict[str, yaml.Node] = {}
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        members = _members(value) | members if key.value == "<<" else members | {key.value: value}
    return members


def _entry(price: Price) -> str:
    """Return *price* as one line of YAML: a decimal is a text, so that nothing rounds it."""
    return _flow({"since": price.since} | price.model_dump(mode="json", exclude_none=True))


def _flow(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_flow(part)}" for name, part in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def _check(before: str, after: str, prices: Mapping[str, Price]) -> None:
    """Read both files back: only the new prices may be the difference."""
    old, new = (ModelCatalog.model_validate(yaml.safe_load(text)) for text in (before, after))
    wanted = tuple(_with(model, prices.get(model.model_id)) for model in old.models)
    for model in wanted:
        price = prices.get(model.model_id)
        if price and model.last_price(date.fromisoformat(price.since)) != price:
            raise ChatCensusError(f"{model.model_id!r} has a price of {price.since} already: correct that one by hand")
    if new.models != wanted:
        raise ChatCensusError("the new prices cannot be written without changing more than them: add them by hand")


def _with(model: Model, price: Price | None) -> Model:
    return model.model_copy(update={"prices": (*model.prices, price)}) if price else model
