"""What a review reads of the table, and the commands that take its sheet to a person and back."""

import csv
import io
import stat
from pathlib import Path
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer
from typer.testing import CliRunner

from chatcensus.__main__ import app
from chatcensus.aws.lookup import Lookup
from chatcensus.aws.reviews import ANSWERS, CATEGORIES, SHEET, Reviews, evaluated_items
from chatcensus.conversation import Turn, transcript
from chatcensus.errors import SetupError
from chatcensus.evaluation import ATTRIBUTE
from chatcensus.mapping import TableMapping
from chatcensus.review import Candidate
from chatcensus.review_sheet import categories_bytes, sheet_bytes
from tests.conftest import SNAPSHOT_BUCKET
from tests.fakes import MAPPING, TAXONOMY, conversation_item

TABLE, NAME, CANARY = "chat-conversations", "3fa9c1d27b04", "canary-0815"
EVALUATION = {"outcome": "evaluated", "category": "coding", "content_hash": "0" * 32}


@pytest.fixture
def aws(local_aws: Any) -> Any:
    local_aws.create_stack()
    return local_aws


def put(aws: Any, item: dict[str, Any], table: str = TABLE) -> None:
    aws.client("dynamodb").put_item(TableName=table, Item=TypeSerializer().serialize(item)["M"])


def lookup(aws: Any, mapping: TableMapping = MAPPING, table: str = TABLE) -> Lookup:
    dynamodb = aws.client("dynamodb")
    return Lookup(dynamodb, table, mapping, aws.client("s3"))


def create_table(aws: Any, **keys: str) -> str:
    """Make a table whose partition and sort key have these names and types."""
    kinds = zip(keys, ("HASH", "RANGE"), strict=False)
    aws.client("dynamodb").create_table(
        TableName="other",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in keys.items()],
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in kinds],
    )
    return "other"


# The table


def test_only_what_carries_an_evaluation_is_found_and_no_text_is_sent(aws: Any):
    put(aws, conversation_item("a", CANARY, language="ja") | {ATTRIBUTE: EVALUATION})
    put(aws, conversation_item("b", CANARY) | {ATTRIBUTE: EVALUATION})
    put(aws, conversation_item("pending", CANARY))
    put(aws, conversation_item("foreign", CANARY) | {ATTRIBUTE: "good"})

    found = sorted(evaluated_items(aws.client("dynamodb"), TABLE, MAPPING))

    assert found == [("a", EVALUATION, "ja"), ("b", EVALUATION, None)]


def test_a_conversation_is_found_by_its_id_as_it_is_now(aws: Any):
    put(aws, conversation_item("a", "one", "two"))

    found = lookup(aws).find("a")

    assert found
    assert [turn.text for turn in found.turns] == ["one", "two"]
    assert lookup(aws).find("gone") is None


def test_where_the_key_has_two_parts_the_id_names_both(aws: Any):
    names = {"partition_key": "user", "sort_key": "at", "turns": "turns", "role": "role", "text": "content"}
    mapping, table = TableMapping.model_validate(names), create_table(aws, user="S", at="N")
    for at in (1, 2):
        put(aws, {"user": "a/b", "at": at, "turns": [{"role": "user", "content": f"text {at}"}]}, table)

    found = lookup(aws, mapping, table).find("a%2Fb/2")

    assert found
    assert [turn.text for turn in found.turns] == ["text 2"]


def test_where_an_item_is_a_message_all_of_them_are_the_conversation(aws: Any):
    names = {"partition_key": "chat", "sort_key": "at", "one_item_is": "message", "role": "role", "text": "content"}
    only = [{"attribute": "kind", "equals": "message"}]
    mapping = TableMapping.model_validate(names | {"only": only})
    table = create_table(aws, chat="S", at="S")
    for at, kind in (("1", "message"), ("2", "message"), ("3", "feedback")):
        put(aws, {"chat": "c", "at": at, "kind": kind, "role": "user", "content": f"text {at}"}, table)

    found = lookup(aws, mapping, table).find("c")

    assert found
    assert [turn.text for turn in found.turns] == ["text 1", "text 2"]


# The files


def hand_out(aws: Any) -> list[Candidate]:
    """A review that waits for its person."""
    candidates = [Candidate(f"c{number}", "0" * 32, "random", "ja", TAXONOMY.version) for number in range(3)]
    reviews = Reviews(aws.client("s3"), SNAPSHOT_BUCKET, NAME)
    reviews.write(CATEGORIES, categories_bytes(TAXONOMY))
    reviews.write(SHEET, sheet_bytes([(each, transcript([Turn("user", CANARY)])) for each in candidates]))
    return candidates


def run(*arguments: str) -> Any:
    """Run `chatcensus review …`; nothing that it says or raises holds a text."""
    ended = CliRunner().invoke(app, ["review", *arguments, "--snapshot-bucket", SNAPSHOT_BUCKET])
    assert CANARY not in ended.output + str(ended.exception)
    return ended


def fill_in(path: Path, **cells: str) -> None:
    """Fill in the sheet as a person would."""
    rows = list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "reviewed_by": "me", **cells} for row in rows)


def answers(aws: Any) -> bytes | None:
    return Reviews(aws.client("s3"), SNAPSHOT_BUCKET, NAME).found(ANSWERS)


def test_a_sheet_goes_to_a_file_of_its_owner_alone_and_comes_back_without_text(aws: Any, tmp_path: Path):
    hand_out(aws)
    sheet = tmp_path / "sheet.csv"

    fetched = run("fetch", NAME, "--to", str(sheet))
    fill_in(sheet, category="coding", inquiry_score="3")
    returned = run("return", NAME, str(sheet))

    assert (fetched.exit_code, returned.exit_code) == (0, 0)
    assert stat.S_IMODE(sheet.stat().st_mode) == 0o600
    assert "coding" in (tmp_path / "sheet-categories.csv").read_text()
    assert "3 of 3 rows are answered" in returned.output
    assert CANARY not in answers(aws).decode()
    assert answers(aws).decode().count("coding,3,,me") == 3


def test_a_sheet_that_may_be_half_filled_in_is_never_overwritten(aws: Any, tmp_path: Path):
    hand_out(aws)
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("mine")

    ended = run("fetch", NAME, "--to", str(sheet))

    assert isinstance(ended.exception, SetupError)
    assert "is there already" in str(ended.exception)
    assert sheet.read_text() == "mine"


def test_of_a_wrong_sheet_nothing_is_returned(aws: Any, tmp_path: Path):
    hand_out(aws)
    sheet = tmp_path / "sheet.csv"
    run("fetch", NAME, "--to", str(sheet))
    fill_in(sheet, category=CANARY)

    ended = run("return", NAME, str(sheet))

    assert "row 2: `category` is none of categories.csv" in str(ended.exception)
    assert answers(aws) is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("fetch", "../../exports"), "12 hex digits"),
        (("fetch", "000000000000"), "there is no sheet.csv in s3://"),
        (("return", NAME, "nowhere.csv"), "'nowhere.csv' cannot be read: No such file"),
        (("fetch", NAME, "--to", "nowhere/sheet.csv"), "'nowhere/sheet.csv' cannot be written: No such file"),
    ],
)
def test_what_cannot_be_done_is_told(aws: Any, arguments: tuple[str, ...], said: str):
    hand_out(aws)

    ended = run(*arguments)

    assert isinstance(ended.exception, SetupError)
    assert said in str(ended.exception)
