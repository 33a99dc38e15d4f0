"""The DAG `review` in a real Airflow against the local AWS: a person is asked, and gold rows come of the answers."""

import csv
import io
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from boto3.dynamodb.types import TypeSerializer
from typer.testing import CliRunner

from chatcensus.__main__ import app
from chatcensus.answer import Judgement, Reason
from chatcensus.aws.trials import TrialFiles
from chatcensus.evaluation import ATTRIBUTE, Evaluation
from chatcensus.gold import misfit, read_gold
from chatcensus.mapping import Stored
from chatcensus.operators import DrawReviewOperator, HandOutReviewOperator
from chatcensus.operators.ask_reviewer import COLLECT, DISCARD
from chatcensus.review import review_name
from chatcensus.shares import corrected_shares
from chatcensus.trial import Answer as Answered
from chatcensus.trial import Drawn
from demo.progress import LocalAirflow
from tests.conftest import RESULT_BUCKET, SNAPSHOT_BUCKET, LocalAwsForTests
from tests.dags.hitl import Answer, People, Question
from tests.dags.running import STACK, TABLE, deploy
from tests.fakes import INCLUDE, MAPPING, TAXONOMY, conversation_item
from tests.security.drift import Recorded, missing, policies_of_roles

pytestmark = pytest.mark.airflow

RUN, DISCARDED = "review-1", "review-2"
SIZES = {"random": 8, "changed": 2, "quarantined": 1, "disputed": 1, "trial": "trial-1", "seed": "1"}
CANARY = "canary-0815"
HOSTILE = f'{CANARY} =1+1\n=HYPERLINK("x"),;\t「引用」\r\n👩‍💻'
PERSON, REVIEWER = "hanako-of-airflow", "reviewer-7"
Rows = list[dict[str, str]]


def item(name: str, category: str = "coding", previous: str | None = None, reason: Reason | None = None) -> Any:
    """A conversation and its evaluation."""
    plain = conversation_item(name, HOSTILE, "Well.", language="ja")
    evaluation = Evaluation(
        key="0" * 32,
        verdict=reason or Judgement(category, 4),
        content_hash=MAPPING.conversation(Stored(plain, has_room=True)).content_hash,
        prompt_version="a" * 12,
        taxonomy_version=TAXONOMY.version,
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
        previous={"outcome": "evaluated", "category": previous} if previous else None,
    )
    return plain | {ATTRIBUTE: evaluation.attribute()}


ITEMS = [item(f"c{number}", "coding" if number % 2 else "writing") for number in range(10)]
ITEMS += [item(f"m{number}", previous="writing") for number in range(10)]
ITEMS += [item("q0", reason=Reason.NOT_JSON), conversation_item("pending", HOSTILE)]


def rows_of(file: bytes) -> Rows:
    return list(csv.DictReader(io.StringIO(file.decode("utf-8-sig"), newline="")))


def command(*arguments: str) -> None:
    """Run `chatcensus review …`; it shows no text."""
    given = ["review", *arguments, "--snapshot-bucket", SNAPSHOT_BUCKET]
    ended = CliRunner().invoke(app, given)
    assert CANARY not in ended.output
    assert ended.exit_code == 0, (ended.output, ended.exception)


