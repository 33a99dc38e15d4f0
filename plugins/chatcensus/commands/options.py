"""What several commands take: their options, a client of AWS, and the job that a run would have."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from chatcensus.job import Job

# Modules of AWS and of the pipeline are imported where they are used: the help of a command has to come at once.

Table = Annotated[str, typer.Option(envvar="AIRFLOW_VAR_CHATCENSUS_TABLE", help="The conversation table.")]
ControlTable = Annotated[
    str, typer.Option(envvar="AIRFLOW_VAR_CHATCENSUS_CONTROL_TABLE", help="The table of the ledger.")
]
Model = Annotated[str, typer.Option(envvar="AIRFLOW_VAR_CHATCENSUS_MODEL", help="The model that would judge.")]


def _folder(include: Path) -> Path:
    if not include.is_dir():
        raise typer.BadParameter(f"there is no folder {str(include)!r}: go to the repository, or name its include/")
    return include


Include = Annotated[
    Path, typer.Option(callback=_folder, help="The folder with prompt, taxonomy, models, prices and mapping.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for programs.")]

INCLUDE = Path("include")


def client(service: str, **settings: Any) -> Any:
    """Return the boto3 client of *service*, by the environment and the files of the AWS CLI."""
    import boto3
    from botocore.config import Config

    # A person waits: of an AWS that is silent they shall hear within a minute, and boto3 would try for ten.
    patience = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 4})
    create: Any = boto3.client  # which has an overload for each service, and none for a name that is a variable
    return create(service, **{"config": patience, **settings})


def preview_job(include: Path, model_id: str, where: str = "", in_flight: int = 1) -> "Job":
    """Return the job of a run that only looks. Errors: SetupError of a file, the model, or the condition *where*."""
    import uuid
    from datetime import UTC, datetime

    from chatcensus.include import read_yaml
    from chatcensus.instructions import rendered_instructions
    from chatcensus.interval import Window
    from chatcensus.job import Job
    from chatcensus.mapping import TableMapping
    from chatcensus.model_catalog import ModelCatalog
    from chatcensus.pacing import Quota
    from chatcensus.reevaluation import Where
    from chatcensus.taxonomy import Taxonomy

    taxonomy = read_yaml(include / "prompts/taxonomy.yaml", Taxonomy)
    model = read_yaml(include / "prompts/models.yaml", ModelCatalog).model(model_id)
    return Job(
        name="preview",
        run_id=f"preview-{uuid.uuid4()}",
        window=Window(None, datetime.now(UTC)),
        mapping=read_yaml(include / "table.yaml", TableMapping),
        instructions=rendered_instructions(include, taxonomy),
        taxonomy=taxonomy,
        model_id=model_id,
        model=model,
        quota=Quota(_SAMPLE_REQUESTS_PER_MINUTE, _SAMPLE_TOKENS_PER_MINUTE, model.burndown),
        pseudonym_secret="",
        in_flight=in_flight,
        where=Where.parse(where) if where else None,
    )


# Slow enough to be no load beside a run, whose share of the quota a sample does not take part in.
_SAMPLE_REQUESTS_PER_MINUTE, _SAMPLE_TOKENS_PER_MINUTE = 60, 200_000
