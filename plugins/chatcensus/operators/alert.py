"""
Alerts: a failed task and a published edition are told by SNS or Slack, if an Airflow Variable says where.

They hold names, counts and links. An exception is told by its class alone, since its text may quote something.
"""

import logging
from collections.abc import Mapping
from typing import Any

from airflow.providers.amazon.aws.notifications.sns import SnsNotifier
from airflow.sdk import Context, Variable

from chatcensus.dashboard.figures import usd_rounded
from chatcensus.operators.aws_client import CONNECTION

log = logging.getLogger(__name__)

TOPIC, SLACK = "chatcensus_alert_topic", "chatcensus_slack_connection"
_LONGEST_SUBJECT = 99  # SNS takes fewer than 100 ASCII characters


def alert_of_failure(context: Context) -> None:
    """Tell that a task has failed for good; as `on_failure_callback` of a task."""
    try:
        ti = context["ti"]
        task = f"{ti.task_id}[{ti.map_index}]" if _is_mapped(ti) else ti.task_id
        error = context.get("exception")
        name = type(error).__name__ if isinstance(error, BaseException) else "no exception: killed, or out of time"
        lines = [
            f"Task {task} of {ti.dag_id} has failed.",
            f"Run: {ti.run_id}",
            f"Try: {ti.try_number}",
            f"Error: {name}",
            *_counts(ti.xcom_pull(task_ids="settle")),
            f"Log: {ti.log_url}",
        ]
        _send(f"{ti.dag_id}: {task} has failed", "\n".join(lines))
    except Exception as error:  # noqa: BLE001 - whatever fails here, it is no failure of the census
        log.warning("the alert of a failure was not sent: %s", type(error).__name__)


def alert_of_edition(context: Context) -> None:
    """Tell that an edition is published, by its summary in every language; as `on_success_callback` of `publish`."""
    try:
        ti: Any = context["ti"]
        published = ti.xcom_pull(task_ids=ti.task_id)
        if not published or not published["is_published"]:
            return
        lines = [
            *published["summary"].values(),
            f"Edition {published['edition']} of export {published['export_id']} is published.",
            f"Run: {ti.run_id}",
            f"Log: {ti.log_url}",
        ]
        _send(f"{ti.dag_id}: an edition is published", "\n".join(lines))
    except Exception as error:  # noqa: BLE001 - as above
        log.warning("the alert of an edition was not sent: %s", type(error).__name__)


def _send(subject: str, text: str) -> None:
    """Send *text* wherever a Variable says; a channel that fails does not silence the other."""
    for variable, channel in ((TOPIC, _sns), (SLACK, _slack)):
        if not (target := Variable.get(variable, default="")):
            continue
        try:
            channel(target, subject, text)
        except Exception as error:  # noqa: BLE001 - whatever a channel answers, the task stays as it is
            log.warning("no alert by the Variable %s: %s; check what it names", variable, type(error).__name__)


# `notify` and not a call: a call would take the text for a template.
def _sns(topic: str, subject: str, text: str) -> None:
    plain = subject.encode("ascii", "replace").decode()[:_LONGEST_SUBJECT]
    region = topic.split(":")[3]
    SnsNotifier(  # type: ignore[no-untyped-call]
        aws_conn_id=CONNECTION, target_arn=topic, message=text, subject=plain, region_name=region
    ).notify({})


def _slack(connection: str, _subject: str, text: str) -> None:
    try:
        from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier  # type: ignore[import-not-found]
    except ImportError:
        log.warning(
            "the Variable %s names a connection, and apache-airflow-providers-slack is not installed: add it to "
            "requirements.txt, or delete the Variable",
            SLACK,
        )
        return
    SlackWebhookNotifier(slack_webhook_conn_id=connection, text=text).notify({})


def _is_mapped(ti: Any) -> bool:
    return ti.map_index is not None and ti.map_index >= 0


def _counts(tally: Mapping[str, Any] | None) -> list[str]:
    """Return what the run has counted so far, if `settle` has added it up."""
    if not tally:
        return []
    outcomes = ", ".join(f"{name} {count}" for name, count in tally["outcomes"].items())
    return [
        f"Counts: read {tally['read']}, {outcomes or 'nothing judged'}",
        f"Cost: {usd_rounded(tally['cost_micro_usd'])} USD",
    ]
