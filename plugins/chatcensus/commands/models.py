"""`models`: the catalog of models as a table, and its prices beside those of a list that others keep."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from chatcensus.commands import options
from chatcensus.commands.terminal import say, say_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date
    from decimal import Decimal
    from pathlib import Path

    from genai_prices.types import ModelInfo

    from chatcensus.model_catalog import Model, ModelCatalog
    from chatcensus.price_refresh import Compared
    from chatcensus.pricing import Price

EXAMPLES = """
[bold]Examples[/bold]

  chatcensus models list

  chatcensus models list --json
"""

REFRESH_EXAMPLES = """
[bold]Examples[/bold]

  chatcensus models refresh

  chatcensus models refresh --model global.anthropic.claude-haiku-5-5 --write
"""

app = typer.Typer(help="Look at the models that may judge, and at their prices.", no_args_is_help=True)


@app.command("list", epilog=EXAMPLES)
def list_models(include: options.Include = options.INCLUDE, as_json: options.AsJson = False) -> None:
    """Show each model of the catalog: where it answers, whether it can be called today, and its price of today."""
    today, catalog = _today(), _catalog(include)
    if as_json:
        say_json([_as_dict(model, today) for model in catalog.models])
    else:
        say(_table(catalog.models, today))


@app.command(epilog=REFRESH_EXAMPLES)
def refresh(
    model: Annotated[list[str] | None, typer.Option(help="Only this model; may be given again.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Add what changed to models.yaml, dated today.")] = False,
    include: options.Include = options.INCLUDE,
) -> None:
    """
    Compare the prices of the catalog with those of the installed package genai-prices; nothing is asked of the network.

    Each rate is the same, changed, or unknown to the list. What is written is one more dated price of a model; older
    ones stay, and a rate that the list does not know is kept as it is.
    """
    from chatcensus.price_refresh import compare, new_price, with_new_prices

    today, path, catalog = _today(), include / "prompts/models.yaml", _catalog(include)
    lists = _PriceLists()
    prices: dict[str, Price] = {}
    lines = [f"Prices of {path} beside {lists.name}, USD per million tokens"]
    for each in _chosen(catalog, model or ()):
        row, listed = lists.rates(each)
        price = each.last_price(today)
        compared = compare(price, listed) if row else []
        lines += _compared_lines(each.model_id, row, compared)
        if each.is_invocable and any(rate.verdict == "changed" for rate in compared):
            source = f"{lists.name} ({row}), read {today}"
            prices[each.model_id] = new_price(price, listed, today.isoformat(), source)
    if write and prices:
        path.write_text(with_new_prices(path.read_text(encoding="utf-8"), prices), encoding="utf-8")
    lines.append(f"models that can be called and have another price there: {len(prices)}")
    if prices:
        lines.append(f"{path} has them now: read the difference" if write else "--write adds them, dated today")
    say(lines)


def _catalog(include: "Path") -> "ModelCatalog":
    from chatcensus.include import read_yaml
    from chatcensus.model_catalog import ModelCatalog

    return read_yaml(include / "prompts/models.yaml", ModelCatalog)


def _today() -> "date":
    from datetime import UTC, datetime

    return datetime.now(UTC).date()


def _chosen(catalog: "ModelCatalog", names: "Sequence[str]") -> "list[Model]":
    from chatcensus.errors import SetupError

    known = {model.model_id: model for model in catalog.models}
    if unknown := [name for name in names if name not in known]:
        raise SetupError(f"model {unknown[0]!r} is not in the catalog: chatcensus models list has those there are")
    return [known[name] for name in names or known]


def _as_dict(model: "Model", today: "date") -> dict[str, Any]:
    told = model.model_dump(mode="json", exclude={"prices"})
    return told | {"status": _status(model, today), "price": model.last_price(today).model_dump(mode="json")}


def _status(model: "Model", today: "date") -> str:
    if not model.is_invocable:
        return f"ended {model.life.ends}" if model.life and model.life.ends else "to compare with"
    if model.life and model.life.ends:
        return f"{'ended' if model.has_ended(today) else 'ends'} {model.life.ends}"
    return "can be called"


def _table(models: "Sequence[Model]", today: "date") -> "Iterator[str]":
    yield f"{'model':<48}{'answers in':<12}{'today':<18}{'in':>7}{'out':>7}{'cached':>9}{'batch in/out':>15}"
    for model in models:
        price = model.last_price(today)
        cached = f"{price.cache_read}" if model.cache_min_tokens else "-"
        batch = f"{price.batch.input}/{price.batch.output}" if price.batch else "-"
        yield (
            f"{model.model_id:<48}{model.geography:<12}{_status(model, today):<18}{price.input:>7}{price.output:>7}"
            f"{cached:>9}{batch:>15}"
        )
    yield "USD per million tokens. cached: a token that is read from the prompt cache. -: there is none, or no price."


def _compared_lines(model_id: str, row: str, compared: "Sequence[Compared]") -> "Iterator[str]":
    yield f"{model_id}: {f'there as {row}' if row else 'the list has no price of it in that place'}"
    for verdict in ("same", "changed", "unknown"):
        rates = [rate for rate in compared if rate.verdict == verdict]
        told = [
            f"{rate.rate} {rate.ours or 'none'} → {rate.theirs}" if verdict == "changed" else rate.rate
            for rate in rates
        ]
        if told:
            yield f"  {verdict:<9}{', '.join(told)}"


class _PriceLists:
    """The lists of the installed genai-prices."""

    def __init__(self) -> None:
        from importlib.metadata import version

        from chatcensus.errors import SetupError

        try:
            from genai_prices.data import providers
        except ImportError:
            raise SetupError("the package genai-prices is not installed: pip install genai-prices==0.1.13") from None
        self.name = f"genai-prices {version('genai-prices')}"
        self._providers = [provider for provider in providers if provider.id in ("aws", "openai")]

    def rates(self, model: "Model") -> "tuple[str, dict[str, Decimal]]":
        """Return the list's name for *model*, and its rates by the names of `price_refresh`; else nothing."""
        for provider in self._providers:
            found = provider.find_model(model.model_id)
            # A row of no place has the price of us-east-1, and yet is found for profiles of other places.
            if found and (found.id.startswith("regional.") or model.geography not in _PLACES):
                return found.id, _flat(found)
        return "", {}


_PLACES = ("jp", "us", "eu", "au", "apac")
_RATES = ("input", "output", "cache_read", "cache_write")


def _flat(listed: "ModelInfo") -> "dict[str, Decimal]":
    """
    Return the rates of a row; of prices in steps the first one, which is the only one that any of ours has.

    A rate of 0 is left out: it says that somebody did not know, and a model is never free.
    """
    from datetime import UTC, datetime
    from decimal import Decimal

    now = datetime.now(UTC)
    standard = listed.get_prices(now)
    rates: dict[str, Decimal] = {}
    for name in _RATES:
        value: Any = getattr(standard, f"{name}_mtok")
        if not value:
            continue
        rates[name] = getattr(value, "base", value)
        for tier in getattr(value, "tiers", ())[:1]:
            rates |= {f"long_prompt.{name}": tier.price, "long_prompt.over_tokens": Decimal(tier.start)}
    for variant in listed.price_variants or ():
        is_active = variant.constraint is None or variant.constraint.active(now)
        if variant.when == {"processing": "batch"} and is_active:
            batch = listed.get_prices(now, variant.when)
            rates |= {f"batch.{name}": getattr(batch, f"{name}_mtok") for name in ("input", "output")}
    return rates