class Review:
    """A review that ran to its end; while the person answers, one conversation goes on and another is deleted."""

    def __init__(self, aws: LocalAwsForTests, people: People, folder: Path) -> None:
        self.aws, self.people, self.folder = aws, people, folder
        self.s3, self.dynamodb = aws.client("s3"), aws.client("dynamodb")
        for plain in ITEMS:
            self.dynamodb.put_item(TableName=TABLE, Item=TypeSerializer().serialize(plain)["M"])
        self._try()
        self.sheet: Rows = []
        self.changed = self.gone = ""
        self.state = people.run("review", SIZES, RUN, {"answered": self._answer})
        self.gold = self.gold_files()
        self.table = self.dynamodb.scan(TableName=TABLE)["Items"]

    def _try(self) -> None:
        """A trial whose contenders disagree on the ten that were never changed."""
        files, lots = (
            TrialFiles(self.s3, RESULT_BUCKET, "trial-1"),
            {f"c{number}": f"{number}" * 64 for number in range(10)},
        )
        drawn = [Drawn(draw=lot, content_hash="0", language="ja", conversation_id=name) for name, lot in lots.items()]
        files.write_plan({"contenders": [{"file": "0"}, {"file": "1"}]}, drawn)
        for file, category in (("0", "coding"), ("1", "writing")):
            files.write_answers(
                file, {lot: Answered(draw=lot, content_hash="0", category=category) for lot in lots.values()}
            )

    def gold_files(self) -> dict[str, list[dict[str, Any]]]:
        found = self.s3.list_objects_v2(Bucket=SNAPSHOT_BUCKET, Prefix="gold/").get("Contents", [])
        bodies = {each["Key"]: self.s3.get_object(Bucket=SNAPSHOT_BUCKET, Key=each["Key"])["Body"] for each in found}
        return {key: [json.loads(line) for line in body.read().splitlines()] for key, body in bodies.items()}

    def _answer(self, question: Question) -> Answer:
        assert question.options == [COLLECT, DISCARD]
        fetched, filled = self.folder / "sheet.csv", self.folder / "filled.csv"
        command("fetch", review_name(RUN), "--to", str(fetched))
        self.sheet = rows_of(fetched.read_bytes())
        with filled.open("w", newline="", encoding="utf-8-sig") as handle:
            writer = csv.DictWriter(handle, list(self.sheet[0]))
            writer.writeheader()
            said = {"category": "coding", "inquiry_score": "4", "comment": CANARY, "reviewed_by": REVIEWER}
            writer.writerows(row | said for row in self.sheet)
        command("return", review_name(RUN), str(filled))
        self.changed, self.gone, *_ = [row["conversation_id"] for row in self.sheet if row["drawn_for"] == "random"]
        self.dynamodb.put_item(
            TableName=TABLE, Item=TypeSerializer().serialize(conversation_item(self.changed, HOSTILE, "And?"))["M"]
        )
        self.dynamodb.delete_item(TableName=TABLE, Key={"conversation_id": {"S": self.gone}})
        return Answer(COLLECT, by=PERSON)


