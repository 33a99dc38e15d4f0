"""Converse passed on to an OpenAI-compatible server on loopback: what it is asked, what comes back, what goes wrong."""

import json
import logging
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from local_aws.aws_error import AwsError
from local_aws.bedrock.openai_model import OpenAiModel

MODEL = "jp.anthropic.claude-haiku-5-5"
SECRET = "albatross"
REQUEST = {
    "system": [{"text": "Judge."}, {"cachePoint": {"type": "default"}}, {"text": "In short."}],
    "messages": [{"role": "user", "content": [{"text": SECRET}]}],
    "inferenceConfig": {"maxTokens": 128, "stopSequences": ["END"]},
    "additionalModelRequestFields": {"thinking": {"type": "disabled"}},
}
SCHEMA = {"type": "object", "properties": {"category": {"type": "string"}}}
TOOL = {"toolSpec": {"name": "record", "description": "Record it.", "inputSchema": {"json": SCHEMA}}}
USAGE = {"prompt_tokens": 30, "completion_tokens": 8, "total_tokens": 38}


def completion(message, finish_reason="stop", **others):
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish_reason}
    return {"object": "chat.completion", "choices": [choice], "usage": USAGE, **others}


def call(arguments, name="record"):
    return {"id": "1", "type": "function", "function": {"name": name, "arguments": arguments}}


class Server:
    """A chat server that gives one answer and remembers what it was asked."""

    def __init__(self):
        self.status, self.body, self.asked = 200, json.dumps(completion({"content": "Coding."})).encode(), []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.asked.append((self.path, dict(self.headers), body))
                self.send_response(server.status)
                self.send_header("Content-Length", str(len(server.body)))
                self.end_headers()
                self.wfile.write(server.body)

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def answers(self, answer, status=200):
        self.status = status
        self.body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()

    def stop(self):
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def model(server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nobody is there: loopback never goes through a proxy
    return OpenAiModel(f"{server.url}/", "qwen3:8b", "key-1", timeout_s=5)


def test_the_server_is_asked_in_its_own_words(server, model):
    model.converse(MODEL, {**REQUEST, "toolConfig": {"tools": [TOOL], "toolChoice": {"tool": {"name": "record"}}}})

    ((path, headers, asked),) = server.asked
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer key-1"
    assert asked == {
        "model": "qwen3:8b",
        "messages": [{"role": "system", "content": "Judge.\nIn short."}, {"role": "user", "content": SECRET}],
        "max_tokens": 128,
        "stop": ["END"],
        "tools": [
            {"type": "function", "function": {"name": "record", "description": "Record it.", "parameters": SCHEMA}}
        ],
        "tool_choice": {"type": "function", "function": {"name": "record"}},
    }


@pytest.mark.parametrize(("choice", "theirs"), [({"any": {}}, "required"), ({"auto": {}}, "auto"), (None, "auto")])
def test_a_free_choice_of_the_tool_is_passed_on(server, model, choice, theirs):
    config = {"tools": [TOOL], **({"toolChoice": choice} if choice else {})}

    model.converse(MODEL, {**REQUEST, "toolConfig": config, "inferenceConfig": {"temperature": 0.0, "topP": 0.5}})

    asked = server.asked[0][2]
    assert (asked["tool_choice"], asked["temperature"], asked["top_p"]) == (theirs, 0.0, 0.5)


def test_a_schema_of_the_answer_is_passed_on(server, model):
    structure = {"jsonSchema": {"name": "record", "schema": json.dumps(SCHEMA)}}

    model.converse(MODEL, REQUEST | {"outputConfig": {"textFormat": {"type": "json_schema", "structure": structure}}})

    asked = server.asked[0][2]
    assert asked["response_format"] == {"type": "json_schema", "json_schema": {"name": "record", "schema": SCHEMA}}


ANSWERS = [
    pytest.param(completion({"content": "Coding."}), [{"text": "Coding."}], "end_turn", id="text"),
    pytest.param(completion({"content": "Cod"}, "length"), [{"text": "Cod"}], "max_tokens", id="cut"),
    pytest.param(completion({"content": ""}, "content_filter"), [], "content_filtered", id="filtered"),
    pytest.param(
        completion({"content": None, "tool_calls": [call('{"category": "coding"}')]}, "tool_calls"),
        [{"record": {"category": "coding"}}],
        "tool_use",
        id="tool",
    ),
    pytest.param(
        completion({"content": "", "tool_calls": [call('{"category": "coding"}')]}),
        [{"record": {"category": "coding"}}],
        "tool_use",
        id="tool that ends with stop",
    ),
    pytest.param(
        completion({"tool_calls": [call('{"category": "cod')]}, "length"),
        [{"record": '{"category": "cod'}],
        "max_tokens",
        id="broken arguments",
    ),
]


@pytest.mark.parametrize(("answer", "content", "reason"), ANSWERS)
def test_an_answer_comes_back_in_bedrocks_shapes_under_the_real_models_name(server, model, answer, content, reason):
    server.answers(answer)

    reply = model.converse(MODEL, REQUEST)

    blocks = reply["output"]["message"]["content"]
    read = [{block["toolUse"]["name"]: block["toolUse"]["input"]} if "toolUse" in block else block for block in blocks]
    assert (read, reply["stopReason"]) == (content, reason)
    assert reply["trace"]["promptRouter"]["invokedModelId"] == "qwen3:8b"
    assert (reply["usage"]["inputTokens"], reply["usage"]["outputTokens"], reply["usage"]["totalTokens"]) == (30, 8, 38)


ERRORS = [
    pytest.param({"error": {"message": SECRET}}, 429, "ThrottlingException", 429, "answered 429", id="throttled"),
    pytest.param(b"", 500, "ServiceUnavailableException", 503, "answered 500", id="500"),
    pytest.param(b"<html>", 502, "ServiceUnavailableException", 503, "answered 502", id="502"),
    pytest.param({"error": SECRET}, 404, "ModelErrorException", 424, "answered 404 for the model 'qwen3:8b'", id="404"),
    pytest.param(SECRET.encode(), 200, "ModelErrorException", 424, "no chat completion", id="no JSON"),
    pytest.param([], 200, "ModelErrorException", 424, "no chat completion", id="no object"),
    pytest.param({"choices": []}, 200, "ModelErrorException", 424, "no chat completion", id="no choice"),
    pytest.param(completion({"content": [SECRET]}), 200, "ModelErrorException", 424, "no chat", id="no text"),
    pytest.param(completion({"content": "x"}, usage=None), 200, "ModelErrorException", 424, "its usage", id="no usage"),
    pytest.param(completion({"content": "x"}, "unheard_of"), 200, "ModelErrorException", 424, "no chat", id="reason"),
]


@pytest.mark.parametrize(("answer", "status", "code", "ours", "message"), ERRORS)
def test_a_server_that_fails_is_an_error_that_names_it_and_never_the_stand_in(
    server, model, caplog, answer, status, code, ours, message
):
    caplog.set_level(logging.DEBUG)
    server.answers(answer, status)

    with pytest.raises(AwsError) as caught:
        model.converse(MODEL, REQUEST)

    assert (caught.value.code, caught.value.status) == (code, ours)
    assert message in caught.value.message
    assert f"{server.url}/chat/completions" in caught.value.message
    assert SECRET not in caught.value.message + caplog.text
    assert len(server.asked) == 1


def test_a_server_that_is_not_there_is_unavailable(server, model):
    server.stop()

    with pytest.raises(AwsError, match=r"/chat/completions did not answer \(URLError\)") as caught:
        model.converse(MODEL, REQUEST)

    assert (caught.value.code, caught.value.status) == ("ServiceUnavailableException", 503)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"LOCAL_MODEL_URL": "127.0.0.1:11434/v1", "LOCAL_MODEL_NAME": "m"}, "LOCAL_MODEL_URL must be a base URL"),
        ({"LOCAL_MODEL_URL": "ftp://127.0.0.1", "LOCAL_MODEL_NAME": "m"}, "LOCAL_MODEL_URL must be a base URL"),
        ({"LOCAL_MODEL_URL": "http://u:pw@127.0.0.1", "LOCAL_MODEL_NAME": "m"}, "without a user"),
        ({"LOCAL_MODEL_URL": "http://127.0.0.1/v1"}, "LOCAL_MODEL_NAME must name the model"),
    ],
)
def test_a_model_that_cannot_be_meant_is_refused(environment, message):
    with pytest.raises(ValueError, match=message) as caught:
        OpenAiModel.of_environment(environment)

    assert "pw" not in str(caught.value)


