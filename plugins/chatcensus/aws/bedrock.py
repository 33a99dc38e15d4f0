"""Amazon Bedrock: one paid call by Converse, and what each of its errors means."""

import json
import logging
from typing import TYPE_CHECKING, Any, cast

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ProxyConnectionError,
    SSLError,
)

from chatcensus.answer import Reply
from chatcensus.errors import (
    ChatCensusError,
    FeatureRefused,
    ModelBusy,
    QuotaExhausted,
    ReplyLost,
    RequestRefused,
    SetupError,
    Throttled,
)
from chatcensus.model_catalog import Model, OutputMode
from chatcensus.pricing import Usage
from chatcensus.prompt import TOOL_NAME, output_config, tool_config
from chatcensus.taxonomy import Taxonomy

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient

log = logging.getLogger(__name__)

CALL_DEADLINE_S = 120.0  # of a whole call, twice its read timeout


def client_config(in_flight: int) -> Config:
    """
    Return the client settings under which the census owns every retry and no thread waits for a connection.

    Source: botocore repeats a request after a read timeout, which pays twice: `total_max_attempts` 1 sends it once.
    """
    return Config(
        connect_timeout=5,
        read_timeout=60,
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=in_flight + 4,
        tcp_keepalive=True,
    )


class BedrockJudge:
    """One model behind Converse. Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html."""

    def __init__(self, client: "BedrockRuntimeClient", model_id: str, model: Model, taxonomy: Taxonomy) -> None:
        self.client, self.model_id, self.model = client, model_id, model
        self._output = {
            "tool": {"toolConfig": tool_config(taxonomy)},
            "json_schema": {"outputConfig": output_config(taxonomy)},
        }

    def ask(self, instructions: str, message: str, mode: OutputMode, max_tokens: int) -> Reply:
        """
        Make one call and return its reply.

        Errors: Throttled, ModelBusy, ReplyLost, FeatureRefused, RequestRefused, QuotaExhausted, SetupError (see
        `errors.py`); none of them, and no log line, holds any text of the request or the reply.
        """
        try:
            response = self.client.converse(**self._request(instructions, message, mode, max_tokens))
        except ClientError as error:
            meaning = _meaning(error, self.model_id)
        except (EndpointConnectionError, ConnectTimeoutError, ProxyConnectionError):
            meaning = ModelBusy("no connection to Bedrock")
        except SSLError:
            meaning = SetupError("no trusted connection to Bedrock: check certificates and proxy")
        except HTTPClientError:  # timeouts and connections that closed, and whatever else broke after sending
            meaning = ReplyLost("the connection ended before the reply came")
        except BotoCoreError as error:
            meaning = SetupError(
                f"the request could not be made ({type(error).__name__}): check credentials and Region"
            )
        else:
            if response.get("output") and response.get("usage"):
                return read_reply(cast("dict[str, Any]", response), mode, self.model_id)
            meaning = ReplyLost(f"{self.model_id!r} answered without a reply or without its bill")
        raise meaning from None

    def _request(self, instructions: str, message: str, mode: OutputMode, max_tokens: int) -> dict[str, Any]:
        inference: dict[str, Any] = {"maxTokens": max_tokens}
        if self.model.temperature is not None:
            inference["temperature"] = self.model.temperature
        system: list[dict[str, Any]] = [{"text": instructions}]
        if self.model.cache_min_tokens:
            system.append({"cachePoint": {"type": "default"}})
        request: dict[str, Any] = {
            "modelId": self.model_id,
            "system": system,
            "messages": [{"role": "user", "content": [{"text": message}]}],
            "inferenceConfig": inference,
        }
        if self.model.request_fields:
            request["additionalModelRequestFields"] = self.model.request_fields
        return request | self._output.get(mode, {})


def read_reply(response: dict[str, Any], mode: OutputMode, model_id: str) -> Reply:
    """Read a reply by the type of its blocks: reasoning may stand before the answer."""
    blocks = response.get("output", {}).get("message", {}).get("content", [])
    tools = [block["toolUse"].get("input") for block in blocks if block.get("toolUse", {}).get("name") == TOOL_NAME]
    texts = [block["text"] for block in blocks if isinstance(block.get("text"), str)]
    answer = "".join(texts) if texts else None
    if tools and mode == "tool":
        is_one = all(tool == tools[0] for tool in tools)
        answer = tools[0] if is_one else "\n".join(json.dumps(tool) for tool in tools)
    usage = response.get("usage", {})
    return Reply(
        answer=answer,
        stop_reason=response.get("stopReason"),
        usage=Usage(
            input_tokens=usage.get("inputTokens", 0),
            output_tokens=usage.get("outputTokens", 0),
            cache_read_tokens=usage.get("cacheReadInputTokens", 0),
            cache_write_tokens=usage.get("cacheWriteInputTokens", 0),
        ),
        answered_by=response.get("trace", {}).get("promptRouter", {}).get("invokedModelId", model_id),
    )


_THROTTLED = {"ThrottlingException", "TooManyRequestsException"}
_BUSY = {"ModelNotReadyException", "ServiceUnavailableException"}
_LOST = {"InternalServerException", "ModelTimeoutException", "ModelErrorException"}
# Texts by which Bedrock says that a feature of the request, and not the conversation, is the trouble (2026-11).
_FEATURES = (
    "extra inputs are not permitted",
    "output_config.format.schema",
    "extraneous key",
    "this model doesn't support",
    "schema is too complex",
    "thinking may not be enabled when tool_choice forces tool use",
    "toolchoice",
)
_TOO_LONG = ("too long", "too large", "exceeds the maximum", "blank")


def _meaning(error: ClientError, model_id: str) -> ChatCensusError:
    """Return what an error answer means. Source: the Converse API page; messages as seen in 2026."""
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "").lower()
    message = message.replace("\u2019", "'")  # AWS writes both
    if code == "ServiceQuotaExceededException" or (code == "ThrottlingException" and "per day" in message):
        return QuotaExhausted(f"the day's quota for {model_id!r} is used up: ask for more in Service Quotas")
    if code in _THROTTLED:
        return Throttled(f"{model_id!r} answered {code}")
    if code in _BUSY:
        return ModelBusy(f"{model_id!r} answered {code}")
    if code in _LOST:
        return ReplyLost(f"{model_id!r} answered {code}")
    if code == "ValidationException":
        if "on-demand throughput" in message:
            return SetupError(f"{model_id!r} cannot be called on demand: name its inference profile (jp., global. …)")
        if refused := next((text for text in _FEATURES if text in message), None):
            return FeatureRefused(f"{model_id!r} refused a feature of the request ({refused})")
        if any(text in message for text in _TOO_LONG):
            return RequestRefused(f"{model_id!r} refused the length of the request")
    if code == "ResourceNotFoundException":
        return SetupError(
            f"model {model_id!r} is not there: it reached its end of life, or access was never granted; "
            f"request access or choose another in the Variable chatcensus_model"
        )
    if code == "AccessDeniedException":
        return SetupError(f"no permission for {model_id!r}: allow bedrock:InvokeModel on the profile and on its models")
    # A proxy, a load balancer or a new code: then the status alone says whether the request was refused or lost.
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status == 429:
        return Throttled(f"{model_id!r} answered {code}")
    if status == 503:
        return ModelBusy(f"{model_id!r} answered {code}")
    if status in (408, 424) or status >= 500:
        return ReplyLost(f"{model_id!r} answered {code}")
    return SetupError(f"{model_id!r} answered {code}, which no retry can change")