@pytest.fixture(scope="module")
def people(airflow: LocalAirflow, airflow_settings: dict[str, str], deployed: Path) -> People:
    deploy(deployed)
    return People(airflow, airflow_settings["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])


@pytest.fixture(scope="module")
def review(local_aws_server: LocalAwsForTests, people: People, tmp_path_factory: pytest.TempPathFactory) -> Review:
    local_aws_server.reset()
    local_aws_server.create_stack(**STACK)
    return Review(local_aws_server, people, tmp_path_factory.mktemp("reviewer"))


def test_the_sheet_has_what_was_asked_for_and_nothing_of_the_judge(review: Review) -> None:
    drawn_for = sorted(row["drawn_for"] for row in review.sheet)

    assert review.state == "success"
    assert drawn_for == ["changed"] * 2 + ["disputed"] + ["quarantined: not_json"] + ["random"] * 8
    assert "pending" not in {row["conversation_id"] for row in review.sheet}
    assert all(CANARY in row["transcript"] for row in review.sheet)
    assert {row["category"] for row in review.sheet} == {""}


def test_answers_become_gold_rows_without_text_and_those_drawn_at_random_are_by_themselves(review: Review) -> None:
    folder = f"gold/{TAXONOMY.version}"
    files = {f"{folder}/random-{review_name(RUN)}.jsonl": 6, f"{folder}/picked-{review_name(RUN)}.jsonl": 4}

    rows = [row for lines in review.gold.values() for row in lines]
    assert {key: len(lines) for key, lines in review.gold.items()} == files
    assert {row["id"] for row in rows} == {row["conversation_id"] for row in review.sheet} - {
        review.changed,
        review.gone,
    }
    assert "q0" in {row["id"] for row in rows}
    assert {(row["category"], row["inquiry_score"], row["labelled_by"]) for row in rows} == {("coding", 4, REVIEWER)}
    assert {row["language"] for row in rows} == {"ja"}
    hashes = {plain["conversation_id"]: plain.get(ATTRIBUTE, {}).get("content_hash") for plain in ITEMS}
    assert all(row["content_hash"] == hashes[row["id"]] for row in rows)
    assert not any(row.get("turns") for row in rows)


def test_the_answers_become_the_gold_set_that_corrects_the_shares(review: Review, tmp_path: Path) -> None:
    given = ["gold", "counts", "--table", TABLE, "--snapshot-bucket", SNAPSHOT_BUCKET, "--include", str(INCLUDE)]
    (tmp_path / "gold.yaml").write_text(CliRunner().invoke(app, given).stdout)

    gold = read_gold(tmp_path / "gold.yaml", TAXONOMY)

    assert gold is not None
    assert gold.size == sum(len(rows) for key, rows in review.gold.items() if "/random-" in key)
    assert {true for labels in gold.counts.values() for true in labels} == {"coding"}
    assert misfit(gold, {("stand-in", "a" * 12): 20}, TAXONOMY) is None
    shares = corrected_shares(dict.fromkeys(gold.counts, 10), gold.counts)
    assert shares["coding"].estimate == pytest.approx(1)


def test_nothing_is_written_to_the_table(review: Review) -> None:
    before = {plain["conversation_id"]: TypeSerializer().serialize(plain)["M"] for plain in ITEMS}
    after = {each["conversation_id"]["S"]: each for each in review.table}

    assert after.keys() == before.keys() - {review.gone}
    assert {name for name, each in after.items() if each != before[name]} == {review.changed}


def test_the_log_says_how_far_both_agree_and_what_was_left_out(review: Review) -> None:
    said = review.people.airflow.log_file.read_text()
    judged_coding = sum(
        plain[ATTRIBUTE].get("category") == "coding"
        for plain in ITEMS
        if plain["conversation_id"]
        in {row["conversation_id"] for row in review.sheet if row["drawn_for"] == "random"}
        - {review.changed, review.gone}
    )

    assert f"random: person and judge agree on {judged_coding} of 6 categories" in said
    assert "answered: 12 of 12 rows: {'changed': 1, 'gold_rows': 10, 'gone': 1}" in said


def test_conversation_text_and_names_are_in_no_log_xcom_or_question(review: Review) -> None:
    log = review.people.airflow.log_file.read_text()
    tables = ("select * from xcom", "select subject, body, params from hitl_detail")
    kept = str([review.people.rows(query) for query in (*tables, "select * from rendered_task_instance_fields")])

    assert "answered: 12 of 12 rows" in log
    assert review_name(RUN) in kept
    for private in (CANARY, PERSON, REVIEWER):
        assert private not in kept, private
    assert not [private for private in (CANARY, PERSON, REVIEWER) if private in log]


def test_collecting_the_same_answers_again_changes_nothing(review: Review) -> None:
    state = review.people.run("review", SIZES, RUN, {"answered": lambda _: Answer(COLLECT)})

    assert state == "success"
    assert review.gold_files() == review.gold


def test_a_discarded_review_ends_well_and_leaves_no_gold_row(review: Review) -> None:
    state = review.people.run("review", SIZES, DISCARDED, {"answered": lambda _: Answer(DISCARD)})

    assert state == "success"
    assert review.people.ended("answered") == ["skipped"]
    assert review.people.ended("collect") == []
    assert review.gold_files() == review.gold


def test_the_role_of_the_pipeline_may_do_what_a_review_asks_for(review: Review) -> None:
    recorded = Recorded()
    recorded.take(review.aws)
    asked = recorded.actions("pipeline")

    assert ("s3:PutObject", f"arn:aws:s3:::{SNAPSHOT_BUCKET}/reviews/x/sheet.csv") in asked
    assert missing(policies_of_roles(review.aws)["pipeline"], asked) == []


# A task by itself: from here on the AWS of the review above is empty


def test_a_sheet_is_not_handed_out_again_under_another_taxonomy(local_aws: LocalAwsForTests, tmp_path: Path) -> None:
    local_aws.create_stack(**STACK)
    local_aws.client("dynamodb").put_item(TableName=TABLE, Item=TypeSerializer().serialize(ITEMS[0])["M"])
    shutil.copytree(INCLUDE, tmp_path / "include")
    taxonomy = tmp_path / "include/prompts/taxonomy.yaml"
    of_it: Any = {"table": TABLE, "snapshot_bucket": SNAPSHOT_BUCKET, "mapping": INCLUDE / "table.yaml"}
    sizes = {"random": "1", "changed": "0", "disputed": "0", "quarantined": "0"}
    draw = DrawReviewOperator(
        task_id="draw", sizes=sizes, seed="1", trial="", result_bucket=RESULT_BUCKET, aws_conn_id=None, **of_it
    )
    hand_out = HandOutReviewOperator(task_id="hand_out", taxonomy=taxonomy, aws_conn_id=None, **of_it)
    draw.execute({"run_id": "alone"})
    first = hand_out.execute({"run_id": "alone"})
    again = hand_out.execute({"run_id": "alone"})
    taxonomy.write_text(taxonomy.read_text().replace("key: writing", "key: texts"))

    assert first == again
    with pytest.raises(AirflowFailException, match="the taxonomy has changed since this sheet was handed out"):
        hand_out.execute({"run_id": "alone"})
