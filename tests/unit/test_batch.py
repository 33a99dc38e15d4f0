"""Whether a run waits for batch inference, what it sends, and how records share files and jobs."""

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from chatcensus.aws.batch_files import MAX_FILE_BYTES, RecordFiles, file_name
from chatcensus.batch import LEAST_RECORDS, MOST_RECORDS, BatchReplies, Record, choose, record, record_id
from chatcensus.conversation import Conversation, Turn
from chatcensus.errors import SetupError
from chatcensus.include import read_yaml
from chatcensus.interval import Window
from chatcensus.job import Job
from chatcensus.model_catalog import Model, ModelCatalog
from chatcensus.pricing import Price
from tests.fakes import INCLUDE, MAPPING, NOON, TAXONOMY, UNLIMITED, reply

CATALOG = read_yaml(INCLUDE / "prompts/models.yaml", ModelCatalog)
HAIKU_5_5 = CATALOG.model("global.anthropic.claude-haiku-5-5")
HAIKU_4_5 = CATALOG.model("jp.anthropic.claude-haiku-4-5-20251001-v1:0")
ROLE = "arn:aws:iam::123456789012:role/batch"
CANARY = "canary-4711-の会話"


def _forecast(conversations: int = 1000, cost_micro_usd: int = 2_420_000, batch: int | None = 1_210_000) -> Any:
    """What `plan` has told of a run: what realtime costs with its cache, and batch inference of its model."""
    models = [{"batch_micro_usd": batch}, {"batch_micro_usd": 1}]
    return {"conversations": conversations, "cost_micro_usd": cost_micro_usd, "models": models}


USUAL = _forecast()


def _with_batch(model: Model, usd: float, **changes: Any) -> tuple[Model, Price]:
    """The model with a price of batch inference of *usd* for each million tokens of input, and five times that out."""
    priced = Price.model_validate(model.prices[-1].model_dump() | {"batch": {"input": usd, "output": 5 * usd}})
    return model.model_copy(update={"prices": (priced,), **changes}), priced


def _choice(mode: str, model: Model, **changes: Any) -> tuple[bool, str]:
    given: dict[str, Any] = {"forecast": USUAL, "hours": 24, "role": ROLE} | changes
    choice = choose(mode, model, model.prices[-1], **given)
    return choice.is_batch, choice.why


@pytest.mark.parametrize(
    ("mode", "model", "changes", "is_batch", "why"),
    [
        ("realtime", HAIKU_4_5, {}, False, "mode is realtime"),
        ("batch", HAIKU_4_5, {}, True, "mode is batch"),
        ("batch", HAIKU_4_5, {"hours": 1}, True, "mode is batch"),
        ("auto", HAIKU_4_5, {}, True, "about 1.2100 USD by batch, 2.4200 USD by realtime with its cache"),
        ("auto", HAIKU_4_5, {"hours": 23.5}, False, "a job may take 24 hours, and deadline_hours is 23.5"),
        ("auto", HAIKU_4_5, {"role": ""}, False, "no role for the jobs: set the Variable chatcensus_batch_role"),
        ("auto", HAIKU_5_5, {}, False, "takes no batch inference by include/prompts/models.yaml"),
        ("auto", HAIKU_4_5, {"forecast": _forecast(99)}, False, "about 99 conversations, and a job needs 100"),
        ("auto", HAIKU_4_5, {"forecast": _forecast(0, 0, 0)}, False, "about 0 conversations"),
        # What is read from the cache may be cheaper than half of everything.
        (
            "auto",
            HAIKU_4_5,
            {"forecast": _forecast(1000, 57_000, 60_000)},
            False,
            "about 0.0600 USD by batch, 0.0570 USD",
        ),
        (
            "auto",
            HAIKU_4_5,
            {"forecast": _forecast(1000, 60_000, 60_000)},
            False,
            "about 0.0600 USD by batch, 0.0600 USD",
        ),
    ],
)
def test_a_run_goes_by_batch_where_it_has_to_or_where_that_is_cheaper_and_in_time(
    mode: str, model: Model, changes: Mapping[str, Any], is_batch: bool, why: str
) -> None:
    chosen, told = _choice(mode, model, **changes)

    assert chosen is is_batch
    assert why in told


