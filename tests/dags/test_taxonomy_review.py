"""The DAG `taxonomy_review` in a real Airflow against the local AWS: from what lies in `other` to judging it again."""

import difflib
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from airflow.sdk.exceptions import AirflowException, AirflowSkipException
from boto3.dynamodb.types import TypeSerializer
from typer.testing import CliRunner

from chatcensus.__main__ import app
from chatcensus.answer import Judgement
from chatcensus.errors import ModelBusy, SetupError
from chatcensus.evaluation import ATTRIBUTE, Evaluation
from chatcensus.mapping import Stored
from chatcensus.operators import CountProposalsOperator, GatherCategoryOperator, ProposeCategoriesOperator
from chatcensus.operators.approve import ApproveByCommandOperator
from chatcensus.review import review_name
from chatcensus.taxonomy_review import NONE_OF_THEM
from demo.__main__ import NO_QUOTA
from demo.airflow_home import VARIABLES
from demo.progress import LocalAirflow
from local_aws.bedrock.keyword_proposals import OBEYED
from tests.conftest import RESULT_BUCKET, LocalAwsForTests
from tests.dags.hitl import Answer, People, Question
from tests.dags.running import STACK, TABLE, deploy
from tests.fakes import INCLUDE, MAPPING, TAXONOMY, conversation_item
from tests.security.drift import Recorded, missing, policies_of_roles

pytestmark = pytest.mark.airflow

RUN = "taxonomy-1"
CANARY, USER = "canary-of-the-harbour", "hanako-user"
PERSON = "hanako-of-airflow"
CONF = {"conversations": 40, "max_usd": 2, "in_flight": 4, **NO_QUOTA}
OLDER = "0123456789ab"


def item(name: str, text: str, category: str = "other", version: str = TAXONOMY.version) -> dict[str, Any]:
    """A conversation that an earlier run has judged."""
    plain = conversation_item(name, f"{text} {CANARY}", "Well.", user_id=f"{USER}-{name}", language="en")
    evaluation = Evaluation(
        key="0" * 32,
        verdict=Judgement(category, 3),
        content_hash=MAPPING.conversation(Stored(plain, has_room=True)).content_hash,
        prompt_version="a" * 12,
        taxonomy_version=version,
        model="stand-in",
        answered_by="stand-in",
        attempts=1,
        input_tokens=1,
        output_tokens=1,
        cost_micro_usd=1,
        is_clipped=False,
        user_pseudonym=None,
        run_id="r",
        evaluated_at=datetime(2026, 10, 1, tzinfo=UTC),
    )
    return plain | {ATTRIBUTE: evaluation.attribute()}


MEALS = [item(f"meal{number}", "What should I have for lunch?") for number in range(12)]
TALK = [item(f"talk{number}", "Tell me a joke, please.") for number in range(8)]
REST = [item(f"rest{number}", "Hello, are you there?") for number in range(3)]
HOSTILE = [item(f"evil{number}", f"{OBEYED}: secret plan of the harbour") for number in range(2)]
OTHER = [*MEALS, *TALK, *REST, *HOSTILE]
ELSEWHERE = [item("coding0", "What should I have for lunch?", "coding"), item("older0", "Hello", version=OLDER)]
CHANGED = item("changed0", "A joke") | {"turns": [{"role": "user", "content": f"Another joke {CANARY}"}]}


class Review:
    """A review in which a person approves one proposal, and what came of it."""

    def __init__(self, aws: LocalAwsForTests, people: People, deployed: Path) -> None:
        self.aws, self.people, self.deployed = aws, people, deployed
        self.s3, self.dynamodb = aws.client("s3"), aws.client("dynamodb")
        for plain in (*OTHER, *ELSEWHERE, CHANGED):
            self.dynamodb.put_item(TableName=TABLE, Item=TypeSerializer().serialize(plain)["M"])
        self.before = self.evaluations()
        self.state = people.run("taxonomy_review", CONF, RUN, {"approve": self._answer})
        self.calls = aws.stats()["converse_calls"]
        self.question, self.notes = people.asked["approve"], [step.note for step in people.steps]
        self.after = self.evaluations()

    def _answer(self, question: Question) -> Answer:  # noqa: ARG002 - what was asked is kept
        return Answer("meals", by=PERSON)

    def evaluations(self) -> dict[str, Any]:
        items = self.dynamodb.scan(TableName=TABLE)["Items"]
        return {each["conversation_id"]["S"]: each[ATTRIBUTE]["M"] for each in items}

    def files(self, run: str = RUN) -> dict[str, str]:
        folder = f"taxonomy/{review_name(run)}/"
        found = self.s3.list_objects_v2(Bucket=RESULT_BUCKET, Prefix=folder).get("Contents", [])
        bodies = {each["Key"]: self.s3.get_object(Bucket=RESULT_BUCKET, Key=each["Key"])["Body"] for each in found}
        return {key.removeprefix(folder): body.read().decode() for key, body in bodies.items()}


