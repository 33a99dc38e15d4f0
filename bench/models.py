"""
What a million Japanese conversations cost on every model of the catalog, reckoned: `python -m bench.models`.

The prices are the catalog's on DAY, the last ones of models whose life had ended by then; the tables stand in
docs/models.md.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from bench.sizing import REPOSITORY, assumptions
from chatcensus.forecast import OUTPUT_TOKENS
from chatcensus.include import read_yaml
from chatcensus.model_catalog import Model, ModelCatalog
from chatcensus.pricing import Price, Usage, cost_micro_usd

DAY = date(2026, 12, 1)
CONVERSATIONS = 1_000_000
SIZES = (500, 1500, 4000)  # tokens of a conversation
# Tokens of instructions before each: about the least that any rubric takes, and what ours take.
SHORT, OURS = 600, assumptions().instruction_tokens
DEFAULT, USUAL = "jp.anthropic.claude-haiku-5-5", 1500
BESIDE = (DEFAULT, "amazon.nova-micro-v1:0", "openai.gpt-oss-20b-1:0")  # those of the original


def realtime_usd(model: Model, price: Price, instructions: int, size: int) -> Decimal:
    """Return what every conversation costs in a call of its own, with nothing cached."""
    return _usd(Usage(instructions + size, _output(model)), price)


def cached_usd(model: Model, price: Price, instructions: int, size: int) -> Decimal | None:
    """Return what it costs with the instructions read from the cache, the one write left out; None without a cache."""
    if not model.cache_min_tokens or instructions < model.cache_min_tokens:
        return None
    return _usd(Usage(size, _output(model), cache_read_tokens=instructions), price)


def batch_usd(model: Model, price: Price, instructions: int, size: int) -> Decimal | None:
    """Return what it costs by batch inference; None where there is none, or no price of it."""
    return _usd(Usage(instructions + size, _output(model)), price, is_batch=True) if price.batch else None


def _output(model: Model) -> int:
    return OUTPUT_TOKENS + model.thinking_tokens


def _usd(one: Usage, price: Price, *, is_batch: bool = False) -> Decimal:
    tokens = (one.input_tokens, one.output_tokens, one.cache_read_tokens)
    usage = Usage(*(each * CONVERSATIONS for each in tokens))
    return Decimal(cost_micro_usd(usage, price, calls=CONVERSATIONS, is_batch=is_batch)) / 10**6


def rows(catalog: ModelCatalog) -> Iterator[tuple[str, Model, Price]]:
    """Yield what is priced by itself: models of a family and one price are one row, named by their places."""
    groups: dict[tuple[str, Price], list[Model]] = {}
    for model in catalog.models:
        if model.family != "stand-in":
            groups.setdefault((model.family, model.last_price(DAY)), []).append(model)
    for (family, price), models in groups.items():
        ended = "" if models[0].is_invocable else ", to compare with"
        yield f"{family} ({', '.join(model.geography for model in models)}{ended})", models[0], price


def table(catalog: ModelCatalog, instructions: int) -> str:
    """Return the costs as a Markdown table: realtime / cached / batch for each size."""
    sizes = " | ".join(f"{size:,} tokens" for size in SIZES)
    lines = [f"| USD, realtime / cached / batch | {sizes} |", f"|---|{'---:|' * len(SIZES)}"]
    for name, model, price in rows(catalog):
        cells = []
        for size in SIZES:
            each = [usd(model, price, instructions, size) for usd in (realtime_usd, cached_usd, batch_usd)]
            cells.append(" / ".join("-" if amount is None else f"{amount:,.0f}" for amount in each))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def comparison(catalog: ModelCatalog) -> str:
    """Return what the models of the original cost, beside some that can be called today: realtime, and cheapest."""
    default = next(model for model in catalog.models if model.model_id == DEFAULT)
    base = realtime_usd(default, default.last_price(DAY), OURS, USUAL)
    lines = ["| | realtime, USD | cheapest, USD | realtime, times the default |", "|---|---:|---:|---:|"]
    for name, model, price in rows(catalog):
        if model.is_invocable and model.model_id not in BESIDE:
            continue
        realtime = realtime_usd(model, price, OURS, USUAL)
        ways = {
            "realtime": realtime,
            "cached": cached_usd(model, price, OURS, USUAL),
            "batch": batch_usd(model, price, OURS, USUAL),
        }
        least, way = min((amount, way) for way, amount in ways.items() if amount is not None)
        lines.append(f"| {name} | {realtime:,.0f} | {least:,.0f}, {way} | {realtime / base:.1f} |")
    return "\n".join(lines)


def tables() -> list[str]:
    """Return the three tables of docs/models.md."""
    catalog = read_yaml(REPOSITORY / "include/prompts/models.yaml", ModelCatalog)
    return [table(catalog, OURS), table(catalog, SHORT), comparison(catalog)]


if __name__ == "__main__":
    print("\n\n".join(tables()))  # noqa: T201 - what it is for