@pytest.mark.parametrize(
    ("model", "role", "complaint"),
    [(HAIKU_5_5, ROLE, "'global.anthropic.claude-haiku-5-5' takes no batch"), (HAIKU_4_5, "", "no role for the jobs")],
)
def test_mode_batch_that_cannot_be_is_an_error_with_its_remedy(model: Model, role: str, complaint: str) -> None:
    with pytest.raises(SetupError, match=f"mode batch cannot be: .*{complaint}.*or choose the mode realtime"):
        _choice("batch", model, role=role)


# Records


def _job(**changes: Any) -> Job:
    usual: dict[str, Any] = {
        "name": "s",
        "run_id": "r",
        "window": Window(None, NOON),
        "mapping": MAPPING,
        "instructions": "Judge it. 判定",
        "taxonomy": TAXONOMY,
        "model_id": HAIKU_4_5.model_id,
        "model": HAIKU_4_5,
        "quota": UNLIMITED,
        "pseudonym_secret": "",
        "in_flight": 1,
    }
    return Job(**usual | changes)


def _conversation(*texts: str, name: str = "c1", **changes: Any) -> Conversation:
    return Conversation(name, tuple(Turn("user", text) for text in texts), **changes)


def test_a_record_is_the_body_of_a_call_without_tools_or_cache_in_the_mode_prompt() -> None:
    made = record(_conversation(CANARY), _job(), HAIKU_4_5.prices[-1], nonce=lambda: "0" * 16)

    assert made
    line = json.loads(made.line)
    [message] = line["modelInput"].pop("messages")
    text = message["content"][0]["text"]
    assert line == {
        "recordId": record_id(_conversation(CANARY), _job()),
        "modelInput": {
            "system": [{"text": "Judge it. 判定"}],
            "inferenceConfig": {"maxTokens": 128, "temperature": 0.0},
        },
    }
    assert text.startswith("<conversation-0000000000000000>\n")
    assert CANARY in text
    assert text.endswith("Reply with the JSON object only, no reasons.")
    assert made.line.count(b"\n") == 1
    # 1.10 and 5.50 USD, of which batch inference takes half: a token is a byte at least.
    assert made.most_micro_usd == -(-(55 * (len("Judge it. 判定".encode()) + len(text.encode())) + 275 * 128) // 100)


def test_a_model_that_takes_no_temperature_and_fields_of_its_own_gets_what_a_call_would_give_it() -> None:
    model, price = _with_batch(HAIKU_5_5, 0.05)
    made = record(_conversation("Hello"), _job(model=model, model_id=model.model_id), price)

    assert made
    body = json.loads(made.line)["modelInput"]
    assert body["inferenceConfig"] == {"maxTokens": 128}
    assert body["additionalModelRequestFields"] == {"thinking": {"type": "disabled"}}


@pytest.mark.parametrize("conversation", [_conversation(" "), _conversation(problem="no turns")], ids=["blank", "bad"])
def test_nothing_is_sent_of_a_conversation_that_nobody_would_be_asked_about(conversation: Conversation) -> None:
    assert record(conversation, _job(), HAIKU_4_5.prices[-1]) is None


def test_a_record_is_named_after_conversation_text_prompt_and_model_and_says_nothing_of_them() -> None:
    one = record_id(_conversation(CANARY), _job())
    others = [
        record_id(_conversation(CANARY, name="c2"), _job()),
        record_id(_conversation(CANARY, "More"), _job()),
        record_id(_conversation(CANARY), _job(instructions="Judge.")),
        record_id(_conversation(CANARY), _job(model_id="other")),
        record_id(_conversation(CANARY, name="\ud83d"), _job()),
    ]

    assert len({one, *others}) == 6
    assert all(len(name) == 32 and int(name, 16) for name in [one, *others])
    assert one == record_id(_conversation(CANARY), _job(run_id="another", name="another"))


def test_an_answer_is_of_the_conversation_as_it_is_now_and_those_that_nobody_asks_for_are_told() -> None:
    job, answer = _job(), reply()
    replies = BatchReplies({record_id(_conversation(text), job): answer for text in ("a", "b", "c")}, job)

    assert replies.reply(_conversation("a")) is answer
    assert replies.reply(_conversation("a")) is answer
    assert replies.reply(_conversation("a", "and more")) is None
    assert "1 answers used; 2 paid for and not used" in replies.told


# Files and jobs


class Objects:
    """S3 as far as files are put into it."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803 - as boto3 names them
        assert Bucket == "b"
        assert Key not in self.files
        self.files[Key] = Body

    def records(self) -> dict[str, int]:
        return {key: body.count(b"\n") for key, body in self.files.items()}


def _files(left_micro_usd: int = 10**12, left: int = 10**9) -> tuple[Objects, RecordFiles]:
    objects: Any = Objects()
    return objects, RecordFiles(objects, "b", "p", left_micro_usd, left)


def _add(files: RecordFiles, name: str, count: int, size: int = 2, cost: int = 1) -> None:
    line = b"x" * (size - 1) + b"\n"
    for number in range(count):
        files.add(name, Record(str(number), line, cost))


def test_a_job_takes_no_more_records_than_it_may_and_a_file_those_of_one_segment() -> None:
    objects, files = _files()
    _add(files, "0000-", MOST_RECORDS - 1)
    files.end_file("0000-")
    _add(files, "0001-", LEAST_RECORDS + 1)
    files.end_file("0001-")

    jobs = files.close()

    assert [(job.records, job.reserved_micro_usd) for job in jobs] == [(MOST_RECORDS,) * 2, (LEAST_RECORDS,) * 2]
    assert objects.records() == {
        "p/000/0000-00000.jsonl": MOST_RECORDS - 1,
        "p/000/0001-00001.jsonl": 1,
        "p/001/0001-00002.jsonl": LEAST_RECORDS,
    }
    assert files.left_out == 0


def test_the_last_records_are_left_out_where_they_are_too_few_for_a_job() -> None:
    for count, jobs in ((LEAST_RECORDS - 1, 0), (LEAST_RECORDS, 1)):
        _, files = _files()
        _add(files, "0000-", count)
        files.end_file("0000-")

        assert len(files.close()) == jobs
        assert files.left_out == count * (1 - jobs)


def test_a_file_never_grows_beyond_what_is_held_in_memory() -> None:
    objects, files = _files()
    _add(files, "0000-", 250, size=2**18)
    files.end_file("0000-")

    assert all(len(body) <= MAX_FILE_BYTES for body in objects.files.values())
    assert sum(objects.records().values()) == 250
    assert [job.records for job in files.close()] == [250]


@pytest.mark.parametrize(("left_micro_usd", "left"), [(1200, 10**9), (10**9, 120)], ids=["money", "conversations"])
def test_what_the_run_may_not_send_any_more_is_left_out(left_micro_usd: int, left: int) -> None:
    _, files = _files(left_micro_usd, left)
    _add(files, "0000-", 150, cost=10)

    [job] = files.close()

    assert (job.records, job.reserved_micro_usd, files.left_out) == (120, 1200, 30)


@pytest.mark.parametrize(("part", "name"), [("7", "0007-"), ("12:2026-01-01:2026-01-02", "0012-")])
def test_a_segment_names_its_files_by_its_number(part: str, name: str) -> None:
    segment: Any = SimpleNamespace(part=part)

    assert file_name(segment) == name
