"""plan: look at the table and a sample of it, say what the run will do and may cost, and split it into segments."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator, Context

from chatcensus.aws.progress import planned
from chatcensus.aws.segments import cut_table
from chatcensus.aws.table_walk import TableWalk
from chatcensus.errors import SetupError
from chatcensus.estimate import Estimate, counted
from chatcensus.forecast import most_in_time, read_units, usage_of_one
from chatcensus.include import read_yaml
from chatcensus.interval import Window, window
from chatcensus.job import Job
from chatcensus.mapping import TableMapping
from chatcensus.model_catalog import Model, ModelCatalog
from chatcensus.operators.aws_client import CONNECTION, airflow_errors, aws_client, run_ledger
from chatcensus.pacing import Quota
from chatcensus.partition import MAX_SEGMENTS, Segment
from chatcensus.pricing import TablePrices, micro_usd
from chatcensus.reevaluation import Where
from chatcensus.routes import read_routes
from chatcensus.side_by_side import table_lines
from chatcensus.taxonomy import Taxonomy

SAMPLE = 300  # items that are read, at random; a scan's page is read to its end
# What the ledger's row of the run keeps of the forecast, for who watches: every reservation writes that row.
_TOLD = ("conversations", "input_tokens", "output_tokens", "cost_micro_usd", "minutes", "read_units", "read_micro_usd")


class PlanSegmentsOperator(BaseOperator):
    """
    Check the table and the model, forecast the run from a sample, and return its segments.

    The XCom `forecast` holds numbers and the ids of models: those of the run, and in `models` every model beside it.

    :param table: the conversation table (templated)
    :param control_table: the table of the ledger, where people who watch read the plan (templated)
    :param model: the model_id that will judge (templated)
    :param instructions: the prompt file; its length is part of what each call costs (templated)
    :param mapping: file that says where the table keeps a conversation
    :param models: file with the models and their prices; taxonomy.yaml lies beside it
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
        aws_conn_id: str = CONNECTION,
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
        """Return one small mapping per segment; of the conversations, only a sample is read, and nothing of it kept."""
        with airflow_errors():
            is_reevaluation = bool(self.reevaluate.strip())
            where = Where.parse(self.reevaluate) if is_reevaluation else None  # here, and not in each segment
            catalog, routes = read_yaml(self.models, ModelCatalog), read_routes(self.models)
            model = catalog.model(self.model)
            mapping, prices = read_yaml(self.mapping, TableMapping), read_yaml(self.prices, TablePrices)
            today = datetime.now(UTC).date()
            dynamodb = aws_client("dynamodb", self.aws_conn_id)
            routes.check(catalog, self.model, dynamodb.meta.region_name)
            description = dynamodb.describe_table(TableName=self.table)["Table"]
            backups = dynamodb.describe_continuous_backups(TableName=self.table)["ContinuousBackupsDescription"]
            _check_table(self.table, description, backups, mapping)
            quota = routes.quota({name: float(value) for name, value in self.quota.items()})
            job = self._job(context, model, mapping, quota, where)
            items, table_bytes = description["ItemCount"], description["TableSizeBytes"]
            one = usage_of_one(table_bytes / max(1, items), self.instructions, model.thinking_tokens)
            per_segment = min(int(self.conversations_per_segment), most_in_time(one, model, quota))
            segments = cut_table(
                dynamodb, description, mapping, per_segment, job.window, is_reevaluation=is_reevaluation
            )
            s3 = aws_client("s3", self.aws_conn_id) if mapping.body else None
            walk = TableWalk(dynamodb, description, job, s3, SAMPLE, segments=segments)
            found = Estimate(job, model.price(today))
            for each in walk.found():
                found.add(each)
            ledger = run_ledger(context, self.control_table, self.aws_conn_id)
            runs, most = list(ledger.usages()), int(self.max_conversations)
            figures = found.of_table(walk.times, catalog, runs, quota, today, most)
            units = read_units(walk.strategy, walk.items, items, table_bytes, walk.items_read)
            expected = figures | {
                "conversations": figures["judged"],
                "max_conversations": most,
                "items_read": walk.items_read,
                "read_units": units,
                "read_micro_usd": prices.read_micro_usd(units, today),
            }
            if not self._is_dry:
                told = {name: expected[name] for name in _TOLD}
                ledger.record(
                    planned=planned(segments, self.model, model.burndown, quota, micro_usd(self.max_usd), told),
                    prompt_version=job.prompt_version,
                    guessed_tokens=expected["guessed_tokens"],
                    has_cache=bool(model.cache_min_tokens),
                )
        self._tell(segments, expected, per_segment)
        context["ti"].xcom_push(key="forecast", value=expected)
        return [segment.as_dict() for segment in segments]

    @property
    def _is_dry(self) -> bool:
        return self.is_dry_run.strip().lower() == "true"

    def _job(
        self, context: Context, model: Model, mapping: TableMapping, quota: Mapping[str, float], where: Where | None
    ) -> Job:
        """Return the job of the run, as far as a look needs it."""
        return Job(
            name="the sample",
            run_id=context.get("run_id", ""),
            window=_window(context, self.created_from, self.created_before, self.timezone),
            mapping=mapping,
            instructions=self.instructions,
            taxonomy=read_yaml(self.models.with_name("taxonomy.yaml"), Taxonomy),
            model_id=self.model,
            model=model,
            quota=Quota(burndown=model.burndown, **quota),
            pseudonym_secret="",  # no evaluation is made here
            in_flight=1,
            where=where,
            is_dry_run=self._is_dry,
        )

    def _tell(self, segments: Sequence[Segment], expected: Mapping[str, Any], per_segment: int) -> None:
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
            "about %d conversations (%d to %d are due), %d input and %d output tokens, %.4f USD (%.4f to %.4f), "
            "%s at the quota, by %d items that were read; %s costs nothing",
            *(expected[name] for name in ("conversations", "due_low", "due_high", "input_tokens", "output_tokens")),
            *(expected[f"cost_micro_usd{which}"] / 1e6 for which in ("", "_low", "_high")),
            *(counted(expected["minutes"], "minute"), expected["items_read"], free),
        )
        self.log.info("%s", "\n".join(["every model beside it:", *table_lines(expected["models"])]))


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
