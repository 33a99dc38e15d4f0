"""The sizing of docs/scale.md is what bench/sizing.py says with today's prices, and agrees with sums made by hand."""

from decimal import Decimal

from bench.sizing import REPOSITORY, Sizing, assumptions, tables

SCALE = (REPOSITORY / "docs/scale.md").read_text()
TEMPLATE = (REPOSITORY / "deploy/chatcensus.yaml").read_text()
PARAMS = (REPOSITORY / "docs/operations.md").read_text()  # held to the DAG by tests/dags


def test_the_tables_of_the_document_are_those_of_the_script():
    for table in tables(assumptions()):
        assert table in SCALE, "run `PYTHONPATH=plugins:. python -m bench.sizing` and take its tables over"


def test_a_million_conversations_take_what_a_hand_reckons():
    sizing = Sizing(assumptions())

    # 1,900 + 1,500 tokens at 0.11 USD a million and 40 at 0.55; 3,600 tokens of quota each, of 1,600,000 a minute.
    assert sizing.model_usd(1_000_000) == Decimal(396)
    assert sizing.minutes(1_000_000) == 2_250
    # 6,000 bytes: 6 units of 1 KB at 0.625 USD a million; 6 GB in units of 4,096 bytes at 0.125; 0.10 USD a GB.
    assert sizing.writing_usd(1_000_000) == Decimal("3.75")
    assert sizing.reading_usd("scan", 1_000_000, 1_000_000) == Decimal("0.183106")
    assert sizing.full_export_usd(1_000_000) == Decimal("0.6")
    # 2 GB of compressed files and 351 bytes a conversation at 5 USD a TB.
    assert sizing.athena_usd(1_000_000, 1_000_000) == Decimal("0.011755")


def test_the_limits_are_those_of_the_dag_and_of_the_template():
    given = assumptions()

    for name in ("max_usd", "conversations_per_segment", "in_flight"):
        assert f"| `{name}` | {getattr(given, name)} |" in PARAMS
    for name, value in given.quota.items():
        assert f"| `{name}` | {value:.0f} |" in PARAMS
    assert f"    Default: {given.bytes_scanned_limit}\n" in TEMPLATE
