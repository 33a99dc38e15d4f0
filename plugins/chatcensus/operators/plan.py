"""plan: look at the table, say what the run will do and may cost, and split it into segments."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator, Context

from chatcensus.aws.index import IndexWalk, checked_index
from chatcensus.aws.progress import planned
from chatcensus.conversation import estimated_tokens
from chatcensus.errors import SetupError
from chatcensus.forecast import OUTPUT_TOKENS
from chatcensus.include import read_yaml
from chatcensus.interval import Window, window
from chatcensus.mapping import TableMapping
from chatcensus.model_catalog import Model, ModelCatalog
from chatcensus.operators.aws_client import airflow_errors, aws_client, run_ledger
from chatcensus.partition import MAX_SEGMENTS, PendingIndex, Scan, Segment, index_segments, scan_segments
from chatcensus.pricing import Price, TablePrices, Usage, cost_micro_usd, micro_usd
from chatcensus.reevaluation import Where

BYTES_PER_TOKEN = 3.0  # of an item; between English (about 4) and Japanese (about 2.5)
# A segment is sized for half of the task's execution_timeout, at the quota's part of one of the tasks at a time.
SEGMENT_MINUTES, TASKS_AT_ONCE = 180, 4
READ_UNIT_BYTES = 4096  # of one consistent read; half a unit where it need not be
INDEX_ENTRY_BYTES = 300  # keys and DynamoDB's own 100 bytes, about


class PlanSegmentsOperator(BaseOperator):
    """
    Check the table and the model, forecast the run, and return its segments.

    :param table: the conversation table (templated)
    :param control_table: the table of the ledger, where people who watch read the plan (templated)
    :param model: the model_id that will judge (templated)
    :param instructions: the prompt file; its length is part of what each call costs (templated)
    :param mapping: file that says where the table keeps a conversation
    :param models: file with the models and their prices
    :param prices: file with the price of reading the table
    :param conversations_per_segment: how many conversations one mapped task gets at most (templated)
    :param max_usd: the budget of the whole run (templated)
    :param max_conversations: how many conversations the whole run may ask about; 0 for all (templated)
    :param quota: requests and tokens a minute that all tasks together may use of the model (templated)
    :param reevaluate: condition on what is judged again; empty for what is pending (templated)
    :param is_dry_run: true when the run only counts: then nothing is recorded (templated)
    :param created_from: first day of creation that is judged; empty for no limit (templated)
    :param created_before: first day of creation that is not; empty for no limit (templated)
    :param timezone: where those days begin
    :param aws_conn_id: the Airflow connection with credentials, role and Region
    """

    template_fields: Sequence[str] = (
        "table",
        "control_table",
        "model",
        "instructions",
        "conversations_per_segment",
        "max_usd",
        "max_conversations",
        "quota",
        "reevaluate",
        "is_dry_run",
        "created_from",
        "created_before",
    )
    template_ext: Sequence[str] = (".md",)
    template_fields_renderers = {"instructions": "md"}  # noqa: RUF012 - as Airflow declares it
    ui_color = "#dbe9f4"

    def __init__(
        self,
        *,
        table: str,
        control_table: str,
        model: str,
        instructions: str,
        mapping: Path,
        models: Path,
        prices: Path,
        conversations_per_segment: str | int,
        quota: Mapping[str, str | float],
        max_usd: str | float,
        max_conversations: str | int = 0,
        reevaluate: str = "",
        is_dry_run: str = "false",
        created_from: str = "",
        created_before: str = "",
        timezone: str = "UTC",
        aws_conn_id: str = "aws_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.table, self.control_table, self.model, self.instructions = table, control_table, model, instructions
        self.mapping, self.models, self.prices = mapping, models, prices
        self.conversations_per_segment, self.quota, self.aws_conn_id = conversations_per_segment, quota, aws_conn_id
        self.max_usd, self.max_conversations = max_usd, max_conversations
        self.reevaluate, self.is_dry_run = reevaluate, is_dry_run
        self.created_from, self.created_before, self.timezone = created_from, created_before, timezone

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return one small mapping per segment; no conversation is read."""
        with airflow_errors():
            if self.reevaluate.strip():
                Where.parse(self.reevaluate)  # here, and not in each of a thousand segments
            model = read_yaml(self.models, ModelCatalog).model(self.model)
            mapping, prices = read_yaml(self.mapping, TableMapping), read_yaml(self.prices, TablePrices)
            today = datetime.now(UTC).date()
            dynamodb = aws_client("dynamodb", self.aws_conn_id)
            description = dynamodb.describe_table(TableName=self.table)["Table"]
            backups = dynamodb.describe_continuous_backups(TableName=self.table)["ContinuousBackupsDescription"]
            _check_table(self.table, description, backups, mapping)
            items, table_bytes = description["ItemCount"], description["TableSizeBytes"]
            quota = {name: float(value) for name, value in self.quota.items()}
            one = usage_of_one(table_bytes / max(1, items), self.instructions)
            per_segment = min(int(self.conversations_per_segment), most_in_time(one, model, quota))
            judged = _window(context, self.created_from, self.created_before, self.timezone)
            segments = self._segments(dynamodb, description, mapping, per_segment, judged)
            found = sum(segment.expected for segment in segments) if segments[0].read.strategy == "index" else items
            units = read_units(segments[0].read.strategy, found, items, table_bytes)
            expected = forecast(found, int(self.max_conversations), one, model.price(today), model.burndown, quota)
            expected |= {"read_units": units, "read_micro_usd": prices.read_micro_usd(units, today)}
            if self.is_dry_run.strip().lower() != "true":
                plan = planned(segments, self.model, model.burndown, quota, micro_usd(self.max_usd), expected)
                run_ledger(context, self.control_table, self.aws_conn_id).record(planned=plan)
        self._tell(segments, expected, per_segment)
        context["ti"].xcom_push(key="forecast", value=expected)
        return [segment.as_dict() for segment in segments]

    def _segments(
        self, dynamodb: Any, description: Any, mapping: TableMapping, per_segment: int, judged: Window
    ) -> list[Segment]:
        strategy, plain = mapping.partition, judged.as_dict()
        # What is judged is not in the index of what is pending.
        is_not_there = bool(self.reevaluate.strip()) and isinstance(strategy, PendingIndex)
        if isinstance(strategy, Scan) or is_not_there:
            return scan_segments(description["ItemCount"], per_segment, plain)
        index = checked_index(self.table, description, strategy)
        pieces = IndexWalk(dynamodb, self.table, index, per_segment).pieces(strategy.keys(judged.start, judged.end))
        return index_segments(pieces, per_segment, index, plain)

    def _tell(self, segments: Sequence[Segment], expected: Mapping[str, int], per_segment: int) -> None:
        how = "scan: the whole table is read once" if segments[0].read.strategy == "scan" else "index: only its entries"
        self.log.info(
            "%s, about %d read units, %.4f USD; %d segments of %d conversations at most",
            *(how, expected["read_units"], expected["read_micro_usd"] / 1e6, len(segments), per_segment),
        )
        if (largest := max(segment.expected for segment in segments)) > per_segment:
            self.log.warning(
                "a segment has %d: there can be no more than %d, and entries with one sort key stay together",
                *(largest, MAX_SEGMENTS),
            )
        free = "what its condition does not match" if self.reevaluate.strip() else "what is already judged"
        self.log.info(
            "at most %d conversations, %d input and %d output tokens, %.4f USD, %d minutes at the quota; "
            "%s costs nothing",
            *(expected[name] for name in ("conversations", "input_tokens", "output_tokens")),
            *(expected["cost_micro_usd"] / 1e6, expected["minutes"], free),
        )


