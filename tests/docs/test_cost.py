"""The cost of a month in the documents follows from the prices that the code reads."""

import re
from datetime import date

import pytest

from chatcensus.include import read_yaml
from chatcensus.model_catalog import ModelCatalog
from chatcensus.pricing import TablePrices, Usage, cost_micro_usd
from tests.docs.pages import REPOSITORY, prose

DAY = date(2026, 11, 30)
MODEL = read_yaml(REPOSITORY / "include/prompts/models.yaml", ModelCatalog).model("jp.anthropic.claude-haiku-5-5")
READS = read_yaml(REPOSITORY / "include/prices.yaml", TablePrices)
NEW = (10_000, 100_000, 1_000_000)
NIGHTS, ITEM_BYTES, MONTHS, GB, UNIT_BYTES = 30, 6_000, 10, 10**9, 4096


def _judged(conversations: int, cached: int) -> int:
    usage = Usage((3400 - cached) * conversations, 40 * conversations, cached * conversations)
    return cost_micro_usd(usage, MODEL.price(DAY), calls=conversations)


def _scanned(conversations: int) -> int:
    gigabytes = conversations * MONTHS * ITEM_BYTES / GB
    return READS.read_micro_usd(int(gigabytes * (2**30 // UNIT_BYTES)) * NIGHTS, DAY)


@pytest.mark.parametrize(
    ("row", "micro_usd"),
    [
        ("model, no cache", [_judged(each, 0) for each in NEW]),
        ("model, all instructions cached", [_judged(each, 1900) for each in NEW]),
        ("reading, `scan`", [_scanned(each) for each in NEW]),
        ("reading, `pending-index`", [READS.read_micro_usd(2 * each, DAY) for each in NEW]),
    ],
)
def test_a_cost_that_is_told_follows_from_the_prices(row: str, micro_usd: list[int]):
    told = re.search(rf"^\| {re.escape(row)} \| ([^|]+) \| ([^|]+) \| ([^|]+) \|", prose("docs/cost.md"), re.MULTILINE)

    assert told
    assert [float(cell) for cell in told.groups()] == [pytest.approx(each / 1e6, abs=0.006) for each in micro_usd]
