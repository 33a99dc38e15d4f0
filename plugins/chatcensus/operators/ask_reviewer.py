"""answered: wait until a person says that the sheet of a review is filled in, or that nothing shall come of it."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator, BaseSensorOperator, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from chatcensus.aws.reviews import ANSWERS, SHEET, Reviews
from chatcensus.operators.aws_client import CONNECTION, airflow_errors, aws_client

COLLECT, DISCARD = "collect", "discard"
PATIENCE = timedelta(days=30)  # then the sheet is deleted
_LOOK_AGAIN = timedelta(minutes=5)


def question(handed_out: Mapping[str, Any]) -> str:
    """Return what the person is asked, as Markdown: Airflow keeps it in its database, so it is a place and counts."""
    name, place = handed_out["review"], handed_out["place"]
    return f"""
{handed_out["rows"]} conversations wait for a person, in `{place}{SHEET}`; the categories are beside it.

1. Fetch the sheet: `chatcensus review fetch {name} --to sheet.csv`
2. Fill in `category`, `inquiry_score` (1 to 5) and `reviewed_by`, and leave empty what you cannot answer.
3. Save it as CSV UTF-8, and give it back: `chatcensus review return {name} sheet.csv`
4. Say **{COLLECT}** here. **{DISCARD}** ends the review without a gold row.

The sheet holds conversations: delete your copy afterwards. In the bucket it is deleted after {PATIENCE.days} days.
"""


class AwaitAnswersOperator(BaseSensorOperator):
    """
    Wait for the answers to lie in the bucket; holds no slot meanwhile. For an Airflow that cannot ask people.

    :param handed_out: what `hand_out` returned (templated)
    :param snapshot_bucket: where the review's files lie (templated)
    :param aws_conn_id: the Airflow connection with credentials, role and Region
    """

    template_fields: Sequence[str] = ("handed_out", "snapshot_bucket")
    template_fields_renderers = {"handed_out": "json"}  # noqa: RUF012 - as Airflow declares it

    def __init__(self, *, handed_out: Any, snapshot_bucket: str, aws_conn_id: str = CONNECTION, **kwargs: Any) -> None:
        waiting: Any = {"mode": "reschedule", "poke_interval": _LOOK_AGAIN, "timeout": PATIENCE}
        super().__init__(**waiting, **kwargs)
        self.handed_out, self.snapshot_bucket, self.aws_conn_id = handed_out, snapshot_bucket, aws_conn_id

    def poke(self, context: Context) -> bool:  # noqa: ARG002 - Airflow's signature
        """Return whether the answers are there."""
        with airflow_errors():
            s3 = aws_client("s3", self.aws_conn_id)
            reviews = Reviews(s3, self.snapshot_bucket, str(self.handed_out["review"]))
            self.log.info("waiting for %s%s", reviews.place, ANSWERS)
            return reviews.found(ANSWERS) is not None


AskReviewerOperator: type[BaseOperator] = AwaitAnswersOperator
try:
    from airflow.providers.standard.operators.hitl import HITLOperator
except (ImportError, AirflowException):  # Airflow can ask people since 3.1
    pass
else:

    class AskInAirflowOperator(HITLOperator):
        """
        Ask in Airflow's own list of required actions whether to collect the answers.

        :param handed_out: what `hand_out` returned (templated)
        :param snapshot_bucket: as in AwaitAnswersOperator; what the person says is enough here
        """

        template_fields: Sequence[str] = ("handed_out", "subject", "body")
        template_fields_renderers = {"handed_out": "json"}  # noqa: RUF012 - as Airflow declares it
        ui_color = "#f4e3db"

        def __init__(self, *, handed_out: Any, snapshot_bucket: str, **kwargs: Any) -> None:
            subject = "Is the sheet of this review filled in?"
            super().__init__(subject=subject, options=[COLLECT, DISCARD], response_timeout=PATIENCE, **kwargs)
            self.handed_out, self.snapshot_bucket = handed_out, snapshot_bucket

        def execute(self, context: Context) -> Any:
            """Ask, and hold no slot until there is an answer."""
            self.body = question(self.handed_out)
            return super().execute(context)

        def execute_complete(self, context: Context, event: dict[str, Any]) -> str:
            """Return what was chosen; who has answered stays in Airflow's own record, and out of XCom."""
            [chosen] = super().execute_complete(context, event)["chosen_options"]
            if chosen == DISCARD:
                raise AirflowSkipException("the review is discarded: nothing is collected")
            return str(chosen)

        def process_trigger_event_error(self, event: dict[str, Any]) -> None:  # noqa: ARG002 - Airflow's signature
            """Fail for good: another try would ask for another sheet that is gone."""
            raise AirflowFailException(
                f"nobody has answered within {PATIENCE.days} days, and the sheet is gone: start another run of review"
            )

    AskReviewerOperator = AskInAirflowOperator
