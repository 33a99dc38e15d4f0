"""The doctor without AWS: what it says of files, prices, versions and quotas, and how it says it."""

import re
from datetime import date
from pathlib import Path

import pytest

from chatcensus.doctor import (
    CHECKS,
    VERSIONS,
    Finding,
    Names,
    as_dicts,
    check_versions,
    fail,
    in_order,
    is_ill,
    lines,
    ok,
    read_files,
    warn,
)
from chatcensus.include import read_yaml
from chatcensus.model_catalog import ModelCatalog
from chatcensus.throughput import Load, QuotaLine, check_quota
from tests.fakes import INCLUDE

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 11, 30)
HAIKU = "jp.anthropic.claude-haiku-5-5"
FILE_CHECKS = {"mapping", "taxonomy", "prompt", "models", "prices", "summaries", "model-price"}


def copied(folder: Path) -> Path:
    """Return a copy of `include/` that a test may spoil."""
    for path in INCLUDE.rglob("*"):
        if path.is_file():
            (folder / path.relative_to(INCLUDE)).parent.mkdir(parents=True, exist_ok=True)
            (folder / path.relative_to(INCLUDE)).write_bytes(path.read_bytes())
    return folder


def found_in(include: Path, model: str = HAIKU, today: date = TODAY) -> dict[str, Finding]:
    _, findings = read_files(include, model, today)
    return {finding.check: finding for finding in findings}


# How it is told


def test_findings_are_told_in_one_order_each_once_with_the_remedy_below():
    findings = in_order([fail("table", "absent", "make it"), ok("settings", "all"), ok("settings", "all")])

    assert list(lines(findings)) == [
        "OK    settings  all",
        "FAIL  table     absent",
        "                fix: make it",
        "1 OK, 0 WARN, 1 FAIL",
    ]


def test_the_keys_of_a_finding_are_these():
    (told,) = as_dicts([warn("quota", "small", "ask for more")])

    assert told == {"check": "quota", "level": "WARN", "found": "small", "remedy": "ask for more"}


def test_a_warning_makes_nobody_ill():
    assert not is_ill([ok("table", ""), warn("quota", "", "")])
    assert is_ill([warn("quota", "", ""), fail("table", "", "")])


def test_a_name_that_is_not_set_is_told_with_the_variable_and_the_option():
    finding = Names(table="t", snapshot_bucket="s", result_bucket="r", database="d", workgroup="w", model="m").check()

    assert finding.level == "FAIL"
    assert finding.found == "not set: chatcensus_control_table"
    assert "AIRFLOW_VAR_CHATCENSUS_CONTROL_TABLE" in finding.remedy
    assert "--control-table" in finding.remedy


# The document


def test_every_check_is_in_the_document_in_the_order_of_the_findings():
    table = (ROOT / "docs/doctor.md").read_text().partition("## Every check")[2].partition("\n## ")[0]

    assert re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE) == list(CHECKS)


def test_every_check_that_the_code_tells_is_in_the_list_and_every_one_of_the_list_is_told():
    names = [*(ROOT / "plugins/chatcensus/aws").glob("doctor_*.py"), ROOT / "plugins/chatcensus/aws/probing.py"]
    names += [ROOT / f"plugins/chatcensus/{name}.py" for name in ("doctor", "throughput", "operators/doctor")]
    code = "\n".join(path.read_text() for path in names)
    told = set(re.findall(r"\b(?:ok|warn|fail|Probe|_absent|read)\(\s*\"([a-z-]+)\"", code))
    buckets = {"snapshot-bucket", "result-bucket"}  # told by a name and a suffix

    assert told | {check for check in CHECKS if check.startswith(tuple(buckets))} == set(CHECKS)


# Files


def test_the_files_of_this_repository_are_well():
    found = found_in(INCLUDE)

    assert found.keys() == FILE_CHECKS
    assert {finding.level for finding in found.values()} == {"OK"}


@pytest.mark.parametrize(
    ("check", "name"),
    [
        ("mapping", "table.yaml"),
        ("taxonomy", "prompts/taxonomy.yaml"),
        ("models", "prompts/models.yaml"),
        ("prices", "prices.yaml"),
        ("summaries", "sql/summaries.yaml"),
    ],
)
@pytest.mark.parametrize("content", [b"nonsense: [", b"nonsense: 1", b"\xff\xfe", None])
def test_a_file_that_cannot_be_used_is_told_with_its_name(tmp_path, check, name, content):
    include = copied(tmp_path)
    (include / name).unlink()
    if content is not None:
        (include / name).write_bytes(content)

    finding = found_in(include)[check]

    assert finding.level == "FAIL"
    assert name in finding.found
    assert name in finding.remedy


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{{ nobody.knows }}", "classify.md cannot be rendered: 'nobody' is undefined"),
        (b"{% for %}", "classify.md cannot be rendered: "),
        (b"\xff", "classify.md cannot be read (UnicodeDecodeError)"),
        (None, "classify.md cannot be rendered: "),
    ],
)
def test_a_prompt_that_cannot_be_rendered_is_told(tmp_path, content, said):
    include = copied(tmp_path)
    (include / "prompts/classify.md").unlink()
    if content:
        (include / "prompts/classify.md").write_bytes(content)

    finding = found_in(include)["prompt"]

    assert finding.level == "FAIL"
    assert said in finding.found


