"""The model behind Converse: what is asked of it, what its replies say, and what each of its errors means."""

import json
import logging
import socket
import struct
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore import exceptions as sdk
from botocore.config import Config

from chatcensus.answer import Judgement, Reason, read_answer
from chatcensus.asking import Asker
from chatcensus.aws.bedrock import BedrockJudge, client_config
from chatcensus.bill import Bill
from chatcensus.clock import Clock
from chatcensus.conversation import Conversation, Turn, transcript
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
from chatcensus.include import read_yaml
from chatcensus.model_catalog import Model, ModelCatalog
from chatcensus.pricing import Usage
from chatcensus.prompt import TOOL_NAME, output_config, tool_config, user_message
from chatcensus.spreading import Spread, Way
from chatcensus.taxonomy import Taxonomy
from tests.fakes import UNLIMITED, FakeLedger

if TYPE_CHECKING:
    from collections.abc import Callable

INCLUDE = Path(__file__).parents[2] / "include"
TAXONOMY = read_yaml(INCLUDE / "prompts/taxonomy.yaml", Taxonomy)
MODELS = {model.model_id: model for model in read_yaml(INCLUDE / "prompts/models.yaml", ModelCatalog).models}
HAIKU, NOVA = MODELS["jp.anthropic.claude-haiku-5-5"], MODELS["amazon.nova-micro-v1:0"]
CANARY = "canary-4711-の会話"
ANSWER = {"category": "coding", "inquiry_score": 3}
USAGE = {"inputTokens": 700, "outputTokens": 20, "totalTokens": 720}


@dataclass
class Bedrock:
    """A Bedrock of one port that answers as *answer* says, and keeps every request it was sent."""

    url: str = ""
    answer: "Callable[[BaseHTTPRequestHandler], None]" = lambda _handler: None
    requests: list[tuple[str, dict]] = field(default_factory=list)
    over: Event = field(default_factory=Event)

    def reply(self, *content: dict, stop_reason: str = "end_turn", usage: dict = USAGE, **more: object) -> None:
        message = {"role": "assistant", "content": list(content)}
        body = {"output": {"message": message}, "stopReason": stop_reason, "usage": usage, "metrics": {"latencyMs": 1}}
        self.answer = lambda handler: _send(handler, 200, json.dumps(body | more).encode())

    def refuse(self, status: int, code: str | None, message: str) -> None:
        headers = {"x-amzn-ErrorType": code} if code else {}
        self.answer = lambda handler: _send(handler, status, json.dumps({"message": message}).encode(), headers)


