"""The button on `publish` that leads to the run page of the dashboard."""

from urllib.parse import parse_qs, urlsplit

from airflow.sdk.types import TaskInstanceKey

from chatcensus.operators import PublishSummariesOperator

RUN_ID = "manual__2026-11-30T03:00:00+00:00"


def test_the_button_of_publish_leads_to_what_is_told_of_its_run():
    (link,) = PublishSummariesOperator.operator_extra_links
    key = TaskInstanceKey("chat_census", "publish", RUN_ID, 1, -1)

    address = urlsplit(link.get_link(operator=None, ti_key=key))

    assert (address.scheme, address.netloc, address.path) == ("", "", "chatcensus/run")
    assert parse_qs(address.query) == {"run_id": [RUN_ID]}