@pytest.fixture(scope="module")
def people(airflow: LocalAirflow, airflow_settings: dict[str, str], deployed: Path) -> People:
    deploy(deployed)
    return People(airflow, airflow_settings["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])


@pytest.fixture(scope="module")
def review(local_aws_server: LocalAwsForTests, people: People, deployed: Path) -> Review:
    local_aws_server.reset()
    local_aws_server.create_stack(**STACK)
    return Review(local_aws_server, people, deployed)


def test_a_person_is_asked_about_what_the_conversations_have_in_common(review: Review) -> None:
    proposals = {each["category"]["key"]: each for each in json.loads(review.files()["proposals.json"])["proposals"]}

    assert review.state == "success"
    assert review.question.options == ["meals", "small_talk", NONE_OF_THEM]
    assert {key: (each["count"], each["users"]) for key, each in proposals.items()} == {
        "meals": (12, 12),
        "small_talk": (8, 8),
    }
    assert "| `meals` | Meals / 食事の相談 |" in review.question.body
    assert json.loads(review.files()["proposals.json"])["dropped"] == {"quotation": 1}


def test_nothing_is_written_to_the_table(review: Review) -> None:
    assert review.after == review.before


def test_only_what_is_judged_as_it_is_now_is_read(review: Review) -> None:
    gathered = {json.loads(line)["conversation_id"] for line in review.files()["gathered.jsonl"].splitlines()}

    assert gathered == {plain["conversation_id"] for plain in OTHER} | {"older0"}
    assert json.loads(review.files()["versions.json"]) == {TAXONOMY.version: len(OTHER) + 1, OLDER: 1}


def test_conversation_text_and_names_are_in_no_log_xcom_question_or_file(review: Review) -> None:
    log = review.people.airflow.log_file.read_text()
    tables = ("select * from xcom", "select subject, body, params from hitl_detail")
    kept = str([review.people.rows(query) for query in (*tables, "select * from rendered_task_instance_fields")])

    assert "conversations of other are read" in log
    assert review_name(RUN) in kept
    for place in (log, kept, *review.files().values()):
        assert CANARY not in place
        assert USER not in place
        assert "harbour" not in place
    assert PERSON not in kept


def test_what_is_adopted_and_nothing_else_is_judged_again(review: Review) -> None:
    include = review.deployed / "include"
    old = (include / "prompts/taxonomy.yaml").read_text()
    arguments = ["taxonomy", "adopt", review_name(RUN), "--bucket", RESULT_BUCKET, "--include", str(include)]
    conf = {**NO_QUOTA, "publish": False}

    adopted = CliRunner().invoke(app, arguments)
    again = review.people.run("chat_census", conf | {"reevaluate": condition_of(adopted.output)}, "again", {})

    assert adopted.exit_code == 0, adopted.output
    new = (include / "prompts/taxonomy.yaml").read_text()
    assert [line for line in difflib.ndiff(old.splitlines(), new.splitlines()) if line.startswith("-")] == []
    assert [each["key"] for each in yaml.safe_load(new)["categories"]][-3:] == ["office", "meals", "other"]
    assert new == review.files()["taxonomy.yaml"]
    assert again == "success"
    judged_again = {name for name, each in review.evaluations().items() if each["run_id"]["S"] == "again"}
    assert judged_again == {plain["conversation_id"] for plain in OTHER} | {"older0"}
    assert review.aws.stats()["converse_calls"] - review.calls == len(judged_again)
    assert {name for name, each in review.evaluations().items() if each["category"]["S"] == "meals"} == {
        plain["conversation_id"] for plain in MEALS
    }


def condition_of(output: str) -> str:
    """The condition that `chatcensus taxonomy adopt` prints."""
    [line] = [line for line in output.splitlines() if "reevaluate" in line]
    return str(json.loads(line[line.index("{") : line.index("}") + 1])["reevaluate"])


@pytest.mark.usefixtures("review")
def test_categories_can_be_approved_by_command_alone(tmp_path: Path) -> None:
    shutil.copytree(INCLUDE, tmp_path / "include")
    chosen = ["--category", "small_talk", "--category", "meals"]
    where = ["--bucket", RESULT_BUCKET, "--include", str(tmp_path / "include")]

    ended = [CliRunner().invoke(app, ["taxonomy", "adopt", review_name(RUN), *chosen, *where]) for _ in range(2)]

    assert ended[0].exit_code == 0, ended[0].output
    keys = [
        each["key"] for each in yaml.safe_load((tmp_path / "include/prompts/taxonomy.yaml").read_text())["categories"]
    ]
    assert keys[-3:] == ["meals", "small_talk", "other"]
    assert isinstance(ended[1].exception, SetupError)
    assert "the review was of" in str(ended[1].exception)
    assert CliRunner().invoke(app, ["taxonomy", "check", *where[2:]]).exit_code == 0


@pytest.mark.usefixtures("review")
def test_where_airflow_cannot_ask_people_the_command_is_named() -> None:
    operator = ApproveByCommandOperator(task_id="approve", result_bucket=RESULT_BUCKET)

    with pytest.raises(AirflowSkipException, match=f"taxonomy adopt {review_name(RUN)} --category"):
        operator.execute({"run_id": RUN})


def test_a_run_that_is_repeated_pays_nothing_and_none_of_the_proposals_need_be_approved(review: Review) -> None:
    deploy(review.deployed)
    calls, files = review.aws.stats()["converse_calls"], review.files()

    state = review.people.run("taxonomy_review", CONF, RUN, {"approve": lambda _: Answer(NONE_OF_THEM)})

    assert state == "success"
    assert review.people.ended("approve") == ["skipped"]
    assert review.people.ended("adopt") == []
    assert review.aws.stats()["converse_calls"] == calls
    assert review.files() == files


def test_a_category_of_few_conversations_is_not_looked_into(review: Review) -> None:
    calls = review.aws.stats()["converse_calls"]

    state = review.people.run("taxonomy_review", CONF | {"category": "coding"}, "few", {})

    assert state == "success"
    assert review.people.ended("gather") == ["skipped"]
    assert review.people.ended("propose") == []
    assert (review.aws.stats()["converse_calls"], review.files("few")) == (calls, {})


def test_the_role_of_the_pipeline_may_do_what_a_review_asks_for(review: Review) -> None:
    recorded = Recorded()
    recorded.take(review.aws)
    asked = recorded.actions("pipeline")

    assert ("s3:PutObject", f"arn:aws:s3:::{RESULT_BUCKET}/taxonomy/x/proposals.json") in asked
    assert missing(policies_of_roles(review.aws)["pipeline"], asked) == []


# The tasks by themselves: from here on the AWS of the review above is empty

ODD = [item(f"odd\u2028{number}", "What should I have for lunch?") for number in range(20)]


@pytest.fixture
def alone(local_aws: LocalAwsForTests) -> LocalAwsForTests:
    """An AWS with enough conversations for a review, whose ids hold what some take for a line end."""
    local_aws.create_stack(**STACK)
    for plain in ODD:
        local_aws.client("dynamodb").put_item(TableName=TABLE, Item=TypeSerializer().serialize(plain)["M"])
    return local_aws


def context(attempt: int = 1) -> Any:
    ti = SimpleNamespace(try_number=attempt, map_index=-1)
    return {"run_id": "alone", "dag": SimpleNamespace(dag_id="taxonomy_review"), "ti": ti}


def task(kind: Any, **fields: Any) -> Any:
    names = {"include": INCLUDE, "table": TABLE, "result_bucket": RESULT_BUCKET, "category": "other"}
    return kind(task_id=kind.__name__, aws_conn_id=None, **names, **fields)


def asking(kind: Any, **fields: Any) -> Any:
    limits = {"model": "stand-in", "max_usd": 2, "in_flight": 4, "quota": NO_QUOTA}
    return task(kind, control_table=VARIABLES["chatcensus_control_table"], **limits, **fields)


def kept(aws: LocalAwsForTests) -> set[str]:
    found = aws.client("s3").list_objects_v2(Bucket=RESULT_BUCKET, Prefix="taxonomy/").get("Contents", [])
    return {each["Key"].rpartition("/")[2] for each in found}


def test_a_task_that_is_stopped_keeps_nothing_and_its_next_try_finds_everything(alone: LocalAwsForTests) -> None:
    assert task(GatherCategoryOperator, conversations=40, seed=1).execute(context())["gathered"] == 20
    for kind, fields in ((ProposeCategoriesOperator, {}), (CountProposalsOperator, {"min_users": 0})):
        stopped, before = asking(kind, **fields), kept(alone)
        stopped.on_kill()
        with pytest.raises(ModelBusy, match="begins anew in its next try"):
            stopped.execute(context())
        assert kept(alone) == before

        found = asking(kind, **fields).execute(context(attempt=2))

    assert found["proposals"] == {"meals": [20, 20]}


def test_a_number_of_users_that_is_none_is_found_before_anything_is_paid(alone: LocalAwsForTests) -> None:
    task(GatherCategoryOperator, conversations=40, seed=1).execute(context())
    asking(ProposeCategoriesOperator).execute(context())
    calls = alone.stats()["converse_calls"]

    with pytest.raises(AirflowException):
        asking(CountProposalsOperator, min_users="many").execute(context())

    assert alone.stats()["converse_calls"] == calls