def _send(handler, status, body, headers=None, length=None):
    handler.send_response(status)
    for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(length or len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture(scope="module")
def server():
    told = Bedrock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.requests.append((self.path, json.loads(body)))
            told.answer(self)

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    told.url = f"http://127.0.0.1:{http.server_port}"
    thread = Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    yield told
    told.over.set()
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture(scope="module")
def client(server):
    client = _client(server.url, client_config(4).merge(Config(proxies={})))
    yield client
    client.close()


@pytest.fixture(scope="module")
def hasty_client(server):
    """The same settings, and less time to wait for a reply."""
    client = _client(server.url, client_config(4).merge(Config(proxies={}, read_timeout=0.7)))
    yield client
    client.close()


def _client(url, config):
    session = boto3.session.Session("testing", "testing", region_name="ap-northeast-1")
    return session.client("bedrock-runtime", endpoint_url=url, config=config)


@pytest.fixture
def bedrock(server):
    server.requests.clear()
    server.reply({"text": json.dumps(ANSWER)})
    return server


@pytest.fixture
def judge(client):
    return BedrockJudge(client, HAIKU.model_id, HAIKU, TAXONOMY)


@pytest.fixture
def hasty_judge(hasty_client):
    return BedrockJudge(hasty_client, HAIKU.model_id, HAIKU, TAXONOMY)


def _ask(judge, mode="tool", max_tokens=128):
    return judge.ask(f"Instructions {CANARY}", f"<conversation>{CANARY}</conversation>", mode, max_tokens)


def _tool(answer, name=TOOL_NAME):
    return {"toolUse": {"toolUseId": "t1", "name": name, "input": answer}}


# What is asked


def test_a_request_in_tool_mode_is_exactly_this(bedrock, judge):
    _ask(judge)

    [(path, body)] = bedrock.requests
    assert path == "/model/jp.anthropic.claude-haiku-5-5/converse"
    assert body == {
        "system": [{"text": f"Instructions {CANARY}"}, {"cachePoint": {"type": "default"}}],
        "messages": [{"role": "user", "content": [{"text": f"<conversation>{CANARY}</conversation>"}]}],
        "inferenceConfig": {"maxTokens": 128},
        "additionalModelRequestFields": {"thinking": {"type": "disabled"}},
        "toolConfig": tool_config(TAXONOMY),
    }
    assert body["toolConfig"]["toolChoice"] == {"tool": {"name": TOOL_NAME}}


def test_json_schema_mode_asks_for_a_text_that_is_held_to_the_schema(bedrock, judge):
    _ask(judge, mode="json_schema")

    [(_, body)] = bedrock.requests
    assert body["outputConfig"] == output_config(TAXONOMY)
    assert "toolConfig" not in body


def test_prompt_mode_offers_no_tool(bedrock, judge):
    _ask(judge, mode="prompt", max_tokens=256)

    [(_, body)] = bedrock.requests
    assert not {"toolConfig", "outputConfig"} & body.keys()
    assert body["inferenceConfig"] == {"maxTokens": 256}


@pytest.mark.parametrize(
    ("model", "mode"), [(model, mode) for model in MODELS.values() if model.is_invocable for mode in model.output_modes]
)
def test_every_model_of_the_catalog_is_sent_only_what_it_takes(bedrock, client, model, mode):
    _ask(BedrockJudge(client, model.model_id, model, TAXONOMY), mode)

    [(path, body)] = bedrock.requests
    assert path.split("/")[2].replace("%3A", ":") == model.model_id
    assert body["inferenceConfig"].get("temperature") == model.temperature
    assert ("temperature" in body["inferenceConfig"]) == (model.temperature is not None)
    assert any("cachePoint" in block for block in body["system"]) == bool(model.cache_min_tokens)
    assert body.get("additionalModelRequestFields", {}) == model.request_fields


def test_an_inference_profile_can_be_named_by_its_arn(bedrock, client):
    arn = "arn:aws:bedrock:ap-northeast-1:123456789012:application-inference-profile/abc"

    reply = _ask(BedrockJudge(client, arn, HAIKU, TAXONOMY), "prompt")

    assert reply.answered_by == arn
    assert len(bedrock.requests) == 1


def test_a_request_that_the_sdk_refuses_never_leaves(bedrock, client):
    too_hot = NOVA.model_copy(update={"temperature": "hot"})

    with pytest.raises(SetupError, match="ParamValidationError") as caught:
        _ask(BedrockJudge(client, NOVA.model_id, too_hot, TAXONOMY))

    assert bedrock.requests == []
    assert CANARY not in _shown(caught.value)


# What the replies say


@pytest.mark.parametrize(
    ("mode", "content", "answer"),
    [
        pytest.param("tool", [_tool(ANSWER)], ANSWER, id="the tool's input"),
        pytest.param("tool", [_tool(json.dumps(ANSWER))], json.dumps(ANSWER), id="the tool's input as a text"),
        pytest.param(
            "tool",
            [{"reasoningContent": {"reasoningText": {"text": "hm"}}}, _tool(ANSWER)],
            ANSWER,
            id="reasoning first",
        ),
        pytest.param("tool", [{"text": "I record:"}, _tool(ANSWER)], ANSWER, id="words before the tool"),
        pytest.param("tool", [_tool(ANSWER, "other"), _tool(ANSWER)], ANSWER, id="another tool first"),
        pytest.param("tool", [{"text": json.dumps(ANSWER)}], json.dumps(ANSWER), id="a text instead of the tool"),
        pytest.param("tool", [_tool(ANSWER, "other")], None, id="another tool only"),
        pytest.param("tool", [_tool(None)], None, id="a tool without input"),
        pytest.param("tool", [], None, id="nothing"),
        pytest.param("prompt", [{"text": json.dumps(ANSWER)}], json.dumps(ANSWER), id="prompt: a text"),
        pytest.param(
            "prompt",
            [{"reasoningContent": {"reasoningText": {"text": "hm"}}}, {"text": json.dumps(ANSWER)}],
            json.dumps(ANSWER),
            id="prompt: reasoning first",
        ),
        pytest.param(
            "prompt", [{"text": '{"category": '}, {"text": "1}"}], '{"category": 1}', id="prompt: a text in two blocks"
        ),
        pytest.param("prompt", [{"text": ""}], "", id="prompt: an empty text"),
        pytest.param("prompt", [_tool(ANSWER)], None, id="prompt: a tool nobody offered"),
        pytest.param(
            "prompt", [{"reasoningContent": {"reasoningText": {"text": "hm"}}}], None, id="prompt: only reasoning"
        ),
    ],
)
def test_the_answer_is_found_by_the_type_of_its_block(bedrock, judge, mode, content, answer):
    bedrock.reply(*content)

    assert _ask(judge, mode).answer == answer


@pytest.mark.parametrize("content", [[_tool(ANSWER)], [_tool(json.dumps(ANSWER))], [{"text": json.dumps(ANSWER)}]])
def test_what_is_found_is_a_judgement(bedrock, judge, content):
    bedrock.reply(*content, stop_reason="tool_use")

    reply = _ask(judge)

    assert read_answer(reply.answer, reply.stop_reason, TAXONOMY) == Judgement("coding", 3)


def test_two_different_answers_are_none(bedrock, judge):
    bedrock.reply(_tool(ANSWER), _tool(ANSWER | {"inquiry_score": 5}), stop_reason="tool_use")

    reply = _ask(judge)

    assert read_answer(reply.answer, reply.stop_reason, TAXONOMY) is Reason.SEVERAL_OBJECTS


@pytest.mark.parametrize(
    ("stop_reason", "reason"),
    [("max_tokens", Reason.TRUNCATED), ("refusal", Reason.REFUSED), ("guardrail_intervened", Reason.REFUSED)],
)
def test_the_stop_reason_is_handed_on(bedrock, judge, stop_reason, reason):
    bedrock.reply({"text": json.dumps(ANSWER)}, stop_reason=stop_reason)

    reply = _ask(judge)

    assert read_answer(reply.answer, reply.stop_reason, TAXONOMY) is reason


def test_a_stop_reason_that_nobody_knows_yet_passes(bedrock, judge):
    bedrock.reply(_tool(ANSWER), stop_reason="new_in_2027")

    assert _ask(judge).stop_reason == "new_in_2027"


def test_every_token_is_counted(bedrock, judge):
    bedrock.reply(_tool(ANSWER), usage=USAGE | {"cacheReadInputTokens": 600, "cacheWriteInputTokens": 5})

    usage = _ask(judge).usage

    assert usage == Usage(input_tokens=700, output_tokens=20, cache_read_tokens=600, cache_write_tokens=5)
    assert usage.all_input_tokens == 1305


def test_who_answered_is_what_the_reply_says_else_whom_we_asked(bedrock, judge):
    asked = _ask(judge).answered_by
    bedrock.reply(_tool(ANSWER), trace={"promptRouter": {"invokedModelId": "another-model"}})

    assert (asked, _ask(judge).answered_by) == (HAIKU.model_id, "another-model")


@pytest.mark.parametrize("mode", ["tool", "prompt"])
def test_the_local_model_understands_our_request_and_says_that_it_is_a_stand_in(local_aws, mode):
    judge = BedrockJudge(local_aws.client("bedrock-runtime"), HAIKU.model_id, HAIKU, TAXONOMY)
    shown = transcript([Turn("user", "PythonのコードにKeyErrorが出ます。直してください。")])

    reply = judge.ask("Judge.", user_message(shown, "0123456789abcdef", mode), mode, 128)

    verdict = read_answer(reply.answer, reply.stop_reason, TAXONOMY)
    assert isinstance(verdict, Judgement)
    assert verdict.category == "coding"
    assert reply.answered_by == "stand-in"
    assert reply.usage.output_tokens > 0


@pytest.mark.parametrize("model_id", ["openai.gpt-oss-20b-1:0", "global.anthropic.claude-sonnet-5-5"])
def test_a_local_model_that_takes_a_schema_answers_by_it(local_aws, model_id):
    judge = BedrockJudge(local_aws.client("bedrock-runtime"), model_id, MODELS[model_id], TAXONOMY)
    shown = transcript([Turn("user", "PythonのコードにKeyErrorが出ます。直してください。")])

    reply = judge.ask("Judge.", user_message(shown, "0123456789abcdef", "json_schema"), "json_schema", 128)

    assert isinstance(read_answer(reply.answer, reply.stop_reason, TAXONOMY), Judgement)


@pytest.mark.parametrize(
    ("model", "feature"),
    [
        pytest.param(HAIKU, r"\(extra inputs are not permitted\)", id="claude"),
        pytest.param(NOVA, r"\(extraneous key\)", id="nova"),
    ],
)
def test_a_model_without_schemas_refuses_the_feature_by_name(local_aws, model, feature):
    judge = BedrockJudge(local_aws.client("bedrock-runtime"), model.model_id, model, TAXONOMY)

    with pytest.raises(FeatureRefused, match=f"refused a feature of the request {feature}") as caught:
        _ask(judge, "json_schema")

    assert CANARY not in _shown(caught.value)
    assert local_aws.stats()["converse_paid"] == 0


@pytest.mark.parametrize("model", [HAIKU, NOVA], ids=["claude", "nova"])
def test_a_mode_that_the_model_does_not_take_is_dropped_once_and_the_next_one_judges(local_aws, model, caplog):
    tried = model.model_copy(update={"output_modes": ("json_schema", "tool", "prompt")})
    clock, judge = Clock(), BedrockJudge(local_aws.client("bedrock-runtime"), model.model_id, tried, TAXONOMY)
    asker = Asker(
        Spread.over([Way("one", judge, tried, UNLIMITED)], clock, 2),
        FakeLedger(10**9, 10**9),
        tried,
        "Judge.",
        TAXONOMY,
        clock,
        lambda: False,
    )

    verdicts = [asker.verdict(Conversation(f"c{n}", (Turn("user", CANARY),)), Bill()) for n in range(3)]
    asker.purse.close()

    assert all(isinstance(verdict, Judgement) for verdict in verdicts)
    stats = local_aws.stats()
    assert (stats["converse_calls"], stats["converse_paid"]) == (4, 3)
    dropped = [line for line in caplog.messages if "is dropped" in line]
    assert len(dropped) == 1
    assert dropped[0].startswith(f"output mode json_schema is dropped for this run: '{model.model_id}' refused")
    assert CANARY not in caplog.text


def test_a_model_at_its_end_of_life_is_named(local_aws):
    gone = "anthropic.claude-3-haiku-20240307-v1:0"

    with pytest.raises(SetupError, match=f"'{gone}' is not there: it reached its end of life"):
        _ask(BedrockJudge(local_aws.client("bedrock-runtime"), gone, HAIKU, TAXONOMY))


# What the errors mean: status, code, message, ours

ERRORS = [
    (429, "ThrottlingException", "Too many tokens, please wait before trying again.", Throttled),
    (429, "ThrottlingException", "Too many requests, please wait before trying again.", Throttled),
    (429, "ThrottlingException", "Too many tokens per day, please wait before trying again.", QuotaExhausted),
    (429, "TooManyRequestsException", "slow down", Throttled),
    (429, "ModelNotReadyException", "The model is not ready for inference.", ModelBusy),
    (503, "ServiceUnavailableException", "Bedrock is unable to process your request.", ModelBusy),
    (500, "InternalServerException", "The system encountered an unexpected error.", ReplyLost),
    (408, "ModelTimeoutException", "The model took too long.", ReplyLost),
    (424, "ModelErrorException", "Model produced invalid sequence as part of ToolUse.", ReplyLost),
    (400, "ServiceQuotaExceededException", "Your request exceeds the service quota.", QuotaExhausted),
    (400, "ValidationException", "output_config.format: Extra inputs are not permitted", FeatureRefused),
    (400, "ValidationException", "extraneous key [outputConfig] is not permitted", FeatureRefused),
    (
        400,
        "ValidationException",
        "output_config.format.schema: For 'object' type, 'additionalProperties'",
        FeatureRefused,
    ),
    (400, "ValidationException", "Schema is too complex for compilation", FeatureRefused),
    (400, "ValidationException", "tools.0.custom.strict: Extra inputs are not permitted", FeatureRefused),
    (400, "ValidationException", "This model doesn't support tool use.", FeatureRefused),
    (400, "ValidationException", "This model doesn\u2019t support the outputConfig field.", FeatureRefused),
    (400, "ValidationException", "This model doesn't support the toolConfig.toolChoice.tool field.", FeatureRefused),
    (400, "ValidationException", "Thinking may not be enabled when tool_choice forces tool use.", FeatureRefused),
    (400, "ValidationException", "Input is too long for requested model.", RequestRefused),
    (400, "ValidationException", "prompt is too long: 210000 tokens > 200000 maximum", RequestRefused),
    (
        400,
        "ValidationException",
        "The text field in the ContentBlock object at messages.0.content.0 is blank.",
        RequestRefused,
    ),
    (
        400,
        "ValidationException",
        "Invocation of model ID x with on-demand throughput isn\u2019t supported. Retry with an inference profile.",
        SetupError,
    ),
    (400, "ValidationException", "The provided model identifier is invalid.", SetupError),
    (403, "AccessDeniedException", "User is not authorized to perform: bedrock:InvokeModel", SetupError),
    (403, "ExpiredTokenException", "The security token included in the request is expired", SetupError),
    (403, "UnrecognizedClientException", "The security token included in the request is invalid.", SetupError),
    (403, "InvalidSignatureException", "Signature expired", SetupError),
    (404, "ResourceNotFoundException", "This model version has reached the end of its life.", SetupError),
    (404, "ResourceNotFoundException", "Model use case details have not been submitted for this account.", SetupError),
]


@pytest.mark.parametrize(
    ("status", "code", "message", "ours"), ERRORS, ids=[f"{case[1]} {case[2][:30]}" for case in ERRORS]
)
def test_each_error_has_its_meaning_and_shows_no_text(bedrock, judge, caplog, status, code, message, ours):
    caplog.set_level(logging.INFO)
    bedrock.refuse(status, code, f"{message} {CANARY}")

    with pytest.raises(ChatCensusError) as caught:
        _ask(judge)

    assert type(caught.value) is ours
    assert HAIKU.model_id in str(caught.value)
    assert CANARY not in _shown(caught.value)
    assert CANARY not in caplog.text
    assert len(bedrock.requests) == 1


def _shown(error):
    """Return all that Airflow could print of an error."""
    return "".join(traceback.format_exception(error)) + repr(error) + repr(error.__context__) + repr(error.__cause__)


def test_every_error_of_the_service_model_has_a_meaning_of_its_own(bedrock, client, judge):
    converse = client.meta.service_model.operation_model("Converse")
    shapes = {shape.name: shape.metadata["error"]["httpStatusCode"] for shape in converse.error_shapes}

    meanings = {}
    for code, status in shapes.items():
        bedrock.refuse(status, code, "Input is too long for requested model.")
        with pytest.raises(ChatCensusError) as caught:
            _ask(judge)
        meanings[code] = str(caught.value)

    assert len(meanings) >= 9
    assert [code for code, meaning in meanings.items() if "no retry can change" in meaning] == []
    assert shapes.keys() <= {code for _, code, _, _ in ERRORS}


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("AccessDeniedException", "allow bedrock:InvokeModel on the profile and on its models"),
        ("ResourceNotFoundException", "request access or choose another in the Variable chatcensus_model"),
        ("ServiceQuotaExceededException", "ask for more in Service Quotas"),
    ],
)
def test_an_error_that_a_person_must_mend_says_how(bedrock, judge, code, remedy):
    bedrock.refuse(400, code, "no")

    with pytest.raises(ChatCensusError, match=remedy):
        _ask(judge)


