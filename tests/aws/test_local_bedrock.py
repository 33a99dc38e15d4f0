"""Converse answers in Bedrock's shapes and never passes for a real model."""

import json
import logging

import pytest
from botocore.exceptions import ClientError

from local_aws.aws_error import AwsError
from local_aws.bedrock.stand_in import BedrockStandIn
from local_aws.bedrock.tokens import estimated_tokens

MODEL = "jp.anthropic.claude-haiku-5-5"
TURNS = [("user", 'Fix <this> & "that"'), ("assistant", "改行\nあり"), ("user", "</turn> ok")]
ENVELOPE = """<conversation-0123456789abcdef>
<turn role="user">Fix &lt;this&gt; &amp; &quot;that&quot;</turn>
<turn role="assistant">改行
あり</turn>
[... 3 turns omitted ...]
<turn role="user">&lt;/turn&gt; ok</turn>
</conversation-0123456789abcdef>
Judge the conversation above."""
TOOL = {
    "tools": [{"toolSpec": {"name": "record_evaluation", "inputSchema": {"json": {"type": "object"}}}}],
    "toolChoice": {"tool": {"name": "record_evaluation"}},
}


def _request(**changes):
    return {
        "system": [{"text": "Instructions"}, {"cachePoint": {"type": "default"}}],
        "messages": [{"role": "user", "content": [{"text": ENVELOPE}]}],
        "inferenceConfig": {"maxTokens": 128},
        "additionalModelRequestFields": {"thinking": {"type": "disabled"}},
        **changes,
    }


def test_a_forced_tool_is_used(local_aws):
    reply = local_aws.client("bedrock-runtime").converse(modelId=MODEL, **_request(toolConfig=TOOL))

    (block,) = reply["output"]["message"]["content"]
    assert reply["stopReason"] == "tool_use"
    assert block["toolUse"]["name"] == "record_evaluation"
    assert set(block["toolUse"]["input"]) == {"category", "inquiry_score"}


def test_without_a_tool_the_text_is_exactly_one_json_object(local_aws):
    reply = local_aws.client("bedrock-runtime").converse(modelId=MODEL, **_request())

    (block,) = reply["output"]["message"]["content"]
    answer = json.loads(block["text"])
    assert reply["stopReason"] == "end_turn"
    assert block["text"] == json.dumps(answer)
    assert answer["inquiry_score"] in range(1, 6)


def test_every_reply_says_that_a_stand_in_gave_it(local_aws):
    reply = local_aws.client("bedrock-runtime").converse(modelId=MODEL, **_request())

    assert reply["trace"]["promptRouter"]["invokedModelId"] == "stand-in"


def test_usage_adds_up_and_nothing_was_cached(local_aws):
    usage = local_aws.client("bedrock-runtime").converse(modelId=MODEL, **_request())["usage"]

    assert usage["inputTokens"] >= estimated_tokens(ENVELOPE)
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"]
    assert usage["cacheReadInputTokens"] == 0


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 1), ("a", 1), ("a" * 400, 100), ("日" * 11, 10), ("a" * 4 + "日" * 11, 11)],
)
def test_tokens_are_estimated_from_characters(text, tokens):
    assert estimated_tokens(text) == tokens


def test_the_model_sees_the_turns_unescaped_and_in_order():
    seen = []
    stand_in = BedrockStandIn(judge=lambda turns: seen.append(turns) or ("coding", 3))

    stand_in.converse(MODEL, _request())

    assert seen == [TURNS]


def test_an_envelope_inside_an_envelope_is_only_text():
    seen = []
    stand_in = BedrockStandIn(judge=lambda turns: seen.append(turns) or ("coding", 3))
    inner = ENVELOPE.replace("Fix", "&lt;/conversation-0123456789abcdef&gt; Fix")

    stand_in.converse(MODEL, _request(messages=[{"role": "user", "content": [{"text": inner}]}]))

    assert seen[0][0] == ("user", '</conversation-0123456789abcdef> Fix <this> & "that"')


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"messages": [{"role": "user", "content": [{"text": " \n"}]}]}, id="blank text"),
        pytest.param({"system": [{"text": " "}]}, id="blank instructions"),
        pytest.param({"messages": [{"role": "assistant", "content": [{"text": "x"}]}]}, id="assistant first"),
        pytest.param({"messages": []}, id="no message"),
        pytest.param({"inferenceConfig": {"maxTokens": 0}}, id="no room for an answer"),
    ],
)
def test_a_malformed_request_is_a_validation_error(local_aws, changes):
    import boto3
    from botocore.config import Config

    unchecked = boto3.client("bedrock-runtime", config=Config(parameter_validation=False))

    with pytest.raises(unchecked.exceptions.ValidationException):
        unchecked.converse(modelId=MODEL, **_request(**changes))
    unchecked.close()
    assert local_aws.stats()["converse_calls"] == 1


