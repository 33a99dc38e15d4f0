"""What a client sees of each fault of the plan, and what the stand-in counts of it."""

import http.client
import json
import time
import urllib.request
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from local_aws.aws_error import AwsError
from local_aws.bedrock.call_counts import CallCounts, conversation_key
from local_aws.bedrock.faults import Fault, FaultPlan
from local_aws.bedrock.faulty_converse import FaultyConverse
from local_aws.bedrock.quota import Bucket, Quota

MODEL = "jp.anthropic.claude-haiku-5-5"
TOOL = {
    "tools": [{"toolSpec": {"name": "record_evaluation", "inputSchema": {"json": {"type": "object"}}}}],
    "toolChoice": {"tool": {"name": "record_evaluation"}},
}
ERRORS = {
    "throttle": (429, "ThrottlingException", "Too many tokens, please wait before trying again."),
    "throttle_day": (429, "ThrottlingException", "Too many tokens per day, please wait before trying again."),
    "not_ready": (429, "ModelNotReadyException", None),
    "internal": (500, "InternalServerException", None),
    "unavailable": (503, "ServiceUnavailableException", None),
    "model_timeout": (408, "ModelTimeoutException", None),
    "model_error": (424, "ModelErrorException", None),
    "access_denied": (403, "AccessDeniedException", None),
    "end_of_life": (404, "ResourceNotFoundException", None),
    "quota_exceeded": (400, "ServiceQuotaExceededException", None),
}
STOPS = {
    "truncated": "max_tokens",
    "refused": "refusal",
    "filtered": "content_filtered",
    "guardrail": "guardrail_intervened",
    "malformed_output": "malformed_model_output",
    "malformed_tool_use": "malformed_tool_use",
    "context_window": "model_context_window_exceeded",
    "empty": "end_turn",
    "prose": "end_turn",
}


class Bedrock:
    """Calls that are sent once, and the counts of the server that they reach."""

    def __init__(self, local_aws):
        self.local_aws = local_aws
        self.client = boto3.client(
            "bedrock-runtime",
            config=Config(retries={"mode": "standard", "total_max_attempts": 1}, read_timeout=0.15, proxies={}),
        )

    def plan(self, *rules, **others):
        """Set a fault plan, as another process would."""
        self.put({"rules": rules, **others})

    def put(self, plan):
        request = urllib.request.Request(
            f"{self.local_aws.endpoint_url}/_local/faults", json.dumps(plan).encode(), method="PUT"
        )
        urllib.request.urlopen(request).close()

    def converse(self, text="Hello", **changes):
        return self.client.converse(modelId=MODEL, **_request(text, **changes))

    def counts(self, *names):
        stats = self.local_aws.stats()
        return tuple(stats[name] for name in names)


@pytest.fixture
def bedrock(local_aws):
    bedrock = Bedrock(local_aws)
    yield bedrock
    bedrock.client.close()


def _request(text="Hello", **changes):
    messages = [{"role": "user", "content": [{"text": text}]}]
    return {
        "messages": messages,
        "inferenceConfig": {"maxTokens": 100},
        "additionalModelRequestFields": {"thinking": {"type": "disabled"}},
        **changes,
    }


def test_every_fault_is_tried_here():
    line = {"reset_before", "reset_within", "reset_after", "hang", "late", "drip", "broken", "several"}

    assert {str(fault) for fault in Fault} == ERRORS.keys() | STOPS.keys() | line


@pytest.mark.parametrize("fault", ERRORS)
def test_an_error_has_the_status_code_and_words_of_bedrock_and_costs_nothing(bedrock, fault):
    bedrock.plan({"fault": fault})

    with pytest.raises(ClientError) as caught:
        bedrock.converse()

    status, code, message = ERRORS[fault]
    response = caught.value.response
    assert (response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]) == (status, code)
    assert message in (None, response["Error"]["Message"])
    assert bedrock.counts("converse_calls", "converse_paid", "refused_429") == (1, 0, int(status == 429))


@pytest.mark.parametrize(("fault", "paid"), [("reset_before", 0), ("reset_after", 1)])
def test_a_reset_closes_the_connection_without_a_reply(bedrock, fault, paid):
    bedrock.plan({"fault": fault})

    with pytest.raises(ConnectionClosedError):
        bedrock.converse()

    assert bedrock.counts("converse_calls", "converse_paid", "converse_faults") == (1, paid, {fault: 1})


