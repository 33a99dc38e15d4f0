"""`python -m chatcensus table check` against a table: it shows counts, and never a word of a conversation."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chatcensus.__main__ import app, main
from tests import command_manual
from tests.fakes import INCLUDE

TABLE = "chat"
CANARY = "canary-4711-の会話"


@pytest.fixture
def dynamodb(local_aws):
    return local_aws.client("dynamodb")


def create_table(dynamodb, *keys: str, **more: object) -> None:
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        BillingMode="PAY_PER_REQUEST",
        **more,
    )


def put(dynamodb, **texts: str) -> None:
    dynamodb.put_item(TableName=TABLE, Item={name: {"S": text} for name, text in texts.items()})


def run(*arguments: str):
    """Run the command; what it prints holds nothing of a conversation."""
    result = CliRunner().invoke(app, ["table", "check", "--table", TABLE, *arguments])
    assert CANARY not in result.output
    return result


def line_of_exit(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    """Run the command from its beginning, and return the line with which it ends in exit code 1."""
    monkeypatch.setattr("sys.argv", ["chatcensus", "table", "check", "--table", TABLE, *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, str)
    assert CANARY not in ended.value.code
    return ended.value.code


def preset(name: str) -> list[str]:
    return ["--mapping", str(INCLUDE / f"presets/{name}.yaml")]


def test_a_table_that_the_mapping_fits_is_ok(dynamodb):
    create_table(dynamodb, "id", "createdDate")
    for number in range(3):
        stamp = {"id": "chat#1", "createdDate": f"179082384567{number}#0"}
        put(dynamodb, **stamp, role="user", content=CANARY, userId="user#ann", llmType="")
    put(dynamodb, id="user#ann", createdDate="1790823845670", chatId="chat#1")

    result = run(*preset("generative-ai-use-cases"))

    assert result.output.splitlines()[1:] == [
        "key             id, createdDate; the mapping says id, createdDate",
        "partition       scan: every run reads the whole table",
        "items           4 read: 1 conversations, 1 items that are something else",
        "unreadable      none",
        "length          3 / 3 / 3 turns (fewest / median / most)",
        "roles           user 3; of other names 0",
        "partition_key   id: on 100% (text 1)",
        "sort_key        createdDate: on 100% (text 1)",
        "user            userId: on 100% (text 1)",
        "role            role: on 100% (text 1)",
        "text            content: on 100% (text 1)",
        "created_at      createdDate: on 100% (text 1)",
        "created         2026-10-01 to 2026-10-01; no time in 0; 0 in the future, which are skipped until then",
        "OK",
    ]
    assert result.exit_code == 0


def test_the_json_says_the_same(dynamodb):
    create_table(dynamodb, "conversation_id")
    put(dynamodb, conversation_id="c1", turns=CANARY)

    result = run(*preset("simple"), "--json")

    told = json.loads(result.stdout)
    assert set(told) == command_manual.keys("table check")
    assert told["is_ok"] is False
    assert told["changes"]
    assert any(line.startswith("unreadable") for line in told["lines"])
    assert result.exit_code == 1


def test_another_key_is_a_change_to_make_and_ends_the_look(dynamodb):
    create_table(dynamodb, "id", "createdDate")
    put(dynamodb, id=CANARY, createdDate="1", content=CANARY)

    result = run(*preset("simple"))

    assert result.output.splitlines()[-2:] == ["To change:", "  partition_key, sort_key: the table has id, createdDate"]
    assert result.exit_code == 1


def test_no_more_items_are_read_than_asked(dynamodb):
    create_table(dynamodb, "conversation_id")
    for number in range(7):
        put(dynamodb, conversation_id=f"{CANARY}{number}", turns="[]")

    assert "5 read: 5 conversations" in run(*preset("simple"), "--items", "5").output


def large_chat(dynamodb, path: str) -> None:
    create_table(dynamodb, "PK", "SK")
    put(
        dynamodb,
        PK="ann",
        SK="ann#CONV#1",
        MessageMap="{}",
        LastMessageId="a",
        LargeMessagePath=path,
        CreateTime="1790823845678",
    )


def test_a_large_conversation_is_fetched_from_s3(local_aws, dynamodb):
    large_chat(dynamodb, "there.json")
    message = {"parent": None, "role": "user", "content": [{"content_type": "text", "body": CANARY}]}
    s3 = local_aws.client("s3")
    s3.create_bucket(
        Bucket="name-of-the-large-message-bucket",
        CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"},
    )
    s3.put_object(Bucket="name-of-the-large-message-bucket", Key="there.json", Body=json.dumps({"a": message}))

    result = run(*preset("bedrock-chat"))

    assert "roles           user 1; of other names 0" in result.output
    assert result.output.endswith("OK\n")


@pytest.mark.parametrize("body", [None, b"\xff"], ids=["gone", "not UTF-8"])
def test_a_body_that_cannot_be_read_is_counted(local_aws, dynamodb, body: bytes | None):
    large_chat(dynamodb, "there.json")
    s3 = local_aws.client("s3")
    s3.create_bucket(
        Bucket="name-of-the-large-message-bucket",
        CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"},
    )
    if body:
        s3.put_object(Bucket="name-of-the-large-message-bucket", Key="there.json", Body=body)

    result = run(*preset("bedrock-chat"))

    assert "1 of 1 conversations cannot be read" in result.output
    assert result.exit_code == 1


def test_a_bucket_that_is_not_there_is_an_error_with_the_remedy(dynamodb, monkeypatch: pytest.MonkeyPatch):
    large_chat(dynamodb, "there.json")

    line = line_of_exit(monkeypatch, *preset("bedrock-chat"))

    assert line == "HeadBucket answered 404: check the names of table, model and bucket, and the access"


@pytest.mark.parametrize(
    ("projection", "said"),
    [("KEYS_ONLY", "OK"), ("ALL", "projects ALL"), (None, "does not exist")],
)
def test_the_index_of_the_strategy_is_looked_at(dynamodb, tmp_path: Path, projection: str | None, said: str):
    index = {"IndexName": "by-day", "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}]}
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "conversation_id", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"}
            for name in ("conversation_id", *(["day"] if projection else []))
        ],
        BillingMode="PAY_PER_REQUEST",
        **({"GlobalSecondaryIndexes": [{**index, "Projection": {"ProjectionType": projection}}]} if projection else {}),
    )
    mapping = tmp_path / "table.yaml"
    mapping.write_text(
        "partition_key: conversation_id\nturns: turns\nrole: role\ntext: content\n"
        "partition: {strategy: date-index, index: by-day, first_day: '2026-01-01'}\n"
    )

    result = run("--mapping", str(mapping))

    assert said in result.output.splitlines()[-1]
    assert result.exit_code == (said != "OK")


@pytest.mark.usefixtures("local_aws")
@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        pytest.param(
            str(INCLUDE / "table.yaml"),
            "DescribeTable answered ResourceNotFoundException: check the names",
            id="no table",
        ),
        pytest.param("no.yaml", "no.yaml: cannot be read (FileNotFoundError)", id="no mapping"),
    ],
)
def test_an_error_is_one_line_and_exit_code_1(monkeypatch: pytest.MonkeyPatch, mapping: str, said: str):
    assert said in line_of_exit(monkeypatch, "--mapping", mapping)


def test_without_a_region_it_says_so(monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "none")

    line = line_of_exit(monkeypatch, *preset("simple"))

    assert line.startswith("AWS cannot be asked (NoRegionError): no Region is set: set AWS_DEFAULT_REGION")
