"""The real DAG in a real Airflow against the local AWS, with an `include/` of its own that a test may change."""

import json
import shutil
from pathlib import Path
from typing import Any

from chatcensus.aws.ledger import Ledger
from demo.__main__ import NO_QUOTA
from demo.airflow_home import ACCOUNT, REPOSITORY, VARIABLES, airflow_environment
from demo.generator import generate
from demo.load import Conversation, load_conversations
from demo.outcome import Outcome, read_outcome
from demo.progress import LocalAirflow, Step
from tests.conftest import LocalAwsForTests

TABLE = VARIABLES["chatcensus_table"]
INDEX, BODIES = "todo", "large-messages"
# Parameters with which the template writes all of its policies.
STACK = {
    "ExecutionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/mwaa-execution",
    "ConversationIndexName": INDEX,
    "ConversationBodyBucket": BODIES,
    "InferenceProfile": "",
    "FoundationModel": VARIABLES["chatcensus_model"],
}


def deploy(folder: Path) -> Path:
    """Copy what a deployment holds to *folder*, and return it."""
    for name in ("dags", "include"):
        shutil.rmtree(folder / name, ignore_errors=True)
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def settings(deployed: Path, aws: LocalAwsForTests, alert_topic: str) -> dict[str, str]:
    """The environment of an Airflow whose DAGs are those of *deployed*; each role has an access key of its own."""
    # The tables are small: nothing of them would be told.
    names = VARIABLES | {"chatcensus_min_users": "0", "chatcensus_alert_topic": alert_topic}
    return airflow_environment(deployed / "home", aws.endpoint_url, names) | {
        "AIRFLOW__CORE__DAGS_FOLDER": str(deployed / "dags"),
        "AIRFLOW_CONN_CHATCENSUS_AWS": "aws://pipeline:secret@",
        "AIRFLOW_CONN_CHATCENSUS_DASHBOARD": "aws://dashboard:secret@",
        "AIRFLOW_CONN_AWS_DEFAULT": "aws://nobody:secret@",
        "AWS_ACCESS_KEY_ID": "nobody",
    }


class Census:
    """Runs the DAG and looks at what it did."""

    def __init__(self, aws: LocalAwsForTests, airflow: LocalAirflow) -> None:
        self.aws, self.airflow = aws, airflow
        self.steps: list[Step] = []

    def load(self, count: int, seed: int = 1) -> None:
        """Put generated conversations into the table."""
        drawn = [Conversation.model_validate(line, strict=False) for line in generate(count, seed)]
        load_conversations(self.aws.endpoint_url, drawn)

    def run(self, run_id: str, **conf: Any) -> str:
        """Run the DAG and return the state of the run."""
        self.steps = []
        return self.airflow.run_dag("chat_census", NO_QUOTA | conf, run_id, self.steps.append)

    def outcome(self, run_id: str) -> Outcome:
        """Read what the run published."""
        return read_outcome(self.aws.endpoint_url, run_id)

    def tally(self, run_id: str) -> dict[str, Any]:
        """What the run counted, whether it published or not."""
        control = VARIABLES["chatcensus_control_table"]
        return Ledger(self.aws.client("dynamodb"), control, f"chat_census/{run_id}").run()["tally"]

    def published(self) -> dict[str, str]:
        """The files of the report that is published, by name."""
        s3, bucket = self.aws.client("s3"), VARIABLES["chatcensus_result_bucket"]
        current = json.loads(s3.get_object(Bucket=bucket, Key="current.json")["Body"].read())
        folder = current["report"].removesuffix("report.html")
        found = s3.list_objects_v2(Bucket=bucket, Prefix=folder, Delimiter="/")["Contents"]
        return {
            entry["Key"].removeprefix(folder): s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read().decode()
            for entry in found
        }

    def cost(self) -> tuple[int, int, int]:
        """Model calls, writes to the conversation table, exports so far."""
        stats = self.aws.stats()
        return stats["converse_calls"], stats["dynamodb_writes"].get(TABLE, 0), stats["exports"]

    def items(self) -> dict[str, dict[str, Any]]:
        """The table, by conversation."""
        pages = self.aws.client("dynamodb").get_paginator("scan").paginate(TableName=TABLE)
        return {item["conversation_id"]["S"]: item for page in pages for item in page["Items"]}

    def ended(self, task_id: str) -> list[str]:
        """How the tries of a task ended."""
        return [
            step.state for step in self.steps if step.task_id == task_id and step.state not in ("started", "progress")
        ]