@pytest.mark.parametrize(
    ("status", "code", "ours"),
    [
        (500, "InternalFailure", ReplyLost),
        (502, None, ReplyLost),
        (503, None, ModelBusy),
        (504, None, ReplyLost),
        (429, None, Throttled),
    ],
)
def test_an_error_of_something_in_between_is_judged_by_its_status(bedrock, judge, status, code, ours):
    bedrock.refuse(status, code, "Bad gateway")

    with pytest.raises(ours):
        _ask(judge)


# No connection, no reply


@dataclass
class NoConverse:
    """A client whose call ends in *error* before any answer."""

    error: Exception

    def converse(self, **_: object) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (sdk.EndpointConnectionError(endpoint_url="https://bedrock"), ModelBusy),
        (sdk.ConnectTimeoutError(endpoint_url="https://bedrock"), ModelBusy),
        (sdk.ReadTimeoutError(endpoint_url="https://bedrock"), ReplyLost),
        (sdk.ConnectionClosedError(endpoint_url="https://bedrock"), ReplyLost),
        (sdk.NoCredentialsError(), SetupError),
        (sdk.NoRegionError(), SetupError),
        (sdk.TokenRetrievalError(provider="sso", error_msg=CANARY), SetupError),
        (sdk.ParamValidationError(report=f"value: {CANARY}"), SetupError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_each_error_of_the_sdk_has_its_meaning_and_shows_no_text(error, ours):
    judge = BedrockJudge(NoConverse(error), HAIKU.model_id, HAIKU, TAXONOMY)

    with pytest.raises(ChatCensusError) as caught:
        _ask(judge)

    assert type(caught.value) is ours
    assert CANARY not in _shown(caught.value)


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (sdk.ProxyConnectionError(proxy_url="http://proxy", endpoint_url="https://bedrock"), ModelBusy),
        (sdk.HTTPClientError(error=OSError("broken")), ReplyLost),
    ],
    ids=["ProxyConnectionError", "HTTPClientError"],
)
def test_a_connection_that_broke_in_another_way_is_no_fault_of_the_deployment(error, ours):
    with pytest.raises(ours):
        _ask(BedrockJudge(NoConverse(error), HAIKU.model_id, HAIKU, TAXONOMY))


