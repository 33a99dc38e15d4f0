"""plan: look at the table, say what the run will do and may cost, and split it into segments."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator, Context

from chatcensus.conversation import estimated_tokens
from chatcensus.errors import SetupError
from chatcensus.include import read_yaml
from chatcensus.interval import Window, window
from chatcensus.mapping import TableMapping
from chatcensus.model_catalog import ModelCatalog
from chatcensus.operators.aws_client import airflow_errors, aws_client
from chatcensus.pricing import Price, Usage, cost_micro_usd

MAX_SEGMENTS = 1024  # Airflow maps a task at most this often (core.max_map_length)
BYTES_PER_TOKEN = 3.0  # of an item; between English (about 4) and Japanese (about 2.5)
OUTPUT_TOKENS = 40  # of one answer


class PlanSegmentsOperator(BaseOperator):
    """
    Check the table and the model, forecast the run, and return its segments.

    :param table: the conversation table (templated)
    :param model: the model_id that will judge (templated)
    :param instructions: the prompt file; its length is part of what each call costs (templated)
    :param mapping: file that says where the table keeps a conversation
    :param models: file with the models and their prices
    :param conversations_per_segment: how many conversations one mapped task gets, about (templated)
    :param aws_conn_id: the Airflow connection with credentials, role and Region
    """

    template_fields: Sequence[str] = ("table", "model", "instructions", "conversations_per_segment")
    template_ext: Sequence[str] = (".md",)
    template_fields_renderers = {"instructions": "md"}  # noqa: RUF012 - as Airflow declares it
    ui_color = "#dbe9f4"

    def __init__(
        self,
        *,
        table: str,
        model: str,
        instructions: str,
        mapping: Path,
        models: Path,
        conversations_per_segment: str | int,
        aws_conn_id: str = "aws_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.table, self.model, self.instructions = table, model, instructions
        self.mapping, self.models = mapping, models
        self.conversations_per_segment, self.aws_conn_id = conversations_per_segment, aws_conn_id

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return one small mapping per segment; no conversation is read."""
        with airflow_errors():
            model = read_yaml(self.models, ModelCatalog).model(self.model)
            mapping = read_yaml(self.mapping, TableMapping)
            dynamodb = aws_client("dynamodb", self.aws_conn_id)
            description = dynamodb.describe_table(TableName=self.table)["Table"]
            backups = dynamodb.describe_continuous_backups(TableName=self.table)["ContinuousBackupsDescription"]
            _check_table(self.table, description, backups, mapping)
            price = model.price(datetime.now(UTC).date())
        expected = forecast(description["ItemCount"], description["TableSizeBytes"], self.instructions, price)
        self.log.info(
            "at most %(conversations)d conversations, %(input_tokens)d input and %(output_tokens)d output tokens, "
            "%(usd)s USD; what is already judged costs nothing",
            expected | {"usd": expected["cost_micro_usd"] / 1e6},
        )
        context["ti"].xcom_push(key="forecast", value=expected)
        return split(expected["conversations"], int(self.conversations_per_segment), _window(context))


def forecast(conversations: int, table_bytes: int, instructions: str, price: Price) -> dict[str, int]:
    """
    Return what judging the whole table would take: conversations, tokens, micro-USD.

    Units: *table_bytes* as DynamoDB states it; every conversation is taken to need one call.
    """
    usage = Usage(
        input_tokens=int(table_bytes / BYTES_PER_TOKEN + estimated_tokens(instructions) * conversations),
        output_tokens=OUTPUT_TOKENS * conversations,
    )
    return {
        "conversations": conversations,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost_micro_usd": cost_micro_usd(usage, price),
    }


def split(conversations: int, per_segment: int, judged: Window) -> list[dict[str, Any]]:
    """Return 1 to 1,024 segments of about *per_segment* conversations each; the window *judged* goes with each."""
    segments = min(MAX_SEGMENTS, max(1, -(-conversations // per_segment)))
    expected = -(-conversations // segments)
    width = len(str(segments))
    return [
        {
            "name": f"segment {index + 1:0{width}}/{segments} ({expected:,})",
            "segment": index,
            "segments": segments,
            "expected": expected,
            "window": judged.as_dict(),
        }
        for index in range(segments)
    ]


def _window(context: Context) -> Window:
    run = context["dag_run"]
    return window(run.run_type, run.run_after, run.data_interval_start, run.data_interval_end)


def _check_table(table: str, description: Any, backups: Any, mapping: TableMapping) -> None:
    keys = [key["AttributeName"] for key in description["KeySchema"]]
    mapped = [key for key in (mapping.partition_key, mapping.sort_key) if key]
    if keys != mapped:
        raise SetupError(f"table {table!r} has the key {keys}, include/table.yaml says {mapped}: correct the mapping")
    recovery = backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
    if recovery != "ENABLED":
        raise SetupError(f"point-in-time recovery of table {table!r} is off, and exports need it: switch it on")
