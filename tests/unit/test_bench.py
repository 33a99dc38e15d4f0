"""The stand-in of the benchmarks counts as Bedrock does, and the table adds up. No process and no connection here."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from bench import scale, table
from bench.cases import CASES
from bench.contenders import BARE, CONTENDERS, ENGINE
from bench.quota import Bucket, Quota, SlidingMinute
from bench.records import INSTRUCTIONS_TOKENS, SHORT_TOKENS, records
from bench.run import report
from bench.stand_in import OUTPUT_TOKENS, Behaviour, StandIn
from chatcensus.answer import Judgement, Reason, read_answer
from chatcensus.prompt import tool_config
from tests.fakes import TAXONOMY


class FakeLoop:
    """Time that a test moves; what was put off runs when its moment has come."""

    def __init__(self) -> None:
        self.seconds, self.waiting = 0.0, list[tuple[float, Callable[[], None]]]()

    def now(self) -> float:
        return self.seconds

    def later(self, seconds: float, work: Callable[[], None]) -> None:
        self.waiting.append((self.seconds + seconds, work))

    def run(self) -> None:
        while self.waiting:
            first = min(self.waiting, key=lambda waiting: waiting[0])
            self.waiting.remove(first)
            self.seconds = max(self.seconds, first[0])
            first[1]()


def body(number: int = 0, text_tokens: int = 100, max_tokens: int = 128) -> bytes:
    """A request whose input is *text_tokens* and the tokens of the tool."""
    text = f"conversation number {number}: ".ljust(text_tokens * 4, "x")
    request = {
        "messages": [{"role": "user", "content": [{"text": text}]}],
        "inferenceConfig": {"maxTokens": max_tokens},
        "toolConfig": tool_config(TAXONOMY),
    }
    return json.dumps(request).encode()


def ask(stand_in: StandIn, loop: FakeLoop, request: bytes) -> tuple[int, dict[str, Any]]:
    """Make one call and wait for its end; a reset counts as status 0."""
    answers = [(0, dict[str, Any]())]
    stand_in.converse(request, lambda status, content: answers.append((status, content)), lambda: None)
    loop.run()
    return answers[-1]


def stand_in(**behaviour: Any) -> tuple[StandIn, FakeLoop]:
    """A stand-in without latency and faults, unless they are asked for."""
    loop = FakeLoop()
    calm = {"latency_s": 0.0, "broken": 0.0, "errors": 0.0, "resets": 0.0}
    return StandIn(Behaviour(**{**calm, **behaviour}), loop.now, loop.later), loop


def test_a_bucket_holds_its_depth_and_refills_at_its_rate() -> None:
    bucket = Bucket(per_minute=60, depth_s=6)
    assert bucket.level(0) == 6
    bucket.add(0, -6)
    assert bucket.level(2.5) == 2.5
    assert bucket.level(100) == 6
    bucket.add(100, 50)
    assert bucket.level(100) == 6


def test_a_call_takes_from_both_buckets_or_from_neither() -> None:
    quota = Quota(requests_per_minute=600, tokens_per_minute=6_000, depth_s=1)
    assert not quota.admit(0, 101)
    assert (quota.requests.level(0), quota.tokens.level(0)) == (10, 100)
    assert quota.admit(0, 60)
    assert (quota.requests.level(0), quota.tokens.level(0)) == (9, 40)


def test_what_a_call_did_not_use_comes_back_and_what_it_used_too_much_is_owed() -> None:
    quota = Quota(requests_per_minute=600, tokens_per_minute=6_000, depth_s=1)
    quota.admit(0, 80)
    quota.settle(0, 80, 30)
    assert quota.tokens.level(0) == 70
    quota.settle(0, 0, 100)
    assert quota.tokens.level(0) == -30
    assert not quota.admit(0.2, 1)


def test_a_sliding_minute_remembers_the_most_it_has_seen() -> None:
    minute = SlidingMinute()
    for now, amount in ((0, 5), (59, 5), (60, 3), (200, 1)):
        minute.add(now, amount)
    assert minute.most == 10


def test_requests_over_the_burst_are_refused_until_the_rate_has_refilled_it() -> None:
    server, loop = stand_in(requests_per_minute=600, depth_s=1)
    assert [ask(server, loop, body(number))[0] for number in range(12)] == [200] * 10 + [429] * 2
    loop.seconds = 0.1
    assert [ask(server, loop, body(number))[0] for number in (20, 21)] == [200, 429]
    assert server.stats()["requests"] == 14
    assert server.stats()["refused"] == 3


def test_a_call_reserves_its_whole_max_tokens_and_settles_for_what_it_used() -> None:
    server, loop = stand_in(latency_s=1.0, tokens_per_minute=60_000, depth_s=1, requests_per_minute=6e6)
    _, reply = ask(*stand_in(), body())
    input_tokens = reply["usage"]["inputTokens"]
    most = (1000 - input_tokens) // 5  # of max_tokens with which one call fits into the bucket
    assert ask(server, loop, body(max_tokens=most + 1))[0] == 429
    statuses: list[int] = []
    server.converse(body(max_tokens=most), lambda status, _: statuses.append(status), lambda: None)
    server.converse(body(max_tokens=most), lambda status, _: statuses.append(status), lambda: None)
    assert statuses == [429]  # the second: the first has everything reserved
    loop.run()
    assert statuses == [429, 200]
    assert server.stats()["quota_tokens"] == input_tokens + OUTPUT_TOKENS * 5
    assert server.stats()["tokens_paid"] == input_tokens + OUTPUT_TOKENS


def test_another_application_takes_its_part_of_the_quota() -> None:
    server, loop = stand_in(requests_per_minute=600, depth_s=1, taken=0.5)
    assert [ask(server, loop, body(number))[0] for number in range(6)] == [200] * 5 + [429]


def test_faults_come_as_often_as_configured_and_the_same_in_any_order() -> None:
    behaviour = {"requests_per_minute": 1e12, "tokens_per_minute": 1e15, "broken": 0.2, "errors": 0.1, "resets": 0.05}
    server, loop = stand_in(**behaviour)
    forwards = {number: ask(server, loop, body(number)) for number in range(2_000)}
    backwards_server, backwards_loop = stand_in(**behaviour)
    backwards = {number: ask(backwards_server, backwards_loop, body(number)) for number in reversed(range(2_000))}
    assert forwards == backwards
    statuses = Counter(status for status, _ in forwards.values())
    assert statuses[0] == pytest.approx(100, abs=30)
    assert statuses[500] + statuses[503] == pytest.approx(200, abs=40)
    verdicts = Counter(_verdict(reply) for status, reply in forwards.values() if status == 200)
    assert sum(verdicts[reason] for reason in Reason) == pytest.approx(400, abs=60)
    assert set(verdicts) == {
        Judgement("coding", 3),
        Reason.SCORE_OUT_OF_RANGE,
        Reason.UNKNOWN_CATEGORY,
        Reason.NOT_JSON,
    }


def _verdict(reply: dict[str, Any]) -> Judgement | Reason:
    block = reply["output"]["message"]["content"][0]
    return read_answer(block.get("toolUse", {}).get("input", block.get("text")), reply["stopReason"], TAXONOMY)


def test_the_rate_used_is_counted_until_the_last_conversation_was_begun() -> None:
    server, loop = stand_in(requests_per_minute=60, depth_s=1, records=4)
    for number, seconds in enumerate((0, 1, 2, 4)):
        loop.seconds = seconds
        assert ask(server, loop, body(number))[0] == 200
    loop.seconds = 100
    ask(server, loop, body(3))
    assert server.stats()["share_used"] == 1  # four in four seconds; the one after a pause is not counted
    assert server.stats()["paid_again"] == 1


def test_a_short_conversation_has_about_620_input_tokens() -> None:
    record = next(records(1, SHORT_TOKENS))
    tool_tokens = len(str(tool_config(TAXONOMY)["tools"][0])) // 4
    assert INSTRUCTIONS_TOKENS + len(record["message"]) // 4 + tool_tokens == pytest.approx(620, abs=30)


def row(**changes: Any) -> table.Row:
    """A row of the table, all values different."""
    values = {
        "name": "chat census", "records": 2_000, "seconds": 200.0, "limit_s": 100.0, "requests": 2_500, "refused": 125,
        "valid": 1_990, "cpu_s": 8.0, "peak_mb": 61.0, "grown_mb": 7.0, "tokens_paid": 1_300_000, "share_used": 0.991,
        "most_requests_a_minute": 999, "most_tokens_a_minute": 1.26e6,
    }  # fmt: skip
    return table.Row(**{**values, **changes})


def test_the_limit_of_3000_conversations_is_176_seconds() -> None:
    assert table.limit_s(3000, per_minute=1000, depth_s=6, latency_s=2.3) == pytest.approx(176.3)
    assert table.limit_s(50, per_minute=1000, depth_s=6, latency_s=2.3) == 2.3  # all of them fit into the burst


def test_a_row_adds_up() -> None:
    assert row().valid + row().lost == row().records
    assert row().times_limit == 2
    assert row().refused_share == 0.05
    assert row().cpu_s_per_1000 == 4


def test_the_table_shows_each_row_with_every_column_and_its_note() -> None:
    lines = table.markdown([row(), row(name="plain loop", note="60 of them")]).splitlines()
    assert len({line.count("|") for line in lines[:4]}) == 1
    for cell in ("2.000", "2,500", "125 (5.0%)", "1,990", "10 (0.5%)", "4.0", "1.30", "99.1%"):
        assert f"| {cell} |" in lines[2]
    assert lines[3].startswith("| plain loop * |")
    assert lines[-1] == "\\* plain loop: 60 of them"


def test_the_report_names_the_command_and_compares_the_cost_of_client() -> None:
    rows = [row(), row(name=BARE.name, cpu_s=5.0)]
    text = report(CASES["cost"], 2_000, rows, ["--case", "cost"])
    assert "`python -m bench.run --case cost`" in text
    assert "1.60 times the CPU" in text


def test_every_contender_has_a_name_of_its_own_and_the_engine_is_first() -> None:
    names = [contender.name for contender in (*CONTENDERS, BARE)]
    assert len(set(names)) == len(names)
    assert CONTENDERS[0] is ENGINE


def test_the_table_of_scale_has_a_row_for_each_strategy_with_its_price():
    rows = [scale.Row(name, 100_000, 0.1, 1, 2_000, 1_000, 1e6, 0.3) for name in scale.STRATEGIES]

    lines = scale.table(rows).splitlines()

    assert len(lines) == 2 + len(scale.STRATEGIES)
    assert "| pending-index | 100,000 | 0.10 | 1 | 2,000 | 1,000 | 1,000,000 | 0.125000 | 0.3 |" in lines


def test_the_items_of_scale_are_pending_in_the_stated_number():
    made = list(scale.items(3_000))

    assert sum("pending" in item for item in made) == scale.PENDING
    assert len({item["id"]["S"] for item in made}) == 3_000