def test_a_reset_within_the_reply_leaves_half_of_it(bedrock):
    bedrock.plan({"fault": "reset_within"})
    line = http.client.HTTPConnection(urlsplit(bedrock.local_aws.endpoint_url).netloc)

    line.request("POST", f"/model/{MODEL}/converse", json.dumps(_request()))
    reply = line.getresponse()
    with pytest.raises(http.client.IncompleteRead) as caught:
        reply.read()
    line.close()

    assert len(caught.value.partial) in (caught.value.expected, caught.value.expected - 1)
    assert bedrock.counts("converse_paid") == (1,)


@pytest.mark.parametrize(("fault", "paid"), [("hang", 0), ("late", 1)])
def test_no_reply_comes_for_a_while(bedrock, fault, paid):
    bedrock.plan({"fault": fault, "seconds": 0.3})

    with pytest.raises(ReadTimeoutError):
        bedrock.converse()

    assert bedrock.counts("converse_calls", "converse_paid") == (1, paid)


def test_a_late_reply_is_whole(bedrock):
    bedrock.plan({"fault": "late", "seconds": 0.05})

    assert bedrock.converse()["stopReason"] == "end_turn"


def test_a_drip_sends_status_and_headers_and_then_byte_after_byte(bedrock):
    bedrock.plan({"fault": "drip", "seconds": 0.002})
    line = http.client.HTTPConnection(urlsplit(bedrock.local_aws.endpoint_url).netloc)

    line.request("POST", f"/model/{MODEL}/converse", json.dumps(_request()))
    reply = line.getresponse()
    first = time.monotonic()
    body = reply.read()
    took = time.monotonic() - first
    line.close()

    assert reply.status == 200
    assert json.loads(body)["stopReason"] == "end_turn"
    assert took > 0.002 * len(body) * 0.9


def test_a_read_timeout_between_bytes_never_ends_a_drip(bedrock):
    bedrock.plan({"fault": "drip", "seconds": 0.001})

    started = time.monotonic()
    bedrock.converse()

    assert time.monotonic() - started > 0.15  # the client's read timeout


@pytest.mark.parametrize("fault", STOPS)
@pytest.mark.parametrize("changes", [{}, {"toolConfig": TOOL}], ids=["prompt", "tool"])
def test_an_answer_that_stopped_says_why_and_is_paid_for(bedrock, fault, changes):
    bedrock.plan({"fault": fault})

    reply = bedrock.converse(**changes)

    assert reply["stopReason"] == STOPS[fault]
    assert bool(reply["output"]["message"]["content"]) is (fault != "empty")
    assert (reply["usage"]["outputTokens"] == 100) is (fault == "truncated")
    assert bedrock.counts("converse_paid") == (1,)


def test_a_broken_answer_is_no_json_or_misses_a_field(bedrock):
    bedrock.plan({"fault": "broken"})

    (text,) = bedrock.converse()["output"]["message"]["content"]
    (tool,) = bedrock.converse(toolConfig=TOOL)["output"]["message"]["content"]

    with pytest.raises(json.JSONDecodeError):
        json.loads(text["text"])
    assert set(tool["toolUse"]["input"]) == {"category"}


def test_several_answers_disagree(bedrock):
    bedrock.plan({"fault": "several"})

    (text,) = bedrock.converse()["output"]["message"]["content"]
    tools = bedrock.converse(toolConfig=TOOL)["output"]["message"]["content"]

    one, other = map(json.loads, text["text"].splitlines())
    assert one != other
    assert tools[0]["toolUse"]["input"] != tools[1]["toolUse"]["input"]
    assert tools[0]["toolUse"]["toolUseId"] != tools[1]["toolUse"]["toolUseId"]


def test_calls_and_paid_replies_are_counted_by_conversation_and_never_by_text(bedrock):
    bedrock.plan({"fault": "reset_after", "match": "albatross", "first": 1})
    with pytest.raises(ConnectionClosedError):
        bedrock.converse("the albatross")
    bedrock.converse("the albatross")
    bedrock.converse("the gull")

    with urllib.request.urlopen(f"{bedrock.local_aws.endpoint_url}/_local/conversations") as reply:
        counted = json.load(reply)

    assert counted == {
        conversation_key([("user", "the albatross")]): {"calls": 2, "paid": 2},
        conversation_key([("user", "the gull")]): {"calls": 1, "paid": 1},
    }
    assert bedrock.counts("most_calls_of_one_conversation", "most_paid_of_one_conversation") == (2, 2)
    assert "albatross" not in json.dumps(bedrock.local_aws.stats())


