"""What Converse refuses here it refuses in Bedrock's words, by the model that is called and the day on which it is."""

import json
import re
from datetime import UTC, date, datetime
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from chatcensus.include import read_yaml
from chatcensus.model_catalog import ModelCatalog
from local_aws.aws_error import AwsError
from local_aws.bedrock.converse_rules import check_request
from local_aws.bedrock.model_directory import ModelDirectory
from local_aws.bedrock.models import MODELS, PROFILES, FoundationModel

HAIKU = "jp.anthropic.claude-haiku-5-5"
HAIKU_4_5 = "jp.anthropic.claude-haiku-4-5-20251001-v1:0"
SONNET = "global.anthropic.claude-sonnet-5-5"
NOVA = "amazon.nova-micro-v1:0"
GPT_OSS = "openai.gpt-oss-20b-1:0"
OFF = {"thinking": {"type": "disabled"}}
CLOSED = {"type": "object", "additionalProperties": False}
USER = {"role": "user", "content": [{"text": "Hello"}]}
ASSISTANT = {"role": "assistant", "content": [{"text": "{"}]}
POINT = {"cachePoint": {"type": "default"}}
HOUR = {"cachePoint": {"type": "default", "ttl": "1h"}}


def tools(choice=None, name="record"):
    config = {"tools": [{"toolSpec": {"name": name, "inputSchema": {"json": {"type": "object"}}}}]}
    return {**config, "toolChoice": choice} if choice else config


def schema(content):
    structure = {"jsonSchema": {"name": "record", "schema": json.dumps(content)}}
    return {"outputConfig": {"textFormat": {"type": "json_schema", "structure": structure}}}


FORCED = tools({"tool": {"name": "record"}})


def refusal(model, **body):
    with pytest.raises(AwsError) as caught:
        ModelDirectory(lambda: datetime(2026, 11, 22, tzinfo=UTC)).check(model, {"messages": [USER], **body})
    return caught.value.status, caught.value.code, caught.value.message


