"""
Where the numbers come from: datasets for OpenLineage, and the asset that says that an edition is published.

OpenLineage's provider is not needed: without it nothing is told, and nothing fails.
Source: https://openlineage.io/docs/spec/naming. It has no name for a DynamoDB table, which is named here as it names
AWS Glue: an ARN up to the account, and the rest of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow.providers.common.compat.openlineage.facet import Dataset, Identifier, SymlinksDatasetFacet
from airflow.sdk import Asset, AssetAlias, Context

from chatcensus.aws.catalog import CURATED
from chatcensus.layer_sql import CHANGED_ITEMS, EXPORTED_ITEMS
from chatcensus.snapshot import Snapshot

PUBLISHED = Asset("chatcensus_published", uri="x-chatcensus://published")
# The outlet is an alias, since a plain asset would have an event even when a newer edition stays published.
PUBLISHES = AssetAlias("chatcensus_publishes")


def tell_published(context: Context, extra: Mapping[str, Any]) -> None:
    """
    Let DAGs that are scheduled on the asset run, with *extra* for them to read.

    Shape: *extra* has the edition, its export_id and export_time, and the totals.
    """
    told = ("edition", "export_id", "export_time", "totals")
    context["outlet_events"][PUBLISHES].add(PUBLISHED, extra={name: extra[name] for name in told})


def lineage(inputs: Sequence[Any] = (), outputs: Sequence[Any] = ()) -> Any:
    """Return what OpenLineage's extractor takes, None without its provider."""
    try:
        from airflow.providers.openlineage.extractors import OperatorLineage  # type: ignore[import-not-found]
    except ImportError:
        return None
    return OperatorLineage(inputs=list(inputs), outputs=list(outputs))


def export_lineage(snapshot: Snapshot | None, bucket: str, prefix: str) -> Any:
    """Return that the table was exported to *prefix* of *bucket*; None when this task has exported nothing."""
    if snapshot is None:
        return None
    return lineage([dynamodb_table(snapshot.layers[0].export_arn)], [s3_prefix(bucket, prefix)])


def register_lineage(snapshot: Snapshot, database: str, result_bucket: str) -> Any:
    """Return that exports became the tables over them, the layers in *result_bucket*, and the view `evaluations`."""
    newest = snapshot.layers[-1]
    exports = s3_prefix(newest.bucket, newest.data_prefix.split("/")[0])
    tables = athena_tables(newest.export_arn, database, (EXPORTED_ITEMS, CHANGED_ITEMS, CURATED, "evaluations"))
    return lineage([exports], [*tables, s3_prefix(result_bucket, "curated")])


def publish_lineage(snapshot: Snapshot, database: str, tables: Iterable[str], result_bucket: str) -> Any:
    """Return that an edition of *tables* became the views that readers have, and the reports in *result_bucket*."""
    arn, names = snapshot.layers[-1].export_arn, list(tables)
    staged = athena_tables(arn, database, [f"{table}_editions" for table in names])
    return lineage(staged, [*athena_tables(arn, database, names), s3_prefix(result_bucket, "reports")])


def dynamodb_table(export_arn: str) -> Any:
    """Return the dataset of the table that *export_arn* is an export of."""
    account, _, rest = export_arn.partition(":table/")
    return Dataset(namespace=account, name=f"table/{rest.split('/')[0]}")


def s3_prefix(bucket: str, prefix: str) -> Any:
    """Return the dataset of everything under *prefix*: one name for all runs, so that their lineage meets."""
    return Dataset(namespace=f"s3://{bucket}", name=prefix.strip("/"))


def athena_tables(export_arn: str, database: str, tables: Iterable[str]) -> list[Any]:
    """Return *tables* as AthenaOperator names them, and as the Glue catalog does, in the account of *export_arn*."""
    region, account = export_arn.split(":")[3:5]
    return [
        Dataset(
            namespace=f"awsathena://athena.{region}.amazonaws.com",
            name=f"AwsDataCatalog.{database}.{table}",
            facets={
                "symlinks": SymlinksDatasetFacet(
                    identifiers=[
                        Identifier(
                            namespace=f"arn:aws:glue:{region}:{account}", name=f"table/{database}/{table}", type="TABLE"
                        )
                    ]
                )
            },
        )
        for table in tables
    ]