def test_where_there_is_no_folder_at_all_every_file_is_told(tmp_path):
    found = found_in(tmp_path / "nowhere")

    assert {finding.level for finding in found.values()} == {"FAIL"}
    assert {finding.remedy for finding in found.values()} == {
        "run it where include/ is, or name that folder with --include"
    }


def test_a_model_that_is_not_in_the_catalog_is_told_with_those_that_are():
    finding = found_in(INCLUDE, "anthropic.claude-3-haiku")["model-price"]

    assert finding.level == "FAIL"
    assert HAIKU in finding.found


@pytest.mark.parametrize(("today", "level"), [(date(2027, 5, 11), "OK"), (date(2027, 5, 12), "WARN")])
def test_a_price_that_was_read_half_a_year_ago_should_be_read_again(today, level):
    assert found_in(INCLUDE, HAIKU, today)["model-price"].level == level


def test_before_its_first_price_a_model_cannot_be_used():
    assert found_in(INCLUDE, HAIKU, date(2026, 10, 6))["model-price"].level == "FAIL"


# Versions


def test_the_tested_versions_are_the_pinned_ones():
    pinned = dict(re.findall(r"^([\w-]+)(?:\[\w+\])?==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE))

    assert {name: tested for name, (tested, _, _) in VERSIONS.items()} == {name: pinned[name] for name in VERSIONS}


def test_the_pinned_versions_are_well():
    finding = check_versions({name: tested for name, (tested, _, _) in VERSIONS.items()}, (3, 12, 13))

    assert finding.level == "OK"
    assert "Python 3.12.13" in finding.found


@pytest.mark.parametrize("name", VERSIONS)
def test_an_older_package_fails_and_one_that_nobody_has_tried_warns(name):
    tested, _, untried = VERSIONS[name]

    old, new = check_versions({name: "0.9"}, (3, 12)), check_versions({name: f"{untried}.1"}, (3, 12))

    assert (old.level, new.level) == ("FAIL", "WARN")
    assert f"{name}=={tested}" in old.remedy
    assert f"{name}=={tested}" in new.remedy


def test_without_airflow_the_command_looks_at_the_rest():
    assert check_versions({"boto3": "1.43.56"}, (3, 11)).level == "OK"
    assert check_versions({}, (3, 10)).level == "FAIL"


# Quotas

TOKENS = "Cross-region model inference tokens per minute for Anthropic Claude Haiku 5.5"
REQUESTS = "Cross-region model inference requests per minute for Anthropic Claude Haiku 5.5"
ONE = Load(2000, is_measured=True)


def quota(*given: QuotaLine, kind: str = "cross-region") -> Finding:
    return check_quota(given, kind, "Anthropic Claude Haiku 5.5", ONE)


def test_a_quota_is_told_in_conversations_an_hour():
    finding = quota(QuotaLine(TOKENS, 2_000_000))

    assert finding.level == "OK"
    assert "2,000,000 tokens a minute" in finding.found
    assert "about 48,000 conversations an hour" in finding.found


def test_the_smaller_of_two_quotas_decides():
    assert "about 48,000 " in quota(QuotaLine(TOKENS, 2_000_000), QuotaLine(REQUESTS, 1000)).found
    assert "about 24,000 " in quota(QuotaLine(TOKENS, 2_000_000), QuotaLine(REQUESTS, 500)).found


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [(TOKENS, 1_999_999, "tokens_per_minute to 1599999"), (REQUESTS, 999, "requests_per_minute to 799")],
)
def test_params_that_take_more_than_four_fifths_of_the_quota_are_told_with_what_to_set(name, value, remedy):
    finding = quota(QuotaLine(name, value))

    assert finding.level == "WARN"
    assert remedy in finding.remedy


def test_a_quota_of_nothing_fails():
    assert quota(QuotaLine(TOKENS, 0.0)).level == "FAIL"


@pytest.mark.parametrize(
    "name",
    [
        f"Global {TOKENS[0].lower()}{TOKENS[1:]}",
        TOKENS.replace("Cross-region", "On-demand"),
        TOKENS.replace("5.5", "4.5"),
        TOKENS.replace("minute", "day"),
        f"{TOKENS}.1",
    ],
)
def test_the_quota_of_another_model_or_way_is_not_taken_for_it(name):
    finding = quota(QuotaLine(name, 10.0))

    assert finding.level == "WARN"
    assert "names no quota" in finding.found


@pytest.mark.parametrize(
    "name",
    [TOKENS.upper(), f"{TOKENS} V1", f"{TOKENS} (1M Context Length)", TOKENS.replace("model inference", "InvokeModel")],
)
def test_a_name_may_be_written_as_aws_writes_them(name):
    assert "names no quota" not in quota(QuotaLine(name, 10.0)).found


def test_a_conversation_takes_of_the_quota_what_plan_reckons():
    model = read_yaml(INCLUDE / "prompts/models.yaml", ModelCatalog).model(HAIKU)

    assert Load.of(3000, "word" * 500, model) == Load(1000 + 500 + 5 * 40, is_measured=True)
    assert Load.of(None, "word" * 500, model) == Load(1500 + 500 + 5 * 40, is_measured=False)
    assert Load.of(None, None, None) == Load(1500 + 40, is_measured=False)