def test_a_fault_of_our_own_is_not_hidden():
    with pytest.raises(KeyError):
        _ask(BedrockJudge(NoConverse(KeyError("ours")), HAIKU.model_id, HAIKU, TAXONOMY))


def test_a_closed_port_is_a_busy_model():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    client = _client(url, client_config(1).merge(Config(proxies={})))

    with pytest.raises(ModelBusy, match="no connection"):
        _ask(BedrockJudge(client, HAIKU.model_id, HAIKU, TAXONOMY))
    client.close()


def _reset(handler):
    # Linger 0: the connection ends with a reset instead of a goodbye.
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.rfile.close()
    handler.connection.close()
    handler.close_connection = True


def _close(handler):
    handler.close_connection = True


def _half(handler):
    _send(handler, 200, b'{"output": {"mess', length=500)
    handler.close_connection = True


@pytest.mark.parametrize(
    ("status", "code", "ours"),
    [
        (500, "InternalServerException", ReplyLost),
        (503, "ServiceUnavailableException", ModelBusy),
        (429, "ThrottlingException", Throttled),
    ],
)
def test_a_refused_request_is_sent_once(bedrock, judge, status, code, ours):
    bedrock.refuse(status, code, "again?")

    with pytest.raises(ours):
        _ask(judge)

    assert len(bedrock.requests) == 1


