"""What the scheduler imports once, so that it is there in each task that it forks: most of a second less for each."""

from pathlib import Path

IMPORTED_EARLY = """
import os, sys
if "scheduler" in sys.argv:
    import chatcensus.operators.classify, chatcensus.operators.export, chatcensus.operators.summarise
    import airflow.providers.amazon.aws.operators.athena
    import boto3
    from local_aws.service_models import read_service_models_once
    read_service_models_once()
    for service in ("athena", "dynamodb", "glue", "s3", "bedrock-runtime"):
        boto3.client(service)
"""


def import_early(home: Path) -> None:
    """Let the scheduler of the Airflow in *home* do so: Airflow imports this file of its own folder at each start."""
    settings = home / "config" / "airflow_local_settings.py"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(IMPORTED_EARLY)
