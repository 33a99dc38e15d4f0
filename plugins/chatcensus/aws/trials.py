"""
The files of trials in the result bucket; none of them holds any text of a conversation.

    samples/<trial>/plan.json              what is tried, on how many conversations, for how much
    samples/<trial>/sample.jsonl           one conversation a line: its id, stratum and content hash
    samples/<trial>/<number>-<name>.jsonl  what one contender made of each
    trials/<trial>/report.json             what the page shows
    trials/results/<trial>.jsonl           one contender a line: the Glue table `model_trials`
    trials/index.json                      the trials that there are, the newest first

What lies under `samples/` names conversations, and is deleted after 90 days; what lies under `trials/` stays.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from chatcensus.aws.objects import found
from chatcensus.errors import SetupError
from chatcensus.trial import Answer, Drawn, as_lines, of_lines

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

INDEX = "trials/index.json"
MOST_IN_INDEX = 200
TRIAL = r"^[A-Za-z0-9-]{1,120}$"  # the name of one
TABLE = "model_trials"
_COLUMNS = {
    "trial": ("string", "Trial: the run of the DAG model_trial"),
    "made_at": ("string", "When it was compared, UTC, ISO 8601"),
    "contender": ("string", "Model, output mode and prompt file, as the Param contenders names them"),
    "model": ("string", "The model_id that was called"),
    "prompt_version": ("string", "Version of its instructions"),
    "taxonomy_version": ("string", "Version of the categories"),
    "conversations": ("bigint", "Sampled conversations that every contender has judged"),
    "cost_micro_usd": ("bigint", "What its answers have cost, gold rows with them"),
    "micro_usd_per_1000": ("bigint", "Cost of 1,000 conversations as the table has them"),
    "seconds_median": ("double", "Of the calls about one conversation"),
    "seconds_p95": ("double", "Likewise: 95 of 100 were not slower"),
    "invalid": ("bigint", "Answers that could not be used"),
    "answers": ("bigint", "Answers"),
    "gold_rows": ("bigint", "Conversations with a label that every contender has judged"),
    "gold_right": ("bigint", "Those to which it gave the category of the label"),
    "accuracy_low": ("double", "Lower end of the 95 % interval of their share"),
    "accuracy_high": ("double", "Upper end"),
}


def trial_name(run_id: str) -> str:
    """Return the name of the trial of *run_id*: fit for a key and a URL, and no two runs have the same."""
    readable = re.sub(r"[^A-Za-z0-9-]+", "-", run_id)[:100].strip("-")
    return f"{readable}-{hashlib.sha256(run_id.encode()).hexdigest()[:8]}"


def report_key(trial: str) -> str:
    """Return where the report of *trial* lies."""
    return f"trials/{trial}/report.json"


class TrialFiles:
    """The files of one trial in *bucket*."""

    def __init__(self, s3: "S3Client", bucket: str, trial: str) -> None:
        self.s3, self.bucket, self.trial = s3, bucket, trial

    def write_plan(self, plan: Mapping[str, Any], drawn: Iterable[Drawn]) -> None:
        """Write what is going to be tried; the plan last, so that it is there only with its sample."""
        self._put(self._key("sample.jsonl"), as_lines(drawn))
        self._put(self._key("plan.json"), json.dumps(plan, ensure_ascii=False))

    def plan(self) -> tuple[dict[str, Any], list[Drawn]]:
        """Return what `write_plan` has written. Errors: SetupError where it is not there."""
        text = self._get(self._key("plan.json"))
        if text is None:
            raise SetupError(
                f"trial {self.trial!r} has no plan in the result bucket, where it is kept for 90 days: check the name, "
                f"or clear the task sample of model_trial"
            )
        return json.loads(text), of_lines(self._get(self._key("sample.jsonl")) or "", Drawn)

    def answers(self, contender: str, drawn: Iterable[Drawn]) -> dict[str, Answer]:
        """Return what *contender* has made of *drawn* so far, by draw; what it said of an older text is left out."""
        texts = {each.draw: each.content_hash for each in drawn}
        written = of_lines(self._get(self._key(f"{contender}.jsonl")) or "", Answer)
        return {answer.draw: answer for answer in written if texts.get(answer.draw) == answer.content_hash}

    def write_answers(self, contender: str, answers: Mapping[str, Answer]) -> None:
        """Write all that *contender* has made of it so far."""
        self._put(self._key(f"{contender}.jsonl"), as_lines(answers.values()))

    def publish(self, report: Mapping[str, Any], listed: Mapping[str, Any]) -> None:
        """Write the report, its rows of the table `model_trials`, and, last, *listed* to the index."""
        self._put(report_key(self.trial), json.dumps(report, ensure_ascii=False))
        rows = [json.dumps(row) for row in result_rows(report)]
        self._put(f"trials/results/{self.trial}.jsonl", "".join(f"{row}\n" for row in rows))
        before = json.loads(self._get(INDEX) or "[]")
        others = [each for each in before if each["trial"] != self.trial]
        self._put(INDEX, json.dumps([listed, *others][:MOST_IN_INDEX], ensure_ascii=False))

    def _key(self, name: str) -> str:
        return f"samples/{self.trial}/{name}"

    def _get(self, key: str) -> str | None:
        content = found(self.s3, self.bucket, key)
        return None if content is None else content.decode()

    def _put(self, key: str, text: str) -> None:
        kind = "application/json" if key.endswith(".json") else "application/x-ndjson"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=text.encode(), ContentType=kind)


def result_rows(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one row a contender: what the table `model_trials` holds of a trial."""
    shared = {name: report[name] for name in ("trial", "made_at", "taxonomy_version", "conversations")}
    return [
        {
            **shared,
            **{name: row[name] for name in _COLUMNS if name in row},
            "invalid": row["answers"]["invalid"],
            "answers": row["answers"]["total"],
            "gold_rows": row["accuracy"][0]["total"],
            "gold_right": row["accuracy"][0]["right"],
            "accuracy_low": row["accuracy"][0]["low"],
            "accuracy_high": row["accuracy"][0]["high"],
        }
        for row in report["contenders"]
    ]


def results_table(bucket: str) -> dict[str, Any]:
    """
    Return the Glue TableInput of `model_trials`: every trial, one contender a row.

    Source: https://docs.aws.amazon.com/athena/latest/ug/openx-json-serde.html
    """
    return {
        "Name": TABLE,
        "Description": "What each trial of the DAG model_trial has measured, one contender a row",
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "classification": "json"},
        "PartitionKeys": [],
        "StorageDescriptor": {
            "Columns": [{"Name": name, "Type": kind, "Comment": text} for name, (kind, text) in _COLUMNS.items()],
            "Location": f"s3://{bucket}/trials/results/",
            "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
            "SerdeInfo": {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe", "Parameters": {}},
        },
    }
