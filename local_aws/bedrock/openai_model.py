"""
A real model in the stand-in's place: Converse passed on to an OpenAI-compatible server, such as Ollama.

`LOCAL_MODEL_URL` is its base URL (`http://127.0.0.1:11434/v1`), `LOCAL_MODEL_NAME` the model there and
`LOCAL_MODEL_KEY` a key, if it wants one. Nothing else answers while they are set: where the server fails, the caller
gets an error of Bedrock's that names the URL. Every reply names the real model as the one that answered.
No text of a conversation is logged, or stands in an error.
Source: the Chat Completions reference of OpenAI, and Ollama's page on what it has of it.
"""

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from local_aws.aws_error import AwsError
from local_aws.bedrock.replies import Block, Reply, reply_of, tool_use

URL, NAME, KEY = "LOCAL_MODEL_URL", "LOCAL_MODEL_NAME", "LOCAL_MODEL_KEY"
_TIMEOUT_S = 300.0  # a model on a laptop's processor takes its time
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "content_filtered",
}


class OpenAiModel:
    """
    Answer Converse requests by one model of one server; safe for threads.

    Units: *timeout_s* seconds of silence after which the server counts as not answering.
    """

    def __init__(self, url: str, name: str, key: str | None = None, *, timeout_s: float = _TIMEOUT_S) -> None:
        parts = urlsplit(url)
        is_base = parts.scheme in {"http", "https"} and parts.hostname and not (parts.query or parts.fragment)
        if not is_base or parts.username or parts.port == 0:
            # The value is not shown: it may hold a password.
            raise ValueError(f"{URL} must be a base URL such as http://127.0.0.1:11434/v1, without a user or a query")
        if not name:
            raise ValueError(f"{URL} is set, so {NAME} must name the model there")
        self.url, self.name = f"{url.rstrip('/')}/chat/completions", name
        self._key, self._timeout_s = key, timeout_s
        # The proxy of the environment is never between two programs of one machine.
        direct = [urllib.request.ProxyHandler({})] if parts.hostname in _LOOPBACK else []
        self._opener = urllib.request.build_opener(*direct)

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> "OpenAiModel | None":
        """Return the model that the variables name; None without a URL. Errors: ValueError for one that is none."""
        url = environment.get(URL)
        return cls(url, environment.get(NAME, ""), environment.get(KEY) or None) if url else None

    def converse(self, _model_id: str, body: dict[str, Any], _place: str = "") -> Reply:
        """
        Return the reply of the real model, whichever was called, and wherever.

        Raises: AwsError: ThrottlingException for its 429, ServiceUnavailableException where it cannot be reached or
        answers 5xx, ModelErrorException for any other error or an answer that is none.
        """
        started = time.monotonic()
        answer = self._ask(_chat_request(self.name, body))
        try:
            return _converse_reply(answer, self.name, time.monotonic() - started)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            raise self._rubbish() from None

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        post = urllib.request.Request(self.url, json.dumps(request).encode(), headers)  # noqa: S310  http or https
        try:
            with self._opener.open(post, timeout=self._timeout_s) as reply:
                answer = json.load(reply)
        except urllib.error.HTTPError as error:
            error.close()
            raise self._refused(error.code) from None
        except (OSError, http.client.HTTPException) as error:  # URLError and timeouts are OSErrors
            raise AwsError(
                "ServiceUnavailableException", f"{self.url} did not answer ({type(error).__name__}).", 503
            ) from None
        except ValueError:
            raise self._rubbish() from None
        if not isinstance(answer, dict):
            raise self._rubbish()
        return answer

    def _refused(self, status: int) -> AwsError:
        message = f"{self.url} answered {status} for the model {self.name!r}."
        if status == 429:
            return AwsError("ThrottlingException", message, 429)
        if status >= 500:
            return AwsError("ServiceUnavailableException", message, 503)
        return AwsError("ModelErrorException", message, 424)

    def _rubbish(self) -> AwsError:
        return AwsError("ModelErrorException", f"{self.url} answered what is no chat completion with its usage.", 424)


def _chat_request(name: str, body: dict[str, Any]) -> dict[str, Any]:
    """Translate a Converse request that was checked: it has texts and cachePoints alone."""
    system = _text(body.get("system") or ())
    messages = [{"role": "system", "content": system}] if system else []
    messages += [{"role": message["role"], "content": _text(message["content"])} for message in body["messages"]]
    request: dict[str, Any] = {"model": name, "messages": messages}
    config = body.get("inferenceConfig") or {}
    for ours, theirs in (
        ("maxTokens", "max_tokens"),
        ("temperature", "temperature"),
        ("topP", "top_p"),
        ("stopSequences", "stop"),
    ):
        if config.get(ours) is not None:
            request[theirs] = config[ours]
    if output := body.get("outputConfig"):
        schema = output["textFormat"]["structure"]["jsonSchema"]
        held_to = {"name": schema.get("name", "answer"), "schema": json.loads(schema["schema"])}
        request["response_format"] = {"type": "json_schema", "json_schema": held_to}
    if tools := body.get("toolConfig"):
        request["tools"] = [_function(tool["toolSpec"]) for tool in tools["tools"] if "toolSpec" in tool]
        request["tool_choice"] = _tool_choice(tools.get("toolChoice") or {})
    return request


def _text(blocks: Any) -> str:
    return "\n".join(block["text"] for block in blocks if "text" in block)


def _function(spec: dict[str, Any]) -> dict[str, Any]:
    function = {"name": spec["name"], "parameters": spec["inputSchema"]["json"]}
    if spec.get("description"):
        function["description"] = spec["description"]
    return {"type": "function", "function": function}


def _tool_choice(choice: dict[str, Any]) -> str | dict[str, Any]:
    if "tool" in choice:
        return {"type": "function", "function": {"name": choice["tool"]["name"]}}
    return "required" if "any" in choice else "auto"


def _converse_reply(answer: dict[str, Any], name: str, latency_s: float) -> Reply:
    """Translate a completion. Errors: KeyError, TypeError, ValueError and others where it is none."""
    choice, usage = answer["choices"][0], answer["usage"]
    message = choice["message"]
    text = message.get("content") or ""
    if not isinstance(text, str):
        raise TypeError
    content: list[Block] = [{"text": text}] if text else []
    calls = message.get("tool_calls") or []
    content += [tool_use(call["function"]["name"], _arguments(call["function"]["arguments"])) for call in calls]
    reason = _STOP_REASONS[choice["finish_reason"]]
    if calls and reason == "end_turn":
        reason = "tool_use"  # Ollama and others end with "stop" after a call
    tokens_in, tokens_out = int(usage["prompt_tokens"]), int(usage["completion_tokens"])
    ours = {
        "inputTokens": tokens_in,
        "outputTokens": tokens_out,
        "totalTokens": tokens_in + tokens_out,
        "cacheReadInputTokens": 0,
        "cacheWriteInputTokens": 0,
    }
    return reply_of(content, reason, ours, latency_s, name)


def _arguments(text: str) -> Any:
    """Return what a tool is called with: an object, or the text of one that is broken, as the model left it."""
    try:
        return json.loads(text)
    except ValueError:
        return text