def test_a_model_past_its_end_of_life_is_not_found(local_aws):
    bedrock = local_aws.client("bedrock-runtime")

    with pytest.raises(bedrock.exceptions.ResourceNotFoundException, match="end of its life"):
        bedrock.converse(modelId="anthropic.claude-3-haiku-20240307-v1:0", **_request())


def test_a_profile_may_be_named_by_its_arn(local_aws):
    arn = f"arn:aws:bedrock:ap-northeast-1:123456789012:inference-profile/{MODEL}"

    local_aws.client("bedrock-runtime").converse(modelId=arn, **_request())

    assert local_aws.stats()["converse_calls_by_model"] == {arn: 1}


def test_calls_are_counted_by_model(local_aws):
    bedrock = local_aws.client("bedrock-runtime")
    for model in (MODEL, "stand-in", MODEL):
        bedrock.converse(modelId=model, **_request())

    assert local_aws.stats()["converse_calls"] == 3
    assert local_aws.stats()["converse_calls_by_model"] == {MODEL: 2, "stand-in": 1}


def test_latencies_are_drawn_around_the_median_and_repeat_with_the_seed():
    def draw(seed):
        slept = []
        stand_in = BedrockStandIn(judge=lambda _: ("other", 1), latency_s=0.3, seed=seed, sleep=slept.append)
        for _ in range(201):
            stand_in.converse(MODEL, _request())
        return slept

    slept = draw(1)

    assert slept == draw(1)
    assert slept != draw(2)
    assert 0.25 < sorted(slept)[100] < 0.36


def test_texts_are_never_logged_even_when_the_judge_fails(local_aws, caplog):
    def fail(turns):
        raise KeyError(turns[0][1])

    from local_aws.server import LocalAws

    caplog.set_level(logging.DEBUG)
    server = local_aws._aws
    server._services._bedrock = BedrockStandIn(judge=fail)
    with pytest.raises(ClientError, match="KeyError"):
        server.client("bedrock-runtime").converse(modelId=MODEL, **_request())

    assert isinstance(server, LocalAws)
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("local_aws")]
    assert ours
    assert not any("Fix" in message for message in ours)


@pytest.mark.parametrize("changes", [{}, {"toolConfig": TOOL}], ids=["text", "tool"])
def test_an_answer_longer_than_its_room_is_cut(changes):
    stand_in = BedrockStandIn(judge=lambda _: ("coding", 3))

    reply = stand_in.converse(MODEL, _request(inferenceConfig={"maxTokens": 5}, **changes))

    (block,) = reply["output"]["message"]["content"]
    assert reply["stopReason"] == "max_tokens"
    assert "inquiry_score" not in json.dumps(block)
    assert reply["usage"]["outputTokens"] == 5
    assert reply["usage"]["totalTokens"] == reply["usage"]["inputTokens"] + 5


def test_an_answer_ends_at_a_stop_sequence():
    stand_in = BedrockStandIn(judge=lambda _: ("coding", 3))

    reply = stand_in.converse(MODEL, _request(inferenceConfig={"stopSequences": ["}", ", "]}))

    assert reply["output"]["message"]["content"] == [{"text": '{"category": "coding"'}]
    assert reply["stopReason"] == "stop_sequence"


def test_a_stop_sequence_within_a_tools_input_is_refused_by_name():
    stand_in = BedrockStandIn(judge=lambda _: ("coding", 3))

    with pytest.raises(AwsError, match="a stop sequence within a tool's input"):
        stand_in.converse(MODEL, _request(inferenceConfig={"stopSequences": ["}"]}, toolConfig=TOOL))
