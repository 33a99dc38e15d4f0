"""submit, wait and classify against the local AWS: what is sent once, paid once, used, and asked by realtime."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from chatcensus.aws import due
from chatcensus.aws.batch_files import RecordFiles
from chatcensus.aws.batch_ledger import BatchLedger, Round
from chatcensus.aws.ledger import Ledger
from chatcensus.errors import SetupError, StoreBusy
from chatcensus.interval import Window
from chatcensus.operators.aws_client import CONNECTION, aws_client
from chatcensus.operators.classify import ClassifySegmentOperator
from chatcensus.operators.settle import SettleRunOperator
from chatcensus.operators.submit import SubmitBatchOperator
from chatcensus.operators.wait import AwaitBatchOperator
from chatcensus.partition import scan_segments
from demo.airflow_home import BATCH_ROLE, REPOSITORY, VARIABLES
from local_aws.aws_error import AwsError
from tests.aws.examined import set_faults
from tests.conftest import REGION, LocalAwsForTests

INCLUDE = REPOSITORY / "include"
TABLE, CONTROL_TABLE = VARIABLES["chatcensus_table"], VARIABLES["chatcensus_control_table"]
BUCKET, ROLE = VARIABLES["chatcensus_snapshot_bucket"], BATCH_ROLE
MODEL = "jp.anthropic.claude-haiku-4-5-20251001-v1:0"
MODELS = INCLUDE / "prompts/models.yaml"
CANARY = "canary-4711-の会話"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
serialize, deserialize = TypeSerializer().serialize, TypeDeserializer().deserialize


def cut(segments: int) -> list[dict[str, Any]]:
    """The table of 24 conversations in so many segments."""
    return [segment.as_dict() for segment in scan_segments(24, 24 // segments, Window(None, NOON).as_dict())]


class Died(RuntimeError):
    """The process ends here."""


class Run:
    """One run of the census over the table, task by task."""

    def __init__(self, aws: LocalAwsForTests, run_id: str = "night", **params: Any) -> None:
        self.aws, self.run_id, self.tries = aws, run_id, Counter[str]()
        self.params = {"mode": "batch", "deadline_hours": "24", "max_usd": "5", "max_conversations": "0"} | params
        self.tallies: list[dict[str, Any]] = []
        self.segments = cut(1)
        self.forecast = {"conversations": 24, "cost_micro_usd": 24_000, "models": [{"batch_micro_usd": 12_000}]}

    def whole(self) -> None:
        """Run all of its tasks."""
        self.submit()
        assert self.wait()
        self.classify()
        self.settle()

    def spent(self) -> int:
        return self.ledger().spent_micro_usd()

    def submit(self, **changes: Any) -> None:
        given = {
            "segments": self.segments,
            "bucket": BUCKET,
            "role": ROLE,
            "taxonomy": INCLUDE / "prompts/taxonomy.yaml",
            **self._judging(),
            **{name: self.params[name] for name in ("mode", "deadline_hours")},
        }
        SubmitBatchOperator(task_id="submit", **given | changes).execute(self._context("submit"))

    def wait(self) -> bool:
        """Let the jobs go on to their end, and look."""
        self.aws._aws._services.jobs.wait()
        return self.look()

    def look(self) -> bool:
        operator = AwaitBatchOperator(task_id="wait", control_table=CONTROL_TABLE, models=MODELS)
        return bool(operator.poke(self._context("wait")))

    def classify(self) -> Counter[str]:
        """Judge all segments and return how the conversations ended."""
        self.tallies = []
        for index, segment in enumerate(self.segments):
            operator = ClassifySegmentOperator(
                task_id="classify", segment=segment, taxonomy=INCLUDE / "prompts/taxonomy.yaml",
                in_flight=self.params.get("in_flight", "8"), **self._judging(),
            )  # fmt: skip
            self.tallies.append(operator.execute(self._context("classify", index)))
        return sum((Counter(tally["outcomes"]) for tally in self.tallies), Counter[str]())

    def settle(self) -> None:
        SettleRunOperator(
            task_id="settle", segments=self.segments, tallies=self.tallies, control_table=CONTROL_TABLE,
            max_rejection_percent="50",
        ).execute(self._context("settle"))  # fmt: skip

    def rounds(self) -> list[Round]:
        return BatchLedger(self.ledger()).rounds()

    def ledger(self) -> Ledger:
        return Ledger(self.aws.client("dynamodb"), CONTROL_TABLE, f"chat_census/{self.run_id}")

    def _judging(self) -> dict[str, Any]:
        return {
            "table": TABLE,
            "control_table": CONTROL_TABLE,
            "model": self.params.get("model", MODEL),
            "mapping": INCLUDE / "table.yaml",
            "models": MODELS,
            "instructions": self.params.get("instructions", "Judge it."),
            "quota": {"requests_per_minute": "1e9", "tokens_per_minute": "1e12"},
            "reevaluate": self.params.get("reevaluate", ""),
            "is_dry_run": self.params.get("is_dry_run", "false"),
            **{name: self.params[name] for name in ("max_usd", "max_conversations")},
        }

    def _context(self, task: str, map_index: int = -1) -> Any:
        self.tries[task] += 1
        ti = SimpleNamespace(try_number=self.tries[task], map_index=map_index, xcom_pull=lambda **_: self.forecast)
        return {"dag": SimpleNamespace(dag_id="chat_census"), "run_id": self.run_id, "ti": ti}


@pytest.fixture(autouse=True)
def clients_of_this_test_alone() -> None:
    """All tests of this file have one AWS: its clients may stay."""


@pytest.fixture
def aws(local_aws: LocalAwsForTests, monkeypatch: pytest.MonkeyPatch) -> LocalAwsForTests:
    """Two tables and a bucket, which take less time than the stack, and quotas that let a job be small."""
    for table, keys in ((TABLE, ["conversation_id"]), (CONTROL_TABLE, ["pk", "sk"])):
        local_aws.client("dynamodb").create_table(
            TableName=table,
            KeySchema=[
                {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            BillingMode="PAY_PER_REQUEST",
        )
    local_aws.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    jobs = local_aws._aws._services.jobs
    jobs._step_s, jobs._least = 0.01, 10
    monkeypatch.setattr(RecordFiles, "least", 10)
    return local_aws


@pytest.fixture
def run(aws: LocalAwsForTests) -> Run:
    put(aws, range(24))
    return Run(aws)


def put(aws: LocalAwsForTests, numbers: Iterable[int], text: str = f"Pythonのコードを直してください {CANARY}") -> None:
    for number in numbers:
        turns = [{"role": "user", "content": f"{text} {number}"}]
        item = {"conversation_id": f"c{number:03}", "user_id": "u", "turns": turns}
        aws.client("dynamodb").put_item(TableName=TABLE, Item={name: serialize(value) for name, value in item.items()})


def evaluations(aws: LocalAwsForTests) -> dict[str, dict[str, Any]]:
    items = aws.client("dynamodb").scan(TableName=TABLE)["Items"]
    return {item["conversation_id"]["S"]: deserialize(item["evaluation"]) for item in items if "evaluation" in item}


def jobs(aws: LocalAwsForTests) -> list[dict[str, Any]]:
    return aws.client("bedrock").list_model_invocation_jobs()["invocationJobSummaries"]


def objects(aws: LocalAwsForTests, folder: str) -> list[str]:
    found = aws.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=f"batch/{folder}/").get("Contents", [])
    return [entry["Key"] for entry in found]


def lines(aws: LocalAwsForTests, folder: str, end: str) -> list[dict[str, Any]]:
    s3, keys = aws.client("s3"), [key for key in objects(aws, folder) if key.endswith(end)]
    return [
        json.loads(line)
        for key in keys
        for line in s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode().splitlines()
    ]


def bill(aws: LocalAwsForTests) -> int:
    """What all answers of all jobs have cost, reckoned from the files alone, at half of 1.10 and 5.50 USD."""
    usages = [line["modelOutput"]["usage"] for line in lines(aws, "answers", ".jsonl.out") if "modelOutput" in line]
    return sum(math.ceil(0.55 * usage["inputTokens"] + 2.75 * usage["outputTokens"]) for usage in usages)


def bill_of(aws: LocalAwsForTests, key: str) -> int:
    """What the answers that can be read in one file have cost."""
    text = aws.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read().decode().splitlines()
    usages = [json.loads(line)["modelOutput"]["usage"] for line in text if not line.startswith("torn")]
    return sum(math.ceil(0.55 * usage["inputTokens"] + 2.75 * usage["outputTokens"]) for usage in usages)


def calls(aws: LocalAwsForTests) -> int:
    return int(aws.stats()["converse_calls"])


@contextmanager
def dying(service: str, when: str, operation: str) -> Iterator[None]:
    """Let the tasks of this process die at a request."""

    def die(**_: Any) -> None:
        raise Died

    events = aws_client(service, CONNECTION, connections=100 if service == "dynamodb" else 10).meta.events
    events.register(f"{when}.{service}.{operation}", die)
    try:
        with pytest.raises(AirflowException, match="Died"):
            yield
    finally:
        events.unregister(f"{when}.{service}.{operation}", die)


# The whole way


def test_every_answer_is_paid_at_the_batch_price_and_used_once(run: Run, aws: LocalAwsForTests) -> None:
    run.segments = cut(2)
    run.submit()
    assert run.wait()
    outcomes = run.classify()
    run.settle()

    found = evaluations(aws)
    assert outcomes == {"evaluated": 24}
    assert calls(aws) == 0
    assert len(jobs(aws)) == 1
    told = {(each["attempts"], each["answered_by"], each["model"]) for each in found.values()}
    assert told == {(1, "stand-in", MODEL)}
    paid = sum(int(each["cost_micro_usd"]) for each in found.values())
    assert run.spent() == paid == bill(aws) == sum(tally["cost_micro_usd"] for tally in run.tallies) > 0


def test_a_file_of_records_is_of_one_segment_and_holds_converse_bodies_without_tools(
    run: Run, aws: LocalAwsForTests
) -> None:
    run.segments = cut(2)

    run.submit()

    sent = lines(aws, "records", ".jsonl")
    assert [key.rpartition("/")[2].partition("-")[0] for key in objects(aws, "records")] == ["0000", "0001"]
    assert len({line["recordId"] for line in sent}) == 24
    assert {tuple(line["modelInput"]) for line in sent} == {("system", "messages", "inferenceConfig")}
    assert all(CANARY in line["modelInput"]["messages"][0]["content"][0]["text"] for line in sent)
    assert not any(CANARY in key for key in objects(aws, "records"))


@pytest.mark.usefixtures("run")
def test_a_run_by_realtime_or_a_dry_run_sends_nothing(aws: LocalAwsForTests) -> None:
    for params in ({"mode": "realtime"}, {"is_dry_run": "true"}):
        other = Run(aws, "other", **params)
        other.submit()
        assert other.look()
        assert other.rounds() == []

    assert (jobs(aws), objects(aws, "records")) == ([], [])


@pytest.mark.usefixtures("run")
def test_auto_waits_where_that_is_cheaper_and_in_time(aws: LocalAwsForTests) -> None:
    Run(aws, "late", mode="auto", deadline_hours="23").submit()
    Run(aws, "without a role", mode="auto").submit(role="")
    assert jobs(aws) == []

    auto = Run(aws, "auto", mode="auto")
    auto.forecast = {"conversations": 100, "cost_micro_usd": 100_000, "models": [{"batch_micro_usd": 50_000}]}
    auto.submit()

    assert len(jobs(aws)) == 1


def test_no_text_reaches_a_log_or_the_ledger(run: Run, aws: LocalAwsForTests, capfd: Any, caplog: Any) -> None:
    run.whole()

    told = capfd.readouterr()
    rows = aws.client("dynamodb").scan(TableName=CONTROL_TABLE)["Items"]
    assert CANARY not in f"{told.out} {told.err} {caplog.text} {rows} {run.tallies}"
    assert "24 of 24 records were answered" in told.out + told.err + caplog.text


# Whoever dies comes back to the same job


@pytest.mark.parametrize(
    ("service", "when", "operation"),
    [
        pytest.param("s3", "after-call", "PutObject", id="after the first file"),
        pytest.param("dynamodb", "before-call", "TransactWriteItems", id="after the upload"),
        pytest.param("dynamodb", "after-call", "TransactWriteItems", id="after the money was reserved"),
        pytest.param("bedrock", "before-call", "CreateModelInvocationJob", id="before the job"),
        pytest.param("bedrock", "after-call", "CreateModelInvocationJob", id="after the job was made"),
    ],
)
def test_a_submit_that_died_and_comes_again_makes_each_job_once_and_reserves_once(
    run: Run, aws: LocalAwsForTests, monkeypatch: pytest.MonkeyPatch, service: str, when: str, operation: str
) -> None:
    monkeypatch.setattr(RecordFiles, "most", 12)
    with dying(service, when, operation):
        run.submit()

    run.submit()
    run.submit()  # cleared by a person, while the job runs

    [round_] = run.rounds()
    assert sorted(job["jobArn"] for job in jobs(aws)) == sorted(job.arn for job in round_.jobs)
    assert [job.records for job in round_.jobs] == [12, 12]
    assert run.spent() == round_.reserved_micro_usd
    assert run.wait()
    assert run.spent() == bill(aws)


@pytest.mark.parametrize("when", ["before-call", "after-call"])
def test_a_wait_that_died_while_it_settled_gives_back_once(run: Run, aws: LocalAwsForTests, when: str) -> None:
    run.submit()
    with dying("dynamodb", when, "TransactWriteItems"):
        run.wait()

    assert run.look()
    assert run.look()

    assert run.spent() == bill(aws) > 0


def test_a_submit_that_is_cleared_before_the_answers_are_used_sends_nothing_again(
    run: Run, aws: LocalAwsForTests
) -> None:
    run.submit()
    run.wait()

    run.submit()

    assert run.look()
    assert len(jobs(aws)) == 1
    with pytest.raises(AirflowFailException, match="chat_census/night"):
        Run(aws, "other").submit()
    assert run.classify() == {"evaluated": 24}
    assert (calls(aws), run.spent()) == (0, bill(aws))


def test_a_plan_that_cuts_the_table_anew_still_finds_the_answers(run: Run, aws: LocalAwsForTests) -> None:
    run.submit()
    run.wait()

    run.segments = cut(2)
    run.submit()

    assert run.classify() == {"evaluated": 24}
    assert (len(run.tallies), len(jobs(aws)), calls(aws)) == (2, 1, 0)


# What is missing goes to realtime


def _runs_out(aws: LocalAwsForTests) -> None:
    local, seen = aws._aws._services.jobs, count(1)
    answer, begun = local._answer, local._models.now()

    def slow(*record: Any) -> dict[str, Any]:
        if next(seen) == 15:
            local._models.now = lambda: begun + timedelta(hours=25)
        return answer(*record)

    local._answer, local._models.now = slow, lambda: begun


def _expires(aws: LocalAwsForTests) -> None:
    local = aws._aws._services.jobs
    read = local._read

    def read_late(job: Any) -> Any:
        later = local._models.now() + timedelta(hours=25)
        local._models.now = lambda: later
        return read(job)

    local._read = read_late


def _fails(aws: LocalAwsForTests) -> None:
    def refuse(_: Any) -> None:
        raise AwsError("ValidationException", f"line 1 is {CANARY}")

    aws._aws._services.jobs._read = refuse


def _has_errors(aws: LocalAwsForTests) -> None:
    set_faults(aws, {"rules": [{"fault": "throttle", "first": 9}]})


@pytest.mark.parametrize(
    ("befalls", "status", "answered"),
    [
        pytest.param(_runs_out, "PartiallyCompleted", range(15, 24), id="partial"),
        pytest.param(_expires, "Expired", [0], id="expired"),
        pytest.param(_fails, "Failed", [0], id="failed"),
        pytest.param(_has_errors, "Completed", [15], id="errors"),
    ],
)
def test_what_a_job_has_not_answered_is_asked_by_realtime_and_the_money_adds_up(
    run: Run, aws: LocalAwsForTests, capfd: Any, befalls: Any, status: str, answered: Sequence[int]
) -> None:
    befalls(aws)
    run.submit()
    assert run.wait()
    set_faults(aws, {})
    came = sum("modelOutput" in line for line in lines(aws, "answers", ".jsonl.out"))

    assert run.classify() == {"evaluated": 24}

    assert [job["status"] for job in jobs(aws)] == [status]
    assert came in answered
    assert calls(aws) == 24 - came
    found = evaluations(aws).values()
    assert run.spent() == sum(int(each["cost_micro_usd"]) for each in found)
    assert run.spent() > bill(aws)
    assert CANARY not in "".join(capfd.readouterr())


def test_at_the_deadline_the_job_is_stopped_and_the_run_goes_on(run: Run, aws: LocalAwsForTests, caplog: Any) -> None:
    aws._aws._services.jobs._step_s = 0.2
    run.params["deadline_hours"] = "0"
    run.submit()

    assert not run.look()
    run.look()
    assert run.wait()
    assert caplog.text.count("is stopped, and what it has answered is used") == 1

    assert [job["status"] for job in jobs(aws)] == ["Stopped"]
    assert run.classify() == {"evaluated": 24}
    assert calls(aws) == 24


def test_an_account_without_room_for_a_job_leaves_it_to_realtime(run: Run, aws: LocalAwsForTests) -> None:
    aws._aws._services.jobs._most_open = 0
    run.submit()

    assert run.wait()

    assert run.spent() == 0
    assert run.classify() == {"evaluated": 24}
    assert (jobs(aws), calls(aws)) == ([], 24)


def test_an_invalid_answer_is_asked_again_by_realtime_at_its_price(run: Run, aws: LocalAwsForTests) -> None:
    set_faults(aws, {"rules": [{"fault": "prose", "match": f"{CANARY} 7"}]})
    run.submit()
    run.wait()
    set_faults(aws, {})

    assert run.classify() == {"evaluated": 24}

    found = evaluations(aws)
    assert calls(aws) == 1
    assert (found["c007"]["attempts"], found["c008"]["attempts"]) == (2, 1)
    assert run.spent() == sum(int(each["cost_micro_usd"]) for each in found.values())
    assert found["c007"]["cost_micro_usd"] > 2 * found["c008"]["cost_micro_usd"]


# What happens between submit and classify


@pytest.mark.parametrize(
    "changed",
    [{"instructions": "Judge it anew."}, {"model": "global.anthropic.claude-haiku-4-5-20251001-v1:0"}],
    ids=["prompt", "model"],
)
def test_answers_to_another_prompt_or_of_another_model_are_not_paid_for_a_second_time_unless_that_is_asked(
    run: Run, aws: LocalAwsForTests, changed: dict[str, str]
) -> None:
    run.submit()
    before, run.params = run.params, run.params | changed
    assert run.wait()
    assert run.spent() == bill(aws)

    with pytest.raises(AirflowFailException, match=r"were asked by model .* now: put them back and clear this task"):
        run.classify()

    assert calls(aws) == 0
    run.params = before
    assert run.classify() == {"evaluated": 24}
    assert (calls(aws), run.spent()) == (0, bill(aws))


def test_a_submit_that_is_cleared_after_the_prompt_has_changed_sends_all_of_it_anew(
    run: Run, aws: LocalAwsForTests
) -> None:
    run.submit()
    run.wait()
    run.params["instructions"] = "Judge it anew."

    run.submit()
    run.wait()

    assert run.classify() == {"evaluated": 24}
    assert (len(jobs(aws)), calls(aws), run.spent()) == (2, 0, bill(aws))


@pytest.mark.parametrize(
    "limit", [{"max_usd": "0.000001"}, {"max_conversations": "24"}], ids=["money", "conversations"]
)
def test_answers_that_are_paid_are_used_though_the_run_may_ask_no_more(
    run: Run, aws: LocalAwsForTests, limit: dict[str, str]
) -> None:
    run.params |= {"in_flight": "1", "max_conversations": limit.get("max_conversations", "0")}
    run.submit()
    run.wait()
    [first, *_] = aws.client("dynamodb").scan(TableName=TABLE)["Items"]
    put(aws, [int(first["conversation_id"]["S"][1:])], text="And in SQL?")
    run.params |= limit

    assert run.classify() == {"evaluated": 23, "left_pending": 1}
    assert (calls(aws), run.spent()) == (0, bill(aws))


def test_what_bedrock_has_counted_beyond_the_answers_is_taken_as_paid(run: Run, aws: LocalAwsForTests) -> None:
    run.submit()
    aws._aws._services.jobs.wait()
    [key] = [key for key in objects(aws, "answers") if key.endswith(".jsonl.out") and "manifest" not in key]
    whole, s3 = bill(aws), aws.client("s3")
    body = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"torn" + body)

    assert run.look()

    assert whole - 24 <= run.spent() <= whole  # each answer alone is rounded up
    assert run.spent() > bill_of(aws, key)


def test_a_job_that_nobody_knows_of_keeps_wait_from_settling(run: Run, aws: LocalAwsForTests) -> None:
    with dying("bedrock", "after-call", "CreateModelInvocationJob"):
        run.submit()

    with pytest.raises(AirflowFailException, match="1 of 1 batch jobs may or may not be there: clear submit"):
        run.wait()

    run.submit()
    assert run.wait()
    assert run.spent() == bill(aws)


def test_a_round_that_an_earlier_try_has_asked_for_is_not_undone(run: Run, aws: LocalAwsForTests) -> None:
    with dying("bedrock", "after-call", "CreateModelInvocationJob"):
        run.submit()

    with pytest.raises(AirflowFailException, match="AccessDeniedException"):
        run.submit(role="arn:aws:iam::210987654321:role/theirs")

    [round_] = run.rounds()
    assert run.spent() == round_.reserved_micro_usd > 0
    run.submit()
    assert run.wait()
    assert (len(jobs(aws)), run.spent()) == (1, bill(aws))


def test_a_second_round_that_is_refused_leaves_the_answers_of_the_first_to_this_run(
    run: Run, aws: LocalAwsForTests
) -> None:
    run.submit()
    run.wait()
    put(aws, range(24, 40))

    with pytest.raises(AirflowFailException, match="AccessDeniedException"):
        run.submit(role="arn:aws:iam::210987654321:role/theirs")

    with pytest.raises(AirflowFailException, match="chat_census/night"):
        Run(aws, "other").submit()
    assert run.classify() == {"evaluated": 40}
    assert calls(aws) == 16


def test_an_older_try_that_finds_no_money_left_does_not_end_the_turn_of_the_newer_one(
    run: Run, aws: LocalAwsForTests
) -> None:
    newer, has_begun = Run(aws), list[bool]()

    def begin(**_: Any) -> None:
        if not has_begun:
            has_begun.append(True)
            newer.tries["submit"] = 5
            newer.submit()

    events = aws_client("s3", CONNECTION).meta.events
    events.register("after-call.s3.PutObject", begin)
    try:
        run.submit()
    finally:
        events.unregister("after-call.s3.PutObject", begin)

    assert len(jobs(aws)) == 1
    with pytest.raises(AirflowFailException, match="chat_census/night"):
        Run(aws, "other").submit()


def test_a_segment_that_begins_late_keeps_the_turn_while_it_uses_its_answers(run: Run) -> None:
    run.submit()
    run.wait()
    turn = BatchLedger(run.ledger()).turn
    turn.take(TABLE, hours=0.01)

    run.classify()

    assert turn.check(TABLE) > (datetime.now(UTC) + timedelta(hours=6)).isoformat()
    turn.take(TABLE, hours=30)
    run.classify()
    assert turn.check(TABLE) > (datetime.now(UTC) + timedelta(hours=29)).isoformat()


# The table goes on meanwhile


def test_a_changed_conversation_is_asked_anew_and_a_deleted_one_stays_deleted(
    run: Run, aws: LocalAwsForTests, capfd: Any
) -> None:
    run.submit()
    put(aws, [3], text="And in SQL?")
    aws.client("dynamodb").delete_item(TableName=TABLE, Key={"conversation_id": {"S": "c004"}})
    run.wait()

    assert run.classify() == {"evaluated": 23}

    found = evaluations(aws)
    assert calls(aws) == 1
    assert "c004" not in found
    bills = sum(int(each["cost_micro_usd"]) for each in found.values())
    assert run.spent() == bill(aws) + int(found["c003"]["cost_micro_usd"])
    assert run.spent() > bills  # two answers were paid for and not used
    told = "".join(capfd.readouterr())
    assert sum(int(count) for count in re.findall(r"; (\d+) paid for and not used", told)) == 2


# Budget and limits


def test_what_the_budget_does_not_hold_is_left_out_and_the_budget_holds(run: Run, aws: LocalAwsForTests) -> None:
    run.params["max_usd"] = "0.008"
    run.submit()

    [round_] = run.rounds()
    assert 10 <= round_.jobs[0].records < 24
    assert run.spent() == round_.reserved_micro_usd <= 8000
    assert run.spent() > 8000 - round_.reserved_micro_usd / round_.jobs[0].records
    run.wait()
    assert run.classify()["evaluated"] > round_.jobs[0].records  # what was given back pays for calls
    assert len(lines(aws, "answers", ".jsonl.out")) == round_.jobs[0].records
    assert run.spent() <= 8000


def test_too_few_for_a_job_are_all_left_to_realtime(run: Run, aws: LocalAwsForTests) -> None:
    run.params["max_conversations"] = "9"
    run.submit()

    assert run.look()
    run.classify()
    assert jobs(aws) == []
    assert 0 < calls(aws) <= 9
    Run(aws, "other", mode="realtime").submit()  # nobody has the turn


def test_a_limit_of_conversations_holds_for_both_ways_together(run: Run, aws: LocalAwsForTests) -> None:
    set_faults(aws, {"rules": [{"fault": "throttle", "first": 2}]})
    run.params["max_conversations"] = "14"
    run.submit()
    run.wait()
    set_faults(aws, {})

    assert run.classify()["evaluated"] == 14

    assert calls(aws) == 2
    assert run.ledger().run()["conversations"] == 14


# Two runs


def test_no_other_run_judges_what_a_job_is_about(run: Run, aws: LocalAwsForTests) -> None:
    run.submit()
    for mode in ("realtime", "batch"):
        other = Run(aws, f"other-{mode}", mode=mode)
        with pytest.raises(AirflowFailException, match=r"run 'chat_census/night' has batch jobs about .* twice"):
            other.submit()
        with pytest.raises(AirflowFailException, match="chat_census/night"):
            other.classify()
    assert calls(aws) == 0

    run.wait()
    run.classify()
    run.settle()

    other.submit()
    assert other.classify() == {"already_evaluated": 24}


def test_of_two_runs_that_begin_at_once_one_has_the_turn(aws: LocalAwsForTests) -> None:
    one, other = (BatchLedger(Run(aws, name).ledger()).turn for name in ("one", "other"))
    one.take(TABLE, hours=1)

    with pytest.raises(SetupError, match="'chat_census/one' has batch jobs"):
        other.take(TABLE, hours=1)
    other.end(TABLE)
    with pytest.raises(SetupError, match="'chat_census/one' has batch jobs"):
        other.check(TABLE)

    one.end(TABLE)
    other.take(TABLE, hours=1)


def test_a_submit_whose_segment_went_to_another_run_sends_nothing_of_it(
    run: Run, aws: LocalAwsForTests, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose_the_claim(**_: Any) -> None:
        aws.client("dynamodb").delete_item(
            TableName=CONTROL_TABLE, Key={"pk": {"S": f"claim#{TABLE}"}, "sk": {"S": "0/1"}}
        )

    monkeypatch.setattr(due, "RENEW_EVERY_S", 0.0)
    events = aws_client("dynamodb", CONNECTION).meta.events
    events.register("after-call.dynamodb.Scan", lose_the_claim)

    with pytest.raises(StoreBusy, match="was claimed by another run while it was read"):
        run.submit()

    events.unregister("after-call.dynamodb.Scan", lose_the_claim)
    assert (jobs(aws), run.spent()) == ([], 0)
    Run(aws, "other", mode="realtime").submit()  # nobody has the turn


def test_a_turn_ends_by_itself(run: Run, aws: LocalAwsForTests) -> None:
    BatchLedger(run.ledger()).turn.take(TABLE, hours=-1)

    Run(aws, "other").submit()

    assert len(jobs(aws)) == 1


def test_a_refused_role_undoes_the_round(run: Run, aws: LocalAwsForTests) -> None:
    with pytest.raises(AirflowFailException, match="CreateModelInvocationJob answered AccessDeniedException"):
        run.submit(role="arn:aws:iam::210987654321:role/theirs")

    assert run.spent() == 0
    Run(aws, "other", mode="realtime").submit()
    run.submit()
    assert len(jobs(aws)) == 1


def test_batch_on_a_model_without_its_price_is_refused(run: Run) -> None:
    with pytest.raises(AirflowFailException, match="'stand-in' takes no batch inference"):
        run.submit(model="stand-in")


def test_no_text_leaves_the_residency_by_batch(run: Run, aws: LocalAwsForTests, tmp_path: Path) -> None:
    (tmp_path / "prompts").mkdir()
    models = tmp_path / "prompts/models.yaml"
    models.write_text(MODELS.read_text())
    (tmp_path / "routes.yaml").write_text("residency: us\nroutes: []\n")

    with pytest.raises(AirflowFailException, match="keeps the texts in 'us'"):
        run.submit(models=models)

    assert (objects(aws, "records"), jobs(aws)) == ([], [])

    with dying("bedrock", "before-call", "CreateModelInvocationJob"):
        run.submit()
    with pytest.raises(AirflowFailException, match="keeps the texts in 'us'"):  # the round is begun, and its job is not
        run.submit(models=models)
    assert jobs(aws) == []


# Re-evaluation


def test_a_reevaluation_goes_by_batch_too(run: Run, aws: LocalAwsForTests) -> None:
    run.whole()
    again = Run(aws, "again", reevaluate=f"model={MODEL}", instructions="Judge it anew.")

    again.whole()

    found = evaluations(aws).values()
    assert {(each["run_id"], each["previous"]["model"]) for each in found} == {("again", MODEL)}
    assert (len(jobs(aws)), calls(aws)) == (2, 0)
    assert again.spent() == sum(int(each["cost_micro_usd"]) for each in found)