def test_an_empty_plan_ends_every_fault(bedrock):
    bedrock.plan({"fault": "unavailable"})
    bedrock.put({})

    assert bedrock.converse()["stopReason"] == "end_turn"


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"rule": []}, "a plan has no ['rule']"),
        ({"rules": [{"share": 1}]}, "a rule needs a 'fault'"),
        ({"rules": [{"fault": "thunder"}]}, "'thunder' is not a valid Fault"),
        ({"rules": [{"fault": "hang", "minutes": 1}]}, "a rule has no ['minutes']"),
        ({"rules": [{"fault": "hang", "share": 2}]}, "must lie between 0 and 1, not 2"),
        ({"quota": {"rpm": 1}}, "a quota has no ['rpm']"),
        ({"quota": 1}, "quota of a plan has a wrong type: 1"),
        ({"quota": {"burndown": "x"}}, "burndown of a quota has a wrong type: 'x'"),
        ({"rules": [1]}, "a rule must be an object, not 1"),
        ({"rules": [{"fault": "hang", "from": "x"}]}, "from of a rule has a wrong type: 'x'"),
        ({"rules": [{"fault": "hang", "seconds": -1}]}, "must be 0 or more, not -1"),
        ({"window_s": 0}, "window_s must be more than 0, not 0"),
        ({"quota": {"requests_per_minute": 0}}, "requests_per_minute must be more than 0"),
        ({"quota": {"other_share": 2}}, "other_share must lie between 0 and 1"),
    ],
)
def test_a_plan_that_cannot_be_meant_is_refused_by_name(plan, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the message is what is looked at
        FaultPlan.of_json(plan)

    assert message in str(caught.value)


def test_a_refused_plan_leaves_the_one_before(bedrock):
    bedrock.plan({"fault": "unavailable"})

    with pytest.raises(urllib.error.HTTPError) as caught:
        bedrock.put({"rules": [{"fault": "thunder"}]})

    assert caught.value.code == 400
    caught.value.close()
    with pytest.raises(ClientError, match="unavailable"):
        bedrock.converse()


def test_a_rule_keeps_to_its_window_its_number_and_its_text():
    plan = FaultPlan.of_json({"rules": [{"fault": "hang", "from": 5, "until": 10, "first": 2, "match": "gull"}]})

    hits = [
        plan.choose(now, text) for now, text in [(4.9, "gull"), (5, "crow"), (5, "a gull"), (9, "gull"), (9, "gull")]
    ]

    assert [bool(rule) for rule in hits] == [False, False, True, True, False]
    assert FaultPlan.of_json({"rules": [{"fault": "hang", "until": 10}]}).choose(10, "") is None


def test_the_first_rule_that_fits_decides():
    plan = FaultPlan.of_json({"rules": [{"fault": "throttle", "first": 1}, {"fault": "internal"}]})

    assert [plan.choose(0, "").fault for _ in range(2)] == ["throttle", "internal"]


def test_a_share_is_drawn_and_repeats_with_the_seed():
    def draw(seed):
        plan = FaultPlan.of_json({"seed": seed, "rules": [{"fault": "internal", "share": 0.2}]})
        return [plan.choose(0, "") is not None for _ in range(1000)]

    drawn = draw(1)

    assert drawn == draw(1)
    assert drawn != draw(2)
    assert 150 < sum(drawn) < 250


class Clock:
    """Seconds that a test moves."""

    def __init__(self):
        self.seconds = 100.0

    def __call__(self):
        return self.seconds


def test_a_full_bucket_holds_its_depth_and_fills_evenly():
    clock = Clock()
    bucket = Bucket(Quota(requests_per_minute=60, depth_s=3), clock)

    assert [bucket.take(0) for _ in range(4)] == [True, True, True, False]
    clock.seconds += 1.5
    assert [bucket.take(0) for _ in range(2)] == [True, False]
    clock.seconds += 1000
    assert [bucket.take(0) for _ in range(4)] == [True, True, True, False]


def test_a_reservation_is_taken_whole_and_what_was_not_used_comes_back():
    clock = Clock()
    bucket = Bucket(Quota(tokens_per_minute=6000, burndown=5, depth_s=10), clock)
    tokens = bucket.quota.reservation(100, {"inferenceConfig": {"maxTokens": 100}})

    assert tokens == 600
    assert bucket.take(tokens)
    assert not bucket.take(tokens)
    bucket.give_back(tokens - bucket.quota.used({"inputTokens": 100, "outputTokens": 20, "cacheReadInputTokens": 900}))
    assert bucket.take(tokens)  # of 1000: 600 taken, 400 given back, 600 taken
    assert not bucket.take(201)
    assert bucket.take(200)


def test_another_application_takes_its_share_while_it_runs():
    clock = Clock()
    quota = Quota(requests_per_minute=60, depth_s=100, other_share=0.5, other_from=110, other_until=120)
    bucket = Bucket(quota, clock)
    while bucket.take(0):
        pass

    clock.seconds += 30  # ten before, ten beside, ten after

    assert sum(bucket.take(0) for _ in range(100)) == 25


def test_an_empty_bucket_answers_429_and_the_busiest_window_is_remembered():
    clock = Clock()
    plan = {"quota": {"requests_per_minute": 60, "tokens_per_minute": 60_000, "burndown": 5, "depth_s": 2}}
    bedrock = FaultyConverse(FaultPlan.of_json(plan), lambda *_: None, now=clock)
    usage = {"inputTokens": 2, "outputTokens": 20}

    def ask():
        try:
            bedrock.answer(MODEL, _request(), lambda *_: {"usage": usage})
        except Exception as error:  # noqa: BLE001  its code is what is compared
            return error.code
        return None

    answers = [ask() for _ in range(3)]
    clock.seconds += 1
    answers.append(ask())
    stats = bedrock.counts.stats()

    assert answers == [None, None, "ThrottlingException", None]
    assert (stats["refused_429"], stats["most_requests_in_window"], stats["most_tokens_in_window"]) == (1, 3, 3 * 502)


def test_a_call_that_fails_gives_its_whole_reservation_back():
    def fail(*_):
        raise KeyError

    quota = {"tokens_per_minute": 6000, "depth_s": 5}
    bedrock = FaultyConverse(FaultPlan.of_json({"quota": quota}), lambda *_: None, now=Clock())

    for _ in range(20):
        with pytest.raises(KeyError):
            bedrock.answer(MODEL, _request(), fail)


def test_the_busiest_window_slides():
    clock = Clock()
    counts = CallCounts(clock)
    counts.watch(10)
    for second in (0, 4, 8, 10, 13, 30):
        clock.seconds = second
        counts.admitted(5)

    stats = counts.stats()

    assert (stats["most_requests_in_window"], stats["most_tokens_in_window"], stats["window_s"]) == (4, 20, 10)


def test_each_region_and_each_account_has_a_quota_of_its_own():
    plan = {
        "quota": {"requests_per_minute": 60, "depth_s": 2},
        "quotas": {"us-east-1": {"requests_per_minute": 60, "depth_s": 5}},
    }
    bedrock = FaultyConverse(FaultPlan.of_json(plan), lambda *_: None, now=Clock())

    def let_in(place):
        for count in range(20):
            try:
                bedrock.answer(MODEL, _request(), lambda *_: {"usage": {"inputTokens": 1, "outputTokens": 1}}, place)
            except Exception:  # noqa: BLE001  a 429, as the counts say
                return count
        return None

    assert [let_in(place) for place in ("us-east-1", "us-west-2", "210987654321/us-east-1", "us-east-1")] == [
        5,
        2,
        2,
        0,
    ]
    assert bedrock.counts.stats()["converse_by_place"] == {
        "us-east-1": {"calls": 7, "paid": 5, "refused_429": 2},
        "us-west-2": {"calls": 3, "paid": 2, "refused_429": 1},
        "210987654321/us-east-1": {"calls": 3, "paid": 2, "refused_429": 1},
    }


def test_a_rule_may_be_about_one_place():
    plan = {"rules": [{"fault": "access_denied", "place": "us-east-1"}]}
    bedrock = FaultyConverse(FaultPlan.of_json(plan), lambda *_: None, now=Clock())
    work = lambda *_: {"usage": {"inputTokens": 1, "outputTokens": 1}}  # noqa: E731

    assert bedrock.answer(MODEL, _request(), work, "us-west-2").is_success
    with pytest.raises(AwsError, match="access"):
        bedrock.answer(MODEL, _request(), work, "us-east-1")


def test_service_quotas_tells_the_quota_of_the_region_that_asks(bedrock):
    bedrock.plan(quotas={"us-east-1": {"requests_per_minute": 500}})

    def told(region):
        client = boto3.client("service-quotas", region, config=Config(proxies={}))
        quotas = client.list_service_quotas(ServiceCode="bedrock")["Quotas"]
        client.close()
        return {quota["Value"] for quota in quotas}

    assert (told("us-east-1"), told("us-west-2")) == ({500}, set())
