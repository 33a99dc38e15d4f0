"""AWS clients from an Airflow connection, and AWS's and our errors as Airflow's."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowRuntimeError
from botocore.config import Config
from botocore.exceptions import ClientError
from jinja2 import TemplateError

from chatcensus.aws.assumed_role import assumed
from chatcensus.aws.ledger import Ledger
from chatcensus.errors import ChatCensusError, SetupError
from chatcensus.redaction import quiet_carriers, without_message

CONNECTION = "chatcensus_aws"  # of every task; where there is none, boto3 finds credentials as it always does
# The one owner of retries for every service but Bedrock; MWAA's own default is `legacy`.
_MAX_ATTEMPTS = 10
_LEDGER_CONNECTIONS = 100
_NO_RETRY_HELPS = {
    "AccessDenied",
    "AccessDeniedException",
    "EntityNotFoundException",
    "ExpiredTokenException",
    "ExportConflictException",
    "InvalidInputException",
    "InvalidRequestException",
    "NoSuchBucket",
    "PointInTimeRecoveryUnavailableException",
    "ResourceNotFoundException",
    "TableNotFoundException",
    "UnrecognizedClientException",
    "ValidationException",
}


def aws_client(service: str, aws_conn_id: str | None, config: Config | None = None, connections: int = 10) -> Any:
    """Return the boto3 client of *service* with the credentials, role and Region of the Airflow connection."""
    quiet_carriers()
    if config is None:
        return _standard_client(service, aws_conn_id, connections)
    return AwsGenericHook(aws_conn_id=aws_conn_id, client_type=service, config=config).conn


@cache  # a client takes up to a fifth of a second to make, and a task asks for the same ones again and again
def _standard_client(service: str, aws_conn_id: str | None, connections: int) -> Any:
    return AwsGenericHook(aws_conn_id=aws_conn_id, client_type=service, config=_config(_MAX_ATTEMPTS, connections)).conn


def model_client(aws_conn_id: str | None, region: str | None, role_arn: str | None, config: Config) -> Any:
    """Return the client of one route to the model: of the connection's Region and role, unless others are named."""
    quiet_carriers()
    hook: Any = AwsGenericHook(
        aws_conn_id=aws_conn_id, client_type="bedrock-runtime", region_name=region, config=config
    )
    if role_arn is None:
        return hook.conn
    endpoint_url = hook.conn_config.get_service_endpoint_url("bedrock-runtime")
    session = assumed(hook.get_session(), role_arn)
    return session.client("bedrock-runtime", config=config, endpoint_url=endpoint_url, verify=hook.verify)


def run_ledger(
    context: Context,
    control_table: str,
    aws_conn_id: str | None,
    max_micro_usd: int = 0,
    max_conversations: int = 0,
) -> Ledger:
    """Return the ledger of the run that *context* belongs to."""
    run_id = f"{context['dag'].dag_id}/{context['run_id']}"
    dynamodb = aws_client("dynamodb", aws_conn_id, connections=_LEDGER_CONNECTIONS)
    once = aws_client("dynamodb", aws_conn_id, _config(1, _LEDGER_CONNECTIONS))
    return Ledger(dynamodb, control_table, run_id, max_micro_usd, max_conversations, once)


def _config(max_attempts: int, connections: int) -> Config:
    retries: Any = {"mode": "standard", "total_max_attempts": max_attempts}
    return Config(retries=retries, max_pool_connections=connections)


@contextmanager
def airflow_errors() -> Iterator[None]:
    """
    Turn what no retry can change into AirflowFailException; for the rest, `retries.py` says when the next try begins.

    An AWS error is told by its code and operation alone: its message may quote the request. What nobody foresaw is told
    by its class and place alone. Airflow's own errors and those of templates name settings, and never hold text.
    """
    try:
        yield
    except SetupError as error:
        raise AirflowFailException(str(error)) from None
    except (ChatCensusError, AirflowException, AirflowRuntimeError, TemplateError) as error:
        raise error from None
    except ClientError as error:
        code, operation = error.response["Error"]["Code"], error.operation_name
        if code in _NO_RETRY_HELPS:
            remedy = "check the names in the Airflow Variables, and the permissions of the role"
            raise AirflowFailException(f"{operation} answered {code}: {remedy}") from None
        raise AirflowException(f"{operation} answered {code}") from None
    except Exception as error:  # noqa: BLE001 - it is raised again, as one of Airflow's
        raise AirflowException(without_message(error)) from None
