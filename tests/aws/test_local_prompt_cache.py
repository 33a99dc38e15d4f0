"""The stand-in's usage counts cached tokens as Bedrock bills them."""

from datetime import UTC, datetime, timedelta

import pytest

from local_aws.aws_error import AwsError
from local_aws.bedrock.model_directory import ModelDirectory
from local_aws.bedrock.stand_in import BedrockStandIn
from local_aws.bedrock.tokens import input_tokens

HAIKU = "jp.anthropic.claude-haiku-5-5"
HAIKU_4_5 = "jp.anthropic.claude-haiku-4-5-20251001-v1:0"
NOVA = "amazon.nova-micro-v1:0"
LONG = "Rules. " * 400  # 700 tokens: more than the 512 of Haiku 5.5
OTHER = "Words. " * 400


class Bedrock:
    """A stand-in and its clock."""

    def __init__(self):
        self.now = datetime(2026, 11, 22, tzinfo=UTC)
        self._stand_in = BedrockStandIn(ModelDirectory(lambda: self.now), judge=lambda _: ("other", 1))

    def usage(self, body, model=HAIKU):
        usage = self._stand_in.converse(model, body)["usage"]
        cached = usage["cacheReadInputTokens"] + usage["cacheWriteInputTokens"]
        assert usage["inputTokens"] + cached == input_tokens(body)
        assert usage["totalTokens"] == usage["inputTokens"] + cached + usage["outputTokens"]
        return usage["cacheReadInputTokens"], usage["cacheWriteInputTokens"], usage.get("cacheDetails", [])

    def later(self, seconds):
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def bedrock():
    return Bedrock()


def point(ttl=None):
    return {"cachePoint": {"type": "default", **({"ttl": ttl} if ttl else {})}}


def asking(*system, text="Hello", **others):
    return {"system": list(system), "messages": [{"role": "user", "content": [{"text": text}]}], **others}


def test_the_first_call_writes_the_prefix_and_the_next_ones_read_it(bedrock):
    first = bedrock.usage(asking({"text": LONG}, point()))
    second = bedrock.usage(asking({"text": LONG}, point(), text="Another conversation"))

    assert first == (0, 700, [{"ttl": "5m", "inputTokens": 700}])
    assert second == (700, 0, [])


def test_without_a_point_nothing_is_cached(bedrock):
    assert [bedrock.usage(asking({"text": LONG})) for _ in range(2)] == [(0, 0, [])] * 2


@pytest.mark.parametrize(("model", "minimum"), [(HAIKU, 512), (HAIKU_4_5, 4096), (NOVA, 1536)])
def test_a_prefix_below_the_models_minimum_is_ignored_without_a_word(bedrock, model, minimum):
    short, long = ({"text": "x" * 4 * tokens} for tokens in (minimum - 1, minimum))

    assert [bedrock.usage(asking(short, point()), model) for _ in range(2)] == [(0, 0, [])] * 2
    assert bedrock.usage(asking(long, point()), model)[:2] == (0, minimum)
    assert bedrock.usage(asking(long, point()), model)[:2] == (minimum, 0)


def test_a_prefix_lives_five_minutes_from_its_last_use(bedrock):
    bedrock.usage(asking({"text": LONG}, point()))
    reads = []
    for seconds in (299, 299, 301):
        bedrock.later(seconds)
        reads.append(bedrock.usage(asking({"text": LONG}, point()))[0])

    assert reads == [700, 700, 0]


def test_a_prefix_for_an_hour_lives_an_hour(bedrock):
    first = bedrock.usage(asking({"text": LONG}, point("1h")))
    bedrock.later(3599)

    assert first[2] == [{"ttl": "1h", "inputTokens": 700}]
    assert bedrock.usage(asking({"text": LONG}, point("1h")))[0] == 700


def test_points_of_both_times_are_billed_apart_the_longer_first(bedrock):
    body = asking({"text": LONG}, point("1h"), {"text": OTHER}, point())

    assert bedrock.usage(body)[1:] == (1400, [{"ttl": "1h", "inputTokens": 700}, {"ttl": "5m", "inputTokens": 700}])
    bedrock.later(301)  # the shorter has gone, the longer has not
    assert bedrock.usage(body) == (700, 700, [{"ttl": "5m", "inputTokens": 700}])


def test_a_changed_prefix_is_another_one(bedrock):
    bedrock.usage(asking({"text": LONG}, point()))

    assert bedrock.usage(asking({"text": LONG + "!"}, point()))[0] == 0
    assert bedrock.usage(asking({"text": LONG}, point()), HAIKU.replace("jp.", "global."))[0] == 0


def test_tools_stand_before_the_instructions(bedrock):
    spec = {"toolSpec": {"name": "record", "description": "x" * 4000, "inputSchema": {"json": {}}}}
    tools = {"toolConfig": {"tools": [spec]}}
    bedrock.usage(asking({"text": LONG}, point(), **tools))

    read, written, _ = bedrock.usage(asking({"text": OTHER}, point(), toolConfig={"tools": [spec, point()]}))

    # Claude finds the tools that an earlier call wrote within a longer prefix only where a call marked their end.
    assert (read, written > 1700) == (0, True)
    assert bedrock.usage(asking({"text": "New."}, toolConfig={"tools": [spec, point()]}))[0] > 1000


def test_a_dialogue_reads_what_its_last_turn_wrote(bedrock):
    def turn(*texts):
        roles = ("user", "assistant") * len(texts)
        messages = [{"role": role, "content": [{"text": text}]} for role, text in zip(roles, texts, strict=False)]
        messages[-1]["content"].append(point())
        return {"messages": messages}

    bedrock.usage(turn(LONG))
    read, written, _ = bedrock.usage(turn(LONG, "Yes.", OTHER))

    assert (read, written) == (700, 701)


def test_another_choice_of_the_tool_leaves_the_messages_unread(bedrock):
    tool = {"toolSpec": {"name": "record", "inputSchema": {"json": {}}}}
    messages = [{"role": "user", "content": [{"text": LONG}, point()]}]
    free = {"messages": messages, "toolConfig": {"tools": [tool], "toolChoice": {"auto": {}}}}
    bedrock.usage(free)

    other = {"messages": messages, "toolConfig": {"tools": [tool]}}

    assert bedrock.usage(free)[0] > 700
    assert bedrock.usage(other)[0] == 0


def test_a_call_that_is_refused_caches_nothing(bedrock):
    body = asking({"text": LONG}, point(), text="x" * 5_000_000)
    with pytest.raises(AwsError, match="prompt is too long: 1250700 tokens > 1000000 maximum"):
        bedrock.usage(body)

    assert bedrock.usage(asking({"text": LONG}, point()))[0] == 0
