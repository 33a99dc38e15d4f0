"""The forecast beside the bill: generated tables, judged by the real census against the local AWS."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest

from chatcensus.aws.conversation_store import ConversationStore
from chatcensus.aws.judges import judges
from chatcensus.aws.ledger import Ledger
from chatcensus.aws.table_walk import TableWalk, describe
from chatcensus.census import Census
from chatcensus.commands.options import preview_job
from chatcensus.estimate import Estimate
from chatcensus.include import read_yaml
from chatcensus.job import Job
from chatcensus.model_catalog import ModelCatalog
from chatcensus.tally import Tally
from chatcensus.usage_history import Used
from demo.generator import generate
from demo.load import Conversation, load_conversations
from tests.fakes import INCLUDE, UNLIMITED, FakeClaim

TABLE, CONTROL = "chat-conversations", "chatcensus-control"
MODELS = INCLUDE / "prompts/models.yaml"
CATALOG = read_yaml(MODELS, ModelCatalog)
QUOTA = {"requests_per_minute": 800.0, "tokens_per_minute": 1_600_000.0}
TODAY = datetime.now(UTC).date()
COUNT = 120
# What is generated: the languages of the conversations, and how many of them are put end to end to make one.
KINDS = {"ja": (("ja",), 1), "en": (("en",), 1), "mixed": (("ja", "en"), 1), "long": (("ja", "en"), 6)}


def conversations(kind: str, seed: int) -> Iterator[Conversation]:
    """Yield COUNT conversations of one kind."""
    languages, joined = KINDS[kind]
    rows = (row for row in generate(10**6, seed) if row["language"] in languages)
    for _ in range(COUNT):
        several = list(islice(rows, joined))
        turns = [turn for row in several for turn in row["turns"]]
        yield Conversation.model_validate({**several[0], "turns": turns}, strict=False)


def forecast(local_aws: Any, job: Job, runs: Any = (), *, items: bool = True) -> dict[str, Any]:
    """What `plan` and `chatcensus estimate` say; without *items* as if nothing that is judged had been read."""
    dynamodb = local_aws.client("dynamodb")
    walk = TableWalk(dynamodb, describe(dynamodb, TABLE, job.mapping), job)
    found = Estimate(job, job.model.price(TODAY))
    for each in walk.found():
        found.add(each)
    if not items:
        found.used.clear()
    return found.of_table(walk.times, CATALOG, runs, QUOTA, TODAY)


def judged(local_aws: Any, job: Job, ledger: Ledger) -> Tally:
    """Judge everything that is due."""
    dynamodb = local_aws.client("dynamodb")
    store = ConversationStore(dynamodb, TABLE, job.mapping)
    ways = judges(MODELS, job.model_id, job.taxonomy, UNLIMITED, job.in_flight)
    return Census(replace(job, quota=UNLIMITED), store, ways, ledger, FakeClaim()).run()


def off(said: dict[str, Any], tally: Tally) -> float:
    return float(said["cost_micro_usd"] / tally.cost_micro_usd - 1)


@pytest.mark.parametrize(
    ("kind", "model_id", "seeds"),
    [
        ("ja", "stand-in", (3, 8)),
        ("en", "stand-in", (5, 11)),
        ("mixed", "stand-in", (21, 34)),
        ("long", "stand-in", (3, 8)),
        pytest.param("mixed", "amazon.nova-micro-v1:0", (3, 8), id="another model"),
    ],
)
def test_the_forecast_is_within_20_percent_of_the_bill_and_with_history_within_5(
    local_aws: Any, kind: str, model_id: str, seeds: tuple[int, int]
) -> None:
    job = replace(preview_job(INCLUDE, model_id, in_flight=4), run_id="first")
    ledger = Ledger(local_aws.client("dynamodb"), CONTROL, "first", 10**9)

    load_conversations(local_aws.endpoint_url, conversations(kind, seeds[0]))
    blind = forecast(local_aws, job)
    first = judged(local_aws, job, ledger)
    used = Used.of_run(first, blind["guessed_tokens"])  # as `settle` keeps it
    ledger.keep_usage("2026-12-01", model_id, job.prompt_version, used)
    load_conversations(local_aws.endpoint_url, conversations(kind, seeds[1]))
    by_items = forecast(local_aws, job, list(ledger.usages()))
    by_runs = forecast(local_aws, job, list(ledger.usages()), items=False)
    second = judged(local_aws, replace(job, run_id="second"), ledger)

    assert (first.calls, second.calls, by_items["due"]) == (COUNT, COUNT, COUNT)
    assert first.cache_read_tokens
    assert abs(off(blind, first)) <= 0.2
    assert abs(off(by_items, second)) <= 0.05
    assert abs(off(by_runs, second)) <= 0.05


def test_what_a_dry_run_counts_is_what_was_forecast(local_aws: Any) -> None:
    job = replace(preview_job(INCLUDE, "stand-in"), run_id="first", is_dry_run=True)
    load_conversations(local_aws.endpoint_url, list(conversations("mixed", 3))[:40])
    ledger = Ledger(local_aws.client("dynamodb"), CONTROL, "first", 10**9)

    said, tally = forecast(local_aws, job), judged(local_aws, job, ledger)

    assert (said["due"], said["guessed_micro_usd"]) == (tally.due, tally.forecast_micro_usd)
    assert local_aws.stats()["converse_calls"] == 0