def usage_of_one(item_bytes: float, instructions: str) -> Usage:
    """Return the tokens of one call about an item of *item_bytes*."""
    return Usage(math.ceil(item_bytes / BYTES_PER_TOKEN + estimated_tokens(instructions)), OUTPUT_TOKENS)


def most_in_time(one: Usage, model: Model, quota: Mapping[str, float]) -> int:
    """Return how many conversations, each with the tokens of *one*, a task can judge well before its timeout."""
    tokens = one.input_tokens + model.burndown * one.output_tokens
    per_minute = min(quota["requests_per_minute"], quota["tokens_per_minute"] / tokens)
    return max(1, int(per_minute / TASKS_AT_ONCE * SEGMENT_MINUTES))


def forecast(
    found: int, most: int, one: Usage, price: Price, burndown: int, quota: Mapping[str, float]
) -> dict[str, int]:
    """
    Return what judging *found* conversations would take: conversations, tokens, micro-USD, minutes at the *quota*.

    Shape: no more than *most* (0: all) are judged, each with one call of the tokens of *one*.
    """
    conversations = min(found, most) if most else found
    usage = Usage(one.input_tokens * conversations, one.output_tokens * conversations)
    tokens = usage.input_tokens + burndown * usage.output_tokens
    minutes = max(conversations / quota["requests_per_minute"], tokens / quota["tokens_per_minute"])
    return {
        "conversations": conversations,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost_micro_usd": cost_micro_usd(usage, price),
        "minutes": math.ceil(minutes),
    }


def read_units(strategy: str, found: int, items: int, table_bytes: int) -> int:
    """
    Return about how many read units the run takes, at the table's mean size of an item.

    A scan reads every item, whatever is pending. An index is read twice, to plan and to classify, at half the units,
    and then each item of its entries.
    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
    """
    if strategy == "scan":
        return math.ceil(table_bytes / READ_UNIT_BYTES)
    index_units = 2 * found * INDEX_ENTRY_BYTES / READ_UNIT_BYTES / 2
    return math.ceil(index_units) + found * math.ceil(table_bytes / max(1, items) / READ_UNIT_BYTES)


def _window(context: Context, created_from: str = "", created_before: str = "", timezone: str = "UTC") -> Window:
    run = context["dag_run"]
    return window(
        *(run.run_type, run.run_after, run.data_interval_start, run.data_interval_end),
        created_from=created_from,
        created_before=created_before,
        timezone=timezone,
    )


def _check_table(table: str, description: Any, backups: Any, mapping: TableMapping) -> None:
    keys = [key["AttributeName"] for key in description["KeySchema"]]
    mapped = mapping.key_names
    if keys != mapped:
        raise SetupError(f"table {table!r} has the key {keys}, include/table.yaml says {mapped}: correct the mapping")
    types = {part["AttributeName"]: part["AttributeType"] for part in description["AttributeDefinitions"]}
    if binary := [key for key in keys if types[key] == "B"]:
        raise SetupError(
            f"table {table!r} has the binary key {binary}, and a conversation is named by text or a number"
        )
    recovery = backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
    if recovery != "ENABLED":
        raise SetupError(f"point-in-time recovery of table {table!r} is off, and exports need it: switch it on")
