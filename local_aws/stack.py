"""Create the pipeline's AWS resources from the very template that a user deploys."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

TEMPLATE = Path(__file__).parents[1] / "deploy/chatcensus.yaml"
STACK = "chatcensus"


def create_stack(
    cloudformation: Any,
    parameters: Mapping[str, str] | None = None,
    *,
    name: str = STACK,
    template: Path = TEMPLATE,
) -> dict[str, str]:
    """
    Create the stack, or take the one that exists, and return its outputs.

    Shape: *cloudformation* a boto3 client, *parameters* of the template by name.
    Raises: RuntimeError when the stack did not come up; botocore ClientError when it was refused.
    """
    if not _exists(cloudformation, name):
        cloudformation.create_stack(
            StackName=name,
            TemplateBody=template.read_text(encoding="utf-8"),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in (parameters or {}).items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
            OnFailure="DELETE",
        )
        cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    if not stack["StackStatus"].endswith("_COMPLETE"):
        reason = stack.get("StackStatusReason", "no reason given")
        raise RuntimeError(f"stack {name!r} is {stack['StackStatus']}: {reason}")
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _exists(cloudformation: Any, name: str) -> bool:
    try:
        cloudformation.describe_stacks(StackName=name)
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return False
        raise
    return True
