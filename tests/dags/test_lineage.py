"""What is told of an edition to others: an asset event with its extra, and OpenLineage's datasets."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from airflow.sdk import Asset
from airflow.sdk.execution_time.context import OutletEventAccessors

from chatcensus.edition import Edition
from chatcensus.operators import lineage
from chatcensus.operators.gate import CheckEditionOperator
from chatcensus.operators.lineage import (
    PUBLISHED,
    PUBLISHES,
    export_lineage,
    publish_lineage,
    register_lineage,
    tell_published,
)
from chatcensus.snapshot import Export, Snapshot

EXPORT = Export(
    export_id="01604474914028-a1b2c3d4",
    export_arn="arn:aws:dynamodb:ap-northeast-1:123456789012:table/chat-conversations/export/01604474914028-a1b2c3d4",
    export_time="2026-11-22T12:00:00+00:00",
    bucket="snapshots",
    data_prefix="exports/AWSDynamoDB/01604474914028-a1b2c3d4/data/",
    item_count=7,
)
SNAPSHOT = Snapshot(EXPORT.export_id, EXPORT.export_time, {"conversation_id": "S"}, (EXPORT,))
EXTRA = {
    "edition": "01604474914028-a1b2c3d4-0a1b2c3d",
    "export_id": EXPORT.export_id,
    "export_time": EXPORT.export_time,
    "totals": {"conversations": 12, "evaluated": 10, "quarantined": 2, "pending": 0},
}


# The asset


def test_the_name_and_the_address_of_the_asset_are_what_other_dags_write():
    assert Asset("chatcensus_published", uri="x-chatcensus://published") == PUBLISHED


def test_a_published_edition_is_one_event_of_the_asset_with_its_numbers():
    events = OutletEventAccessors()

    tell_published({"outlet_events": events}, {"is_published": True, **EXTRA, "report": "r.html"})

    [event] = events[PUBLISHES].asset_alias_events
    assert (event.dest_asset_key.name, event.dest_asset_key.uri) == (PUBLISHED.name, PUBLISHED.uri)
    assert event.extra == EXTRA


def test_an_edition_that_is_not_published_is_no_event():
    events = OutletEventAccessors()

    assert events[PUBLISHES].asset_alias_events == []  # an outlet that is an alias has the events that are added to it


# OpenLineage


class Facet:
    """A class of OpenLineage's client: it keeps what it is given."""

    def __init__(self, **given: Any) -> None:
        self.__dict__.update(given)


class OperatorLineage(Facet):
    """What the provider's extractor takes."""


@pytest.fixture
def openlineage(monkeypatch):
    """The provider and its client, as far as we use them; neither is part of the environment."""
    module: Any = ModuleType("extractors")
    module.OperatorLineage = OperatorLineage
    monkeypatch.setitem(sys.modules, "airflow.providers.openlineage", ModuleType("openlineage"))
    monkeypatch.setitem(sys.modules, "airflow.providers.openlineage.extractors", module)
    for name in ("Dataset", "Identifier", "SymlinksDatasetFacet"):
        monkeypatch.setattr(lineage, name, Facet)


def _named(datasets: list[Any]) -> list[tuple[str, str]]:
    return [(dataset.namespace, dataset.name) for dataset in datasets]


ATHENA = "awsathena://athena.ap-northeast-1.amazonaws.com"


@pytest.mark.usefixtures("openlineage")
def test_export_reads_the_table_and_writes_one_prefix_whatever_the_run():
    told = export_lineage(SNAPSHOT, "snapshots", "exports")

    assert _named(told.inputs) == [("arn:aws:dynamodb:ap-northeast-1:123456789012", "table/chat-conversations")]
    assert _named(told.outputs) == [("s3://snapshots", "exports")]


@pytest.mark.usefixtures("openlineage")
def test_register_reads_what_export_wrote_and_writes_tables_that_athena_and_glue_know():
    told = register_lineage(SNAPSHOT, "chatcensus", "results")

    assert _named(told.inputs) == _named(export_lineage(SNAPSHOT, "snapshots", "exports").outputs)
    assert _named(told.outputs) == [
        *(
            (ATHENA, f"AwsDataCatalog.chatcensus.{table}")
            for table in ("conversations_ion", "conversation_changes", "conversations_curated", "evaluations")
        ),
        ("s3://results", "curated"),
    ]
    [glue] = told.outputs[0].facets["symlinks"].identifiers
    assert (glue.namespace, glue.name, glue.type) == (
        "arn:aws:glue:ap-northeast-1:123456789012",
        "table/chatcensus/conversations_ion",
        "TABLE",
    )


@pytest.mark.usefixtures("openlineage")
def test_publish_reads_editions_and_writes_views_and_reports():
    told = publish_lineage(SNAPSHOT, "chatcensus", ["category_counts"], "results")

    assert _named(told.inputs) == [(ATHENA, "AwsDataCatalog.chatcensus.category_counts_editions")]
    assert _named(told.outputs) == [
        (ATHENA, "AwsDataCatalog.chatcensus.category_counts"),
        ("s3://results", "reports"),
    ]


@pytest.mark.usefixtures("openlineage")
def test_an_export_that_was_skipped_tells_nothing():
    assert export_lineage(None, "snapshots", "exports") is None


@pytest.mark.usefixtures("openlineage")
def test_a_gate_reads_the_tables_of_its_statement():
    told = _gate().get_openlineage_facets_on_start()

    assert _named(told.inputs) == [
        (ATHENA, f"AwsDataCatalog.chatcensus.{table}") for table in ("evaluations", "model_cost_editions", "published")
    ]


def _gate() -> CheckEditionOperator:
    return CheckEditionOperator(
        task_id="sums",
        sql="select 1 from evaluations, told join model_cost_editions on true\ncross join published",
        edition=Edition.of(SNAPSHOT, "Asia/Tokyo", "0a1b2c3d").as_dict(),
        database="chatcensus",
        workgroup="chatcensus",
        summaries=Path("summaries.yaml"),
    )


def test_without_the_provider_nothing_is_told_and_nothing_fails():
    assert _gate().get_openlineage_facets_on_start() is None
    assert export_lineage(SNAPSHOT, "snapshots", "exports") is None
    assert register_lineage(SNAPSHOT, "chatcensus", "results") is None
    assert publish_lineage(SNAPSHOT, "chatcensus", ["category_counts"], "results") is None
