"""approve: wait until a person says which of the proposed categories shall be adopted."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from chatcensus.aws.taxonomy_reviews import PROPOSALS, TaxonomyReview
from chatcensus.operators.aws_client import CONNECTION, airflow_errors, aws_client
from chatcensus.review import review_name
from chatcensus.taxonomy_review import NONE_OF_THEM, Result

PATIENCE = timedelta(days=30)


def _review(context: Context, bucket: str, aws_conn_id: str) -> TaxonomyReview:
    return TaxonomyReview(aws_client("s3", aws_conn_id), bucket, review_name(str(context["run_id"])))


class ApproveByCommandOperator(BaseOperator):
    """
    Say with which command a person approves. For an Airflow that cannot ask people: `adopt` is skipped with it.

    :param result_bucket: where the files of the review lie (templated)
    :param aws_conn_id: the Airflow connection with credentials, role and Region
    """

    template_fields: Sequence[str] = ("result_bucket",)

    def __init__(self, *, result_bucket: str, aws_conn_id: str = CONNECTION, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.result_bucket, self.aws_conn_id = result_bucket, aws_conn_id

    def execute(self, context: Context) -> None:
        """Log the question and the command, and end as skipped."""
        with airflow_errors():
            review = _review(context, self.result_bucket, self.aws_conn_id)
            self.log.info("%s", Result.model_validate_json(review.read(PROPOSALS)).question())
            raise AirflowSkipException(f"approve with: chatcensus taxonomy adopt {review.name} --category …")


ApproveCategoriesOperator: type[BaseOperator] = ApproveByCommandOperator
try:
    from airflow.providers.standard.operators.hitl import HITLOperator
except (ImportError, AirflowException):  # Airflow can ask people since 3.1
    pass
else:

    class ApproveInAirflowOperator(HITLOperator):
        """
        Ask in Airflow's own list of required actions which of the proposals to adopt.

        :param result_bucket: where the files of the review lie (templated)
        :param aws_conn_id: the Airflow connection with credentials, role and Region
        """

        template_fields: Sequence[str] = ("result_bucket", "subject", "body")
        ui_color = "#e8e4f3"

        def __init__(self, *, result_bucket: str, aws_conn_id: str = CONNECTION, **kwargs: Any) -> None:
            asked: dict[str, Any] = {"options": [NONE_OF_THEM], "defaults": [NONE_OF_THEM], "multiple": True}
            subject = "Which of these categories shall be adopted?"
            super().__init__(subject=subject, response_timeout=PATIENCE, **asked, **kwargs)
            self.result_bucket, self.aws_conn_id = result_bucket, aws_conn_id

        def execute(self, context: Context) -> Any:
            """Ask, and hold no slot until there is an answer."""
            result = self._offer(context)
            self.body = result.question()
            return super().execute(context)

        def execute_complete(self, context: Context, event: dict[str, Any]) -> list[str]:
            """Return the keys that were chosen; who has answered stays in Airflow's own record, and out of XCom."""
            self._offer(context)
            chosen = super().execute_complete(context, event)["chosen_options"]
            if NONE_OF_THEM in chosen:
                raise AirflowSkipException("none of the proposals is approved: the taxonomy stays as it is")
            return [str(key) for key in chosen]

        def _offer(self, context: Context) -> Result:
            """Offer the proposals of the review as options."""
            with airflow_errors():
                review = _review(context, self.result_bucket, self.aws_conn_id)
                result = Result.model_validate_json(review.read(PROPOSALS))
            self.options = [*(each.category.key for each in result.proposals), NONE_OF_THEM]
            return result

    ApproveCategoriesOperator = ApproveInAirflowOperator