REFUSED = [
    pytest.param(HAIKU, {"inferenceConfig": {"temperature": 0.0}}, "`temperature` is deprecated", id="temperature"),
    pytest.param(HAIKU, {"inferenceConfig": {"topP": 1.0}}, "`top_p` is deprecated for this model.", id="topP"),
    pytest.param(HAIKU, {"additionalModelRequestFields": {"top_k": 1}}, "`top_k` is deprecated", id="top_k"),
    pytest.param(
        HAIKU_4_5, {"inferenceConfig": {"temperature": 0, "topP": 1}}, "cannot both be specified", id="both samplers"
    ),
    pytest.param(NOVA, {"inferenceConfig": {"temperature": 2}}, "between 0 and 1", id="temperature too high"),
    pytest.param(HAIKU, {"messages": [USER, ASSISTANT]}, "does not support assistant message prefill", id="prefill"),
    pytest.param(NOVA, {"messages": [USER, ASSISTANT]}, "local AWS does not answer .* begun", id="prefill elsewhere"),
    pytest.param(HAIKU, {"messages": [USER, USER]}, "must alternate between user and assistant", id="two of one role"),
    pytest.param(HAIKU, {"messages": [ASSISTANT]}, "must start with a user message", id="assistant first"),
    pytest.param(HAIKU, {"messages": []}, "must start with a user message", id="no message"),
    pytest.param(HAIKU, {"messages": [{"role": "user", "content": []}]}, "messages.0 is empty", id="empty message"),
    pytest.param(HAIKU, {"system": [{"text": "\n"}]}, "at system.0 is blank", id="blank instructions"),
    pytest.param(
        HAIKU, {"messages": [{"role": "user", "content": [{"text": " "}]}]}, "messages.0.content.0 is blank", id="blank"
    ),
    pytest.param(
        HAIKU, {"messages": [{"role": "user", "content": [{"image": {}}]}]}, "it reads text alone", id="an image"
    ),
    pytest.param(HAIKU, {"inferenceConfig": {"maxTokens": 0}}, "greater than or equal to 1", id="no room"),
    pytest.param(HAIKU, {"inferenceConfig": {"maxTokens": 128_001}}, "model limit of 128000", id="too much room"),
    pytest.param(HAIKU, {"toolConfig": FORCED}, "Thinking may not be enabled when tool_choice", id="thinks by default"),
    pytest.param(SONNET, {"toolConfig": FORCED}, "Thinking may not be enabled when tool_choice", id="always thinks"),
    pytest.param(
        HAIKU_4_5,
        {"toolConfig": FORCED, "additionalModelRequestFields": {"thinking": {"type": "enabled"}}},
        "Thinking may not be enabled when tool_choice",
        id="thinks when asked",
    ),
    pytest.param(SONNET, {"additionalModelRequestFields": OFF}, '"thinking.type.disabled" is not', id="cannot be off"),
    pytest.param(
        HAIKU,
        {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 2000}}},
        '"thinking.type.enabled" is not supported',
        id="budget",
    ),
    pytest.param(HAIKU, {"additionalModelRequestFields": {"topK": 1}}, "topK: Extra inputs are not", id="extra field"),
    pytest.param(NOVA, {"additionalModelRequestFields": {"x": 1}}, "local AWS .* the field 'x'", id="field of another"),
    pytest.param(HAIKU, {"toolConfig": tools(name="bad name")}, r"pattern: \[a-zA-Z0-9_-\]\+", id="tool name"),
    pytest.param(HAIKU, {"toolConfig": tools(name="x" * 65)}, "toolSpec.name", id="long tool name"),
    pytest.param(
        HAIKU, {"toolConfig": tools({"tool": {"name": "other"}})}, "Tool 'other' not found", id="no such tool"
    ),
    pytest.param(HAIKU, {"toolConfig": {"tools": []}}, "'toolConfig.tools' failed", id="no tool"),
    pytest.param(GPT_OSS, {"toolConfig": FORCED}, "local AWS .* a forced tool for openai", id="unsettled"),
    pytest.param(HAIKU, {"requestMetadata": {"who": "日本"}}, "'requestMetadata' failed", id="metadata charset"),
    pytest.param(HAIKU, {"requestMetadata": {"who": "x" * 257}}, "'requestMetadata' failed", id="metadata length"),
    pytest.param(HAIKU, {"requestMetadata": {str(n): "" for n in range(17)}}, "between 1 and 16", id="metadata count"),
    pytest.param(HAIKU, {"system": [{"text": "x"}, *[POINT] * 5]}, "maximum of 4 blocks .* Found 5", id="5 points"),
    pytest.param(HAIKU, {"system": [{"text": "x"}, POINT, {"text": "y"}, HOUR]}, "must not come after", id="1h last"),
    pytest.param(NOVA, {"system": [{"text": "x"}, HOUR]}, "local AWS .* ttl '1h'", id="1h elsewhere"),
    pytest.param(
        NOVA, {"toolConfig": {"tools": [*FORCED["tools"], POINT]}}, r"#/toolConfig/tools/1: extraneous key", id="tools"
    ),
    pytest.param(SONNET, {"system": [{"text": "x"}, POINT]}, "local AWS .* a cachePoint for", id="minimum unknown"),
    pytest.param(HAIKU, {"guardrailConfig": {"guardrailIdentifier": "g"}}, "local AWS .* guardrailConfig", id="guard"),
    pytest.param(HAIKU, {"outputConfig": {"textFormat": {}}}, "output_config.format: Extra inputs", id="json_schema"),
    pytest.param(
        NOVA, {"outputConfig": {"textFormat": {}}}, r"extraneous key \[outputConfig\] is not permitted", id="no schema"
    ),
    pytest.param(
        GPT_OSS,
        schema({"type": "object"}),
        "output_config.format.schema: .*'additionalProperties' must be explicitly set to false",
        id="open object",
    ),
    pytest.param(
        SONNET,
        schema(CLOSED | {"properties": {"score": {"type": "integer", "minimum": 1, "maximum": 5}}}),
        "For 'integer' type, properties maximum, minimum are not supported",
        id="bounds",
    ),
    pytest.param(GPT_OSS, schema("no object"), "schema: Input should be a valid JSON object", id="no schema in it"),
    pytest.param(HAIKU, {"serviceTier": {"type": "flex"}}, "local AWS .* a serviceTier but default", id="flex"),
    pytest.param(HAIKU, {"performanceConfig": {"latency": "optimized"}}, "local AWS .* latency", id="optimized"),
    pytest.param(HAIKU, {"stream": True}, "local AWS .* 'stream'", id="unknown member"),
    pytest.param("anthropic.no-such-model", {}, "^The provided model identifier is invalid.$", id="unknown model"),
    pytest.param(
        "anthropic.claude-haiku-5-5", {}, "claude-haiku-5-5 with on-demand throughput isn’t supported", id="bare id"
    ),
    pytest.param(
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/nobodysown1",
        {},
        "identifier is invalid",
        id="profile of nobody",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("model", "body", "message"), REFUSED)
def test_a_request_is_refused_as_bedrock_refuses_it(model, body, message):
    status, code, said = refusal(model, **body)

    assert (status, code) == (400, "ValidationException")
    assert re.search(message, said)


def test_a_cache_point_needs_a_model_that_caches():
    body = {"messages": [USER], "system": [{"text": "x"}, POINT]}

    status, code, message = refusal(GPT_OSS, **body)

    assert (status, code) == (403, "AccessDeniedException")
    assert "did not allow prompt caching" in message


def test_a_member_of_a_wrong_type_is_a_serialization_error():
    assert refusal(HAIKU, messages="Hello")[1] == "SerializationException"


def test_a_client_sees_the_error_and_no_call_is_paid_for(local_aws):
    bedrock = local_aws.client("bedrock-runtime")

    with pytest.raises(ClientError, match="`temperature` is deprecated for this model"):
        bedrock.converse(modelId=HAIKU, messages=[USER], inferenceConfig={"temperature": 0.0})

    stats = local_aws.stats()
    assert (stats["converse_calls"], stats["converse_paid"]) == (1, 0)


