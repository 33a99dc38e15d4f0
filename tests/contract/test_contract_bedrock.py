"""What the census relies on in Bedrock's Converse: modes of output, usage, and what a model refuses."""

from typing import Any

import pytest

from tests.contract.conftest import Account, refusal

TOOL = {
    "tools": [
        {
            "toolSpec": {
                "name": "record",
                "description": "Write the judgement down.",
                "inputSchema": {
                    "json": {
                        "type": "object",
                        "properties": {
                            "category": {"type": "string", "enum": ["coding", "other"]},
                            "inquiry_score": {"type": "integer", "minimum": 1, "maximum": 5},
                        },
                        "required": ["category", "inquiry_score"],
                    }
                },
            }
        }
    ],
    "toolChoice": {"tool": {"name": "record"}},
}


def asking(account: Account, **more: Any) -> dict[str, Any]:
    """Return a small request that the model takes."""
    return {
        "modelId": account.model,
        "system": [{"text": "Judge the conversation."}],
        "messages": [{"role": "user", "content": [{"text": "How do I sort a list in Python?"}]}],
        "inferenceConfig": {"maxTokens": 128},
        "additionalModelRequestFields": {"thinking": {"type": "disabled"}},
        **more,
    }


def test_a_forced_tool_is_what_the_model_answers_with(account: Account) -> None:
    answer = account.client("bedrock-runtime").converse(**asking(account, toolConfig=TOOL))

    uses = [block["toolUse"] for block in answer["output"]["message"]["content"] if "toolUse" in block]
    assert answer["stopReason"] == "tool_use"
    assert [use["name"] for use in uses] == ["record"]
    assert set(uses[0]["input"]) >= {"category", "inquiry_score"}


def test_without_a_tool_the_answer_is_text_and_its_usage_adds_up(account: Account) -> None:
    answer = account.client("bedrock-runtime").converse(**asking(account))

    usage = answer["usage"]
    assert any("text" in block for block in answer["output"]["message"]["content"])
    cached = usage.get("cacheReadInputTokens", 0) + usage.get("cacheWriteInputTokens", 0)
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"] + cached
    assert usage["inputTokens"] > 0
    assert 0 < usage["outputTokens"] <= 128
    assert answer["metrics"]["latencyMs"] >= 0


@pytest.mark.parametrize(
    "more",
    [
        {"inferenceConfig": {"maxTokens": 128, "temperature": 0.0}},
        {"inferenceConfig": {"maxTokens": 128, "topP": 0.5}},
        {"messages": [{"role": "user", "content": [{"text": "  "}]}]},
        {"messages": [{"role": "assistant", "content": [{"text": "I begin."}]}]},
        {"requestMetadata": {"who": "日本"}},
        {"modelId": "anthropic.no-such-model-v1:0"},
    ],
    ids=["temperature", "top-p", "blank text", "assistant first", "metadata", "unknown model"],
)
def test_what_the_model_does_not_take_is_refused_before_it_costs_anything(
    account: Account, more: dict[str, Any]
) -> None:
    assert refusal(account.client("bedrock-runtime").converse, **asking(account, **more)) == "ValidationException"


def test_a_model_past_its_end_of_life_is_not_found(account: Account) -> None:
    ended = asking(account, modelId="anthropic.claude-3-haiku-20240307-v1:0")
    del ended["additionalModelRequestFields"]

    assert refusal(account.client("bedrock-runtime").converse, **ended) == "ResourceNotFoundException"


def test_a_profile_names_the_models_behind_it(account: Account) -> None:
    profile = account.client("bedrock").get_inference_profile(inferenceProfileIdentifier=account.model)

    assert profile["inferenceProfileId"] == account.model
    assert profile["status"] == "ACTIVE"
    assert all(":foundation-model/" in model["modelArn"] for model in profile["models"])


def test_a_model_says_when_its_life_ends(account: Account) -> None:
    bedrock = account.client("bedrock")
    arn = bedrock.get_inference_profile(inferenceProfileIdentifier=account.model)["models"][0]["modelArn"]

    details = bedrock.get_foundation_model(modelIdentifier=arn.rpartition("/")[2])["modelDetails"]

    assert details["modelLifecycle"]["status"] == "ACTIVE"
