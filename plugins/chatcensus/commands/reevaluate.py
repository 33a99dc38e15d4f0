"""`reevaluate`: show what judging again would cost and change, before anybody starts it."""

import math
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import boto3
import jinja2
import typer

from chatcensus.aws.bedrock import CALL_DEADLINE_S, BedrockJudge, client_config
from chatcensus.aws.conversation_store import ConversationStore
from chatcensus.aws.deadline import set_deadline
from chatcensus.census import Census
from chatcensus.errors import SetupError
from chatcensus.include import read_yaml
from chatcensus.interval import Window
from chatcensus.job import Job
from chatcensus.mapping import TableMapping
from chatcensus.model_catalog import ModelCatalog
from chatcensus.pacing import Quota
from chatcensus.preview import Preview, Sample
from chatcensus.reevaluation import EXAMPLE, Where
from chatcensus.selection import Found, Selection
from chatcensus.taxonomy import Taxonomy

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import KeySchemaElementTypeDef

IN_FLIGHT = 4
# Slow enough to be no load beside a run, whose share of the quota this command does not take part in.
REQUESTS_PER_MINUTE, TOKENS_PER_MINUTE = 60, 200_000


def reevaluate(
    table: Annotated[str, typer.Option(envvar="AIRFLOW_VAR_CHATCENSUS_TABLE", help="The conversation table.")],
    where: Annotated[str, typer.Option(help=f"What to judge again, such as '{EXAMPLE}'.")],
    model: Annotated[str, typer.Option(envvar="AIRFLOW_VAR_CHATCENSUS_MODEL", help="The model that would judge.")],
    sample: Annotated[int, typer.Option(min=0, max=1000, help="So many are judged now, to be compared: paid.")] = 20,
    max_usd: Annotated[float, typer.Option(min=0, help="The sample may cost so much.")] = 0.5,
    include: Annotated[Path, typer.Option(help="The folder with prompt, taxonomy, models and mapping.")] = Path(
        "include"
    ),
) -> None:
    """Count what a re-evaluation would judge, forecast its cost, and judge a sample; nothing is written."""
    if not math.isfinite(max_usd):
        raise SetupError(f"--max-usd is {max_usd}: write the USD that the sample may cost, such as 0.5")
    job = _job(include, where, model)
    preview = Preview(sample, job.instructions, job.model.price(datetime.now(UTC).date()))
    for found in _matching(job, table):
        preview.add(found)
    typer.echo("\n".join(preview.lines()))
    if preview.sample:
        judged = Sample(preview.sample, int(max_usd * 1_000_000))
        tally = _census(job, judged).run()
        typer.echo("\n".join(judged.lines()))
        typer.echo(f"The sample cost {tally.cost_micro_usd / 1e6:.4f} USD; nothing was written.")
    if preview.due:
        typer.echo(f"To judge them again, trigger the DAG chat_census with:\n{preview.conf(where)}")


def rendered_instructions(include: Path, taxonomy: Taxonomy) -> str:
    """Return the instructions as the DAG renders them: to the character, since their hash is the prompt version."""
    loader = jinja2.FileSystemLoader(include)
    environment = jinja2.Environment(loader=loader, undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701 - no HTML
    try:
        return environment.get_template("prompts/classify.md").render(taxonomy=taxonomy)
    except jinja2.TemplateError as error:
        raise SetupError(f"{include}/prompts/classify.md cannot be rendered: {error}") from None


def _job(include: Path, where: str, model_id: str) -> Job:
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
        quota=Quota(REQUESTS_PER_MINUTE, TOKENS_PER_MINUTE, model.burndown),
        pseudonym_secret="",
        in_flight=IN_FLIGHT,
        where=Where.parse(where),
    )


def _matching(job: Job, table: str) -> Iterator[Found]:
    dynamodb, s3 = boto3.client("dynamodb"), boto3.client("s3") if job.mapping.body else None
    _check_key(dynamodb.describe_table(TableName=table)["Table"]["KeySchema"], job.mapping)
    store = ConversationStore(dynamodb, table, job.mapping, s3=s3)
    selection = Selection(job, store.skipped, lambda: datetime.now(UTC))
    for stored in store.read():
        yield from selection.take(stored) if stored else ()
    yield from selection.rest()


def _check_key(schema: "Sequence[KeySchemaElementTypeDef]", mapping: TableMapping) -> None:
    keys = [key["AttributeName"] for key in schema]
    mapped = mapping.key_names
    if keys != mapped:
        raise SetupError(f"the table has the key {keys}, table.yaml says {mapped}: see `chatcensus table check`")


def _census(job: Job, sample: Sample) -> Census:
    bedrock = boto3.client("bedrock-runtime", config=client_config(IN_FLIGHT))
    set_deadline(bedrock, "Converse", CALL_DEADLINE_S)
    judge = BedrockJudge(bedrock, job.model_id, job.model, job.taxonomy)
    return Census(job, store=sample, judge=judge, ledger=sample, claim=sample)
