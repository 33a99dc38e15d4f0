"""Requests that moto 5.2.5 answers with a state and no work behind it: the local AWS refuses them by name."""

from local_aws.aws_error import AwsError

_HOLLOW = {
    "AWSGlue.StartCrawler": "it would end READY without having looked at anything",
    "AWSGlue.StartJobRun": "it would end SUCCEEDED without having run anything",
    "AWSGlue.StartTrigger": "nothing would be started by it",
    "AWSGlue.StartWorkflowRun": "it would end without having run anything",
    "AWSGlue.CreateSession": "no statement could run in it",
    "DynamoDB_20120810.RestoreTableToPointInTime": "it would hold the items of now, whatever time was asked for",
    "DynamoDB_20120810.ImportTable": "it would read every format as DynamoDB JSON, and be gone after a restart",
}


def refuse_hollow(target: str) -> None:
    """
    Refuse what would only look as if it had been done.

    Shape: *target* is `X-Amz-Target`, such as `AWSGlue.StartCrawler`.
    Raises: AwsError (UnknownOperationException) that says why.
    """
    if target in _HOLLOW:
        action = target.partition(".")[2]
        raise AwsError("UnknownOperationException", f"The local AWS does not do {action}: {_HOLLOW[target]}")
