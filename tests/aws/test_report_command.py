"""`chatcensus report`: the files of the published edition, and what it says when there is none."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from chatcensus.__main__ import app, main
from tests import command_manual
from tests.conftest import RESULT_BUCKET

EDITION = "01793500000000-a1b2c3d4-0a1b2c3d"
FILES = {
    "report.html": b"<!doctype html>",
    "report.json": b'{"edition": 1}',
    "summary.md": b"# Chat Census\n\n- Sales \x1b[2J\xe2\x80\xae: 12\n",
    "summary.ja.md": "# 集計\n".encode(),
}
CURRENT = {"edition": EDITION, "run_id": "run-1", "export_id": "e1", "totals": {"evaluated": 12}, "cost_micro_usd": 34}


@pytest.fixture
def s3(local_aws: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The result bucket; the commands run in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    s3 = local_aws.client("s3")
    s3.create_bucket(Bucket=RESULT_BUCKET, CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
    return s3


def publish(s3: Any, current: object = CURRENT, files: dict[str, bytes] | None = None) -> None:
    s3.put_object(Bucket=RESULT_BUCKET, Key="current.json", Body=json.dumps(current).encode())
    for name, body in (FILES if files is None else files).items():
        s3.put_object(Bucket=RESULT_BUCKET, Key=f"reports/edition={EDITION}/{name}", Body=body)


def run(*arguments: str) -> Any:
    ended = CliRunner().invoke(app, ["report", "--bucket", RESULT_BUCKET, *arguments])
    if ended.exception and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    assert ended.exit_code == 0, ended.output
    return ended


def line_of_exit(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    monkeypatch.setattr("sys.argv", ["chatcensus", "report", "--bucket", RESULT_BUCKET, *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, str)
    assert len(ended.value.code.splitlines()) == 1
    return ended.value.code


def test_the_page_is_written_and_its_summary_printed_without_control_characters(s3: Any):
    publish(s3)

    ended = run()

    assert Path("report.html").read_bytes() == FILES["report.html"]
    assert ended.stdout == "# Chat Census\n\n- Sales \\x1b[2J\\u202e: 12\n\n"
    assert ended.stderr == f"Edition {EDITION}: 15 bytes in report.html\n"


@pytest.mark.parametrize(
    ("arguments", "name", "body", "said"),
    [
        (["--output", "figures.json"], "figures.json", FILES["report.json"], "# Chat Census"),
        (["--output", "told.md"], "told.md", FILES["summary.md"], "# Chat Census"),
        (["--output", "told.md", "--lang", "ja"], "told.md", FILES["summary.ja.md"], "# 集計"),
        (["--lang", "ja"], "report.html", FILES["report.html"], "# 集計"),
    ],
)
def test_the_suffix_chooses_the_file_and_lang_the_summary(
    s3: Any, arguments: list[str], name: str, body: bytes, said: str
):
    publish(s3)

    assert run(*arguments).stdout.startswith(said)
    assert Path(name).read_bytes() == body


def test_the_json_says_what_was_published_and_where_it_lies(s3: Any):
    publish(s3)

    told = json.loads(run("--json", "--lang", "ja").stdout)

    assert set(told) == command_manual.keys("report")
    assert told == {**CURRENT, "export_time": None, "file": "report.html", "summary": "# 集計\n"}


def test_an_older_file_is_replaced_and_no_part_of_one_stays(s3: Any):
    publish(s3)
    Path("report.html").write_text("old and longer than the new one")

    run()

    assert Path("report.html").read_bytes() == FILES["report.html"]
    assert [path.name for path in Path().iterdir()] == ["report.html"]


@pytest.mark.usefixtures("s3")
def test_before_the_first_edition_it_says_so_and_writes_nothing(monkeypatch: pytest.MonkeyPatch):
    assert line_of_exit(monkeypatch).startswith(f"no edition is published in '{RESULT_BUCKET}': run the DAG")
    assert not Path("report.html").exists()


@pytest.mark.parametrize("current", [[], {}, {"edition": 7}, {"edition": "../../../etc"}, "text"])
def test_what_is_no_edition_of_ours_is_refused(s3: Any, monkeypatch: pytest.MonkeyPatch, current: object):
    publish(s3, current)

    assert "current.json names no edition of ours" in line_of_exit(monkeypatch)


def test_a_report_that_was_deleted_is_named(s3: Any, monkeypatch: pytest.MonkeyPatch):
    publish(s3, files={"summary.md": b"# Chat Census"})

    assert f"edition '{EDITION}' has no report.html" in line_of_exit(monkeypatch)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("report.pdf", "--output is 'report.pdf': its name must end in .html, .json, .md"),
        ("nowhere/report.html", "--output is 'nowhere/report.html', which cannot be written: No such file"),
        (".", "--output is '.': its name must end in"),
    ],
)
def test_a_file_that_cannot_be_written_is_one_line(s3: Any, monkeypatch: pytest.MonkeyPatch, output: str, said: str):
    publish(s3)

    assert said in line_of_exit(monkeypatch, "--output", output)


@pytest.mark.usefixtures("local_aws")
def test_a_bucket_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch):
    assert "GetObject answered NoSuchBucket: there is no such bucket" in line_of_exit(monkeypatch)