ACCEPTED = [
    pytest.param(HAIKU, {"toolConfig": FORCED, "additionalModelRequestFields": OFF}, id="forced tool, no thinking"),
    pytest.param(HAIKU, {"toolConfig": tools({"auto": {}})}, id="free choice while thinking"),
    pytest.param(HAIKU_4_5, {"toolConfig": FORCED, "inferenceConfig": {"temperature": 0.0}}, id="older model"),
    pytest.param(NOVA, {"toolConfig": tools({"any": {}}), "inferenceConfig": {"topP": 0.5}}, id="nova"),
    pytest.param(GPT_OSS, schema(CLOSED), id="a schema"),
    pytest.param(SONNET, schema(CLOSED), id="a schema while thinking"),
    pytest.param(GPT_OSS, {"additionalModelRequestFields": {"reasoning_effort": "low"}}, id="little thinking"),
    pytest.param(HAIKU, {"system": [{"text": "x"}, HOUR, {"text": "y"}, POINT]}, id="1h before 5m"),
    pytest.param(HAIKU, {"requestMetadata": {"run": "2026-11-22:1/4"}}, id="metadata"),
    pytest.param(HAIKU, {"messages": [USER, ASSISTANT, USER]}, id="a dialogue"),
    pytest.param(HAIKU, {"inferenceConfig": {"maxTokens": 128_000}}, id="all the room"),
    pytest.param(f"arn:aws:bedrock:us-east-1::foundation-model/{NOVA}", {}, id="ARN of a model"),
    pytest.param(f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{HAIKU}", {}, id="ARN of a profile"),
]


@pytest.mark.parametrize(("model", "body"), ACCEPTED)
def test_a_request_that_the_model_takes_passes(model, body):
    ModelDirectory(lambda: datetime(2026, 11, 22, tzinfo=UTC)).check(model, {"messages": [USER], **body})


@pytest.mark.parametrize(
    ("model", "last_day"),
    [
        ("anthropic.claude-3-haiku-20240307-v1:0", date(2026, 9, 9)),
        ("us.anthropic.claude-3-haiku-20240307-v1:0", date(2026, 9, 9)),
        ("anthropic.claude-3-5-haiku-20241022-v1:0", date(2026, 6, 18)),
    ],
)
def test_a_model_answers_until_its_end_of_life_and_not_after(model, last_day):
    now = datetime.combine(last_day, datetime.max.time(), UTC)
    models = ModelDirectory(lambda: now)
    models.check(model, {"messages": [USER]})

    now = datetime(last_day.year, last_day.month, last_day.day + 1, tzinfo=UTC)
    with pytest.raises(AwsError) as caught:
        models.check(model, {"messages": [USER]})

    assert (caught.value.status, caught.value.code) == (404, "ResourceNotFoundException")
    assert caught.value.message == "This model version has reached the end of its life."


BATCH_WITHOUT_A_PRICE = {"apac.amazon.nova-lite-v1:0", "jp.amazon.nova-2-lite-v1:0", "stand-in"}


def test_every_model_that_the_census_may_choose_is_known_here_and_takes_what_the_census_sends():
    catalog = read_yaml(Path(__file__).parents[2] / "include/prompts/models.yaml", ModelCatalog)

    for model in catalog.models:
        if not model.is_invocable:
            continue
        known = PROFILES.get(model.model_id) or MODELS[model.model_id]
        assert model.temperature is None or "temperature" not in known.refuses, model.model_id
        assert not model.cache_min_tokens or known.cache_min_tokens == model.cache_min_tokens, model.model_id
        assert known.batch is bool(model.prices[-1].batch) or model.model_id in BATCH_WITHOUT_A_PRICE, model.model_id
        assert (model.life and model.life.ends) == known.end_of_life, model.model_id
        names = (model.quota_name, f"{model.quota_name} V1")
        assert not model.quota_name or (known.quota_name or f"{known.provider} {known.name}") in names, model.model_id
        body = {"messages": [USER], "additionalModelRequestFields": model.request_fields}
        if model.temperature is not None:
            body["inferenceConfig"] = {"temperature": model.temperature}
        if model.cache_min_tokens:
            body["system"] = [{"text": "x"}, POINT]
        for mode in model.output_modes:
            check_request(known, body | {"tool": {"toolConfig": FORCED}, "json_schema": schema(CLOSED)}.get(mode, {}))


def test_a_table_of_the_file_with_a_field_that_no_model_has_is_refused():
    with pytest.raises(TypeError, match="colour"):
        FoundationModel.of_toml("a.b", {"name": "b", "provider": "a", "start_of_life": date(2026, 1, 1), "colour": 1})


def test_the_connection_stays_open_between_calls(local_aws):
    client = boto3.client("bedrock-runtime", config=Config(max_pool_connections=1, proxies={}))
    opened = []
    pool_manager = client._endpoint.http_session._manager

    for _ in range(3):
        client.converse(modelId=HAIKU, messages=[USER])
        pool = pool_manager.connection_from_url(local_aws.endpoint_url)
        opened.append(pool.num_connections)
    client.close()

    assert opened == [1, 1, 1]
