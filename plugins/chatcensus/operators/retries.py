"""
When Airflow tries a task again; after anything that is not named here, in its own 5 minutes.

What no retry can change has failed before this is asked (`airflow_errors`).
"""

from datetime import timedelta

from chatcensus.errors import ModelBusy, SnapshotIncomplete, StoreBusy

# A try resumes from the table, so that what is asked here is only when: the census owns the retries of single calls.
try:
    from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy, RetryRule
except ImportError:  # Airflow 3.2 has none: each try waits the same 5 minutes there
    RETRY_POLICY = None
else:
    RETRY_POLICY = ExceptionRetryPolicy(
        [
            RetryRule(ModelBusy, retry_delay=timedelta(minutes=15), reason="the model was away for minutes"),
            RetryRule(StoreBusy, retry_delay=timedelta(minutes=1), reason="DynamoDB was busy"),
            RetryRule(
                SnapshotIncomplete, retry_delay=timedelta(minutes=1), reason="counts may agree when all is written"
            ),
        ]
    )
