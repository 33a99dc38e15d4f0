"""Alerts through the local AWS's SNS: who is told, what they are told, and what they are never told."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from chatcensus.operators.alert import SLACK, TOPIC, alert_of_edition, alert_of_failure

CANARY = "canary-4711-の会話"
TALLY = {"read": 12, "outcomes": {"evaluated": 10, "quarantined": 2}, "cost_micro_usd": 34_500}
EDITION = {
    "is_published": True,
    "edition": "01604474914028-a1b2c3d4-0a1b2c3d",
    "export_id": "01604474914028-a1b2c3d4",
    "export_time": "2026-11-22T12:00:00+00:00",
    "totals": {"conversations": 12, "evaluated": 10, "quarantined": 2, "pending": 0},
    "cost_micro_usd": 34_500,
    "report": "reports/edition=01604474914028-a1b2c3d4-0a1b2c3d/report.html",
    "summary": {"en": "Chat Census: 12 conversations.\n", "ja": "Chat Census: 会話12件。\n"},
}


class Inbox:
    """A topic and the queue that is subscribed to it."""

    def __init__(self, aws: Any) -> None:
        self.sqs = aws.client("sqs")
        self.topic = aws.client("sns").create_topic(Name="chatcensus-alerts")["TopicArn"]
        self.queue = self.sqs.create_queue(QueueName="inbox")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        aws.client("sns").subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn)

    def read(self) -> list[dict[str, str]]:
        found = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in found]


@pytest.fixture
def inbox(local_aws, monkeypatch):
    inbox = Inbox(local_aws)
    monkeypatch.setenv("AIRFLOW_VAR_CHATCENSUS_ALERT_TOPIC", inbox.topic)
    return inbox


def context(task_id: str, map_index: int = -1, error: Any = None, **returned: Any) -> Any:
    """What Airflow hands to a callback of a task."""
    ti = SimpleNamespace(
        dag_id="chat_census",
        task_id=task_id,
        run_id="manual__1",
        map_index=map_index,
        try_number=3,
        log_url=f"http://127.0.0.1:8080/dags/chat_census/runs/manual__1/tasks/{task_id}",
        start_date=datetime(2026, 11, 22, tzinfo=UTC),
        xcom_pull=lambda task_ids: returned.get(task_ids),
    )
    return {"ti": ti, "task": SimpleNamespace(result_bucket="chatcensus-results"), "exception": error}


def test_a_failed_task_is_told_by_names_counts_and_a_link(inbox):
    alert_of_failure(context("publish", error=ValueError("no"), settle=TALLY))

    [message] = inbox.read()
    assert message["Subject"] == "chat_census: publish has failed"
    assert message["Message"].splitlines() == [
        "Task publish of chat_census has failed.",
        "Run: manual__1",
        "Try: 3",
        "Error: ValueError",
        "Counts: read 12, evaluated 10, quarantined 2",
        "Cost: 0.0345 USD",
        "Log: http://127.0.0.1:8080/dags/chat_census/runs/manual__1/tasks/publish",
    ]


def test_a_failed_segment_is_told_by_its_map_index_though_nothing_is_counted_yet(inbox):
    alert_of_failure(context("classify", map_index=7, error=ValueError("no")))

    [message] = inbox.read()
    assert message["Subject"] == "chat_census: classify[7] has failed"
    assert "Counts" not in message["Message"]


@pytest.mark.parametrize("error", [ValueError(CANARY), CANARY, KeyError({"turns": CANARY})])
def test_what_an_exception_says_reaches_nobody(inbox, caplog, error):
    alert_of_failure(context("classify", error=error))

    [message] = inbox.read()
    assert "canary" not in json.dumps(message)
    assert CANARY not in caplog.text


def test_a_task_that_was_killed_has_no_exception_to_name(inbox):
    alert_of_failure(context("export"))

    assert "Error: no exception: killed, or out of time" in inbox.read()[0]["Message"]


def test_braces_in_a_name_are_never_taken_for_a_template(inbox):
    alert_of_failure(context("{{ var.value.chatcensus_pseudonym_secret }}"))

    assert "{{ var.value.chatcensus_pseudonym_secret }}" in inbox.read()[0]["Message"]


def test_a_subject_is_what_sns_takes(inbox):
    alert_of_failure(context("分類" + "x" * 200))

    [message] = inbox.read()
    assert message["Subject"].isascii()
    assert len(message["Subject"]) < 100
    assert "分類" in message["Message"]


def test_a_published_edition_is_told_by_its_summary_in_both_languages(inbox):
    alert_of_edition(context("publish", publish=EDITION))

    [message] = inbox.read()
    assert message["Subject"] == "chat_census: an edition is published"
    assert message["Message"].splitlines() == [
        "Chat Census: 12 conversations.",
        "",
        "Chat Census: 会話12件。",
        "",
        "Edition 01604474914028-a1b2c3d4-0a1b2c3d of export 01604474914028-a1b2c3d4 is published.",
        "Run: manual__1",
        "Log: http://127.0.0.1:8080/dags/chat_census/runs/manual__1/tasks/publish",
    ]


def test_an_edition_that_was_overtaken_is_not_told(inbox):
    alert_of_edition(context("publish", publish={"is_published": False, "export_id": "x"}))
    alert_of_edition(context("publish"))

    assert inbox.read() == []


def test_without_a_variable_nobody_is_told(inbox, monkeypatch):
    monkeypatch.setenv("AIRFLOW_VAR_CHATCENSUS_ALERT_TOPIC", "")

    alert_of_failure(context("plan", error=ValueError("no")))
    alert_of_edition(context("publish", publish=EDITION))

    assert inbox.read() == []


def _topic_that_is_gone(monkeypatch, topic):
    monkeypatch.setenv("AIRFLOW_VAR_CHATCENSUS_ALERT_TOPIC", f"{topic}-gone")


def _no_topic_at_all(monkeypatch, _topic):
    monkeypatch.setenv("AIRFLOW_VAR_CHATCENSUS_ALERT_TOPIC", "alerts")


@pytest.mark.parametrize("spoil", [_topic_that_is_gone, _no_topic_at_all])
def test_an_alert_that_cannot_be_sent_fails_no_task_and_says_which_variable(inbox, monkeypatch, caplog, spoil):
    spoil(monkeypatch, inbox.topic)

    alert_of_failure(context("plan", error=ValueError(CANARY)))
    alert_of_edition(context("publish", publish=EDITION))

    assert caplog.text.count("no alert by the Variable chatcensus_alert_topic") == 2
    assert CANARY not in caplog.text


def test_a_context_without_its_parts_fails_no_task(inbox, caplog):
    alert_of_failure({})
    alert_of_edition({})

    assert "the alert of a failure was not sent: KeyError" in caplog.text
    assert "the alert of an edition was not sent: KeyError" in caplog.text
    assert inbox.read() == []


def test_where_alerts_go_is_explained():
    explained = (Path(__file__).parents[2] / "docs/gates.md").read_text()

    assert f"| `{TOPIC}` |" in explained
    assert f"| `{SLACK}` |" in explained


# Slack, whose provider is not part of the environment


def test_slack_without_its_provider_is_a_line_in_the_log_and_sns_still_works(inbox, monkeypatch, caplog):
    monkeypatch.setenv("AIRFLOW_VAR_CHATCENSUS_SLACK_CONNECTION", "slack_alerts")

    alert_of_failure(context("plan", error=ValueError(CANARY)))

    assert len(inbox.read()) == 1
    assert "apache-airflow-providers-slack is not installed: add it to requirements.txt" in caplog.text


def test_slack_gets_the_same_text(inbox, monkeypatch):
    said: list[tuple[str, str]] = []

    class SlackWebhookNotifier:
        """As far as we use it: apache-airflow-providers-slack 9.9, slack.notifications.slack_webhook."""

        def __init__(self, *, slack_webhook_conn_id: str, text: str) -> None:
            self.message = (slack_webhook_conn_id, text)

        def notify(self, context: Any) -> None:  # noqa: ARG002 - as the provider has it
            said.append(self.message)

    module: Any = ModuleType("slack_webhook")
    module.SlackWebhookNotifier = SlackWebhookNotifier
    for name in ("", ".notifications"):
        monkeypatch.setitem(sys.modules, f"airflow.providers.slack{name}", ModuleType("slack"))
    monkeypatch.setitem(sys.modules, "airflow.providers.slack.notifications.slack_webhook", module)
    monkeypatch.setenv("AIRFLOW_VAR_CHATCENSUS_SLACK_CONNECTION", "slack_alerts")

    alert_of_failure(context("plan", error=ValueError(CANARY)))

    assert said == [("slack_alerts", inbox.read()[0]["Message"])]