@pytest.mark.parametrize("end", [_reset, _close, _half], ids=["reset", "closed", "half a reply"])
def test_a_request_whose_connection_ends_is_sent_once(bedrock, judge, end):
    bedrock.answer = end

    with pytest.raises(ReplyLost):
        _ask(judge)

    assert len(bedrock.requests) == 1


def test_a_request_without_a_reply_in_time_is_sent_once(server, bedrock, hasty_judge):
    bedrock.answer = lambda _handler: server.over.wait(2)

    with pytest.raises(ReplyLost):
        _ask(hasty_judge)

    assert len(bedrock.requests) == 1


def test_a_reply_that_stops_halfway_is_lost_after_the_read_timeout(server, bedrock, hasty_judge):
    def half_then_nothing(handler):
        _send(handler, 200, b'{"output": {"mess', length=500)
        server.over.wait(2)

    bedrock.answer = half_then_nothing

    with pytest.raises(ReplyLost):
        _ask(hasty_judge)

    assert len(bedrock.requests) == 1


@pytest.mark.parametrize("body", [b"", b"{}", b"<html>ok</html>"], ids=["nothing", "an empty object", "a web page"])
def test_a_success_without_a_reply_is_a_lost_reply(bedrock, judge, body):
    bedrock.answer = lambda handler: _send(handler, 200, body)

    with pytest.raises(ReplyLost):
        _ask(judge)


def test_all_calls_in_flight_have_a_connection_of_their_own(server, bedrock, caplog):
    in_flight = 32
    client = _client(server.url, client_config(in_flight).merge(Config(proxies={})))
    judge = BedrockJudge(client, HAIKU.model_id, HAIKU, TAXONOMY)

    with ThreadPoolExecutor(in_flight) as pool:
        replies = list(pool.map(lambda _: _ask(judge, "prompt"), range(3 * in_flight)))

    assert len(replies) == 3 * in_flight == len(bedrock.requests)
    assert "Connection pool is full" not in caplog.text
    client.close()


def test_the_settings_leave_every_retry_to_the_census():
    config = client_config(32)

    assert config.retries == {"mode": "standard", "total_max_attempts": 1}
    assert (config.connect_timeout, config.read_timeout, config.tcp_keepalive) == (5, 60, True)
    assert config.max_pool_connections >= 32
    assert isinstance(HAIKU, Model)