def test_the_local_aws_does_not_start_with_such_a_model():
    ended = subprocess.run(
        [sys.executable, "-m", "local_aws", "--port", "0"],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "LOCAL_MODEL_URL": "127.0.0.1:11434/v1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 1
    assert "LOCAL_MODEL_URL must be a base URL" in ended.stderr


def test_without_a_url_the_stand_in_answers():
    assert OpenAiModel.of_environment({"LOCAL_MODEL_NAME": "m"}) is None


def test_a_program_that_calls_bedrock_gets_the_real_model_or_its_error(local_aws, server):
    aws, bedrock = local_aws._aws, local_aws.client("bedrock-runtime")
    aws._model = OpenAiModel(server.url, "qwen3:8b")
    try:
        aws.reset()
        reply = bedrock.converse(modelId=MODEL, **REQUEST)
        with pytest.raises(bedrock.exceptions.ValidationException, match="cannot count the tokens of 'qwen3:8b'"):
            bedrock.count_tokens(
                modelId="anthropic.claude-haiku-4-5-20251001-v1:0",
                input={"converse": {"messages": REQUEST["messages"]}},
            )
        server.answers(b"", 503)
        with pytest.raises(bedrock.exceptions.ServiceUnavailableException, match="answered 503"):
            bedrock.converse(modelId=MODEL, **REQUEST)
    finally:
        aws._model = None

    assert reply["trace"]["promptRouter"]["invokedModelId"] == "qwen3:8b"
    assert local_aws.stats()["converse_paid"] == 1
