"""The dashboard in a real Airflow web server: who may read it, what it says of itself, and what it never gives away."""

import gzip
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import jwt
import pytest

from chatcensus.aws.ledger import Ledger
from chatcensus.aws.trials import TrialFiles
from chatcensus.dashboard.headers import FOR_EVER, HEADERS
from chatcensus.dashboard.page import static_files
from demo.airflow_home import VARIABLES
from tests.conftest import RESULT_BUCKET, LocalAwsForTests
from tests.security.aws_gate import CANARY, AwsGate
from tests.security.people import ANOTHER_DAG, STRANGER
from tests.security.web import Answer, Web

HOME = "/chatcensus"
REPORT = f"{HOME}/report.json"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
DOCUMENTS = ("/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect")
WATCHED = 64  # runs that the web server keeps at once
TRIAL = "manual-2026-12-01-0a1b2c3d"
RUN_ID = "manual__2026-11-30T03:00:00.000001+00:00"
CONTENT = {"edition": "01-a", "tables": {"category_counts": {"columns": ["category"], "rows": [["<b>"]]}}}


def publish(aws: LocalAwsForTests, edition: str = "01-a", **content: Any) -> bytes:
    """Put an edition as `publish` does, and return the bytes of its report."""
    body = json.dumps(CONTENT | {"edition": edition} | content).encode()
    s3 = aws.client("s3")
    s3.put_object(Bucket=RESULT_BUCKET, Key=f"reports/edition={edition}/report.json", Body=body)
    s3.put_object(Bucket=RESULT_BUCKET, Key="current.json", Body=json.dumps({"edition": edition}).encode())
    return body


def try_models(aws: LocalAwsForTests) -> None:
    """Publish a trial as `compare` does."""
    report = {"trial": TRIAL, "made_at": "", "taxonomy_version": "", "conversations": 0, "contenders": []}
    TrialFiles(aws.client("s3"), RESULT_BUCKET, TRIAL).publish(report, {"trial": TRIAL})


def ledger(aws: LocalAwsForTests, run_id: str = RUN_ID, dag_id: str = "chat_census") -> Ledger:
    return Ledger(aws.client("dynamodb"), VARIABLES["chatcensus_control_table"], f"{dag_id}/{run_id}")


def asked(*run_ids: str) -> str:
    return "&".join(f"run_id={quote(run_id, safe='')}" for run_id in run_ids)


def paths(web: Web) -> list[str]:
    """Every route as a path that has something to give to who may have it."""
    filled = [path.replace("{name}", "elements.js") for path in web.routes]
    asked_for = {"run": f"?{asked(RUN_ID)}", "trial.json": f"?trial={TRIAL}"}
    return [path + next((query for part, query in asked_for.items() if part in path), "") for path in filled]


def published(aws: LocalAwsForTests) -> None:
    publish(aws)
    ledger(aws).record(spent_micro_usd=12)
    try_models(aws)


# Who may read


def test_there_are_the_routes_that_we_know_and_nothing_is_mounted(web: Web):
    assert sorted(web.routes) == [
        f"{HOME}{path}"
        for path in (
            *("/", "/report.json", "/run", "/run.json", "/runs.json", "/static/{name}"),
            *("/trial.json", "/trials", "/trials.json"),
        )
    ]


@pytest.mark.parametrize("method", METHODS)
def test_without_a_login_no_route_answers(web: Web, aws: LocalAwsForTests, method: str):
    published(aws)

    answers = {path: web.ask(method, path) for path in paths(web)}

    refused = {401} if method == "GET" else {401, 403, 404, 405}
    assert answers
    assert {path: answer.status for path, answer in answers.items() if answer.status not in refused} == {}
    assert all(len(answer.body) < 60 for answer in answers.values())


@pytest.mark.parametrize("path", [*DOCUMENTS, "/static", "/static/", "/nothing", "//", "/run/", "/report.json/"])
def test_what_is_no_route_is_not_there_with_or_without_a_login(web: Web, path: str):
    for reader in (None, "admin"):
        answer = web.get(HOME + path, reader)

        assert answer.status == 404
        assert "location" not in answer.headers


def test_a_token_that_is_not_airflows_opens_nothing(web: Web, aws: LocalAwsForTests):
    published(aws)
    claims = jwt.decode(web.tokens["admin"], options={"verify_signature": False})
    unsigned = jwt.encode(claims, "", algorithm="none")
    of_another = jwt.encode(claims, "x" * 64, algorithm="HS512")
    expired = jwt.encode(claims | {"exp": 1}, "x" * 64, algorithm="HS512")
    cut = web.tokens["admin"][:-4]

    for token in ("x", "", unsigned, of_another, expired, cut):
        for path in paths(web):
            for headers in ({"Authorization": f"Bearer {token}"}, {"Cookie": f"_token={token}"}):
                assert web.get(path, **headers).status in (401, 403), (path, headers)
    assert web.get(REPORT, Authorization="Basic YWRtaW46YWRtaW4=").status in (401, 403)


@pytest.mark.parametrize("reader", ["nobody", STRANGER])
def test_a_login_without_the_right_to_read_the_dag_opens_nothing(web: Web, aws: LocalAwsForTests, reader: str):
    published(aws)

    assert {path: web.get(path, reader).status for path in paths(web)} == dict.fromkeys(paths(web), 403)
    # Not by naming a DAG that one may read: whose runs they are comes from us, never from the request.
    named = [f"{path}{'&' if '?' in path else '?'}dag_id={ANOTHER_DAG}" for path in paths(web)]
    assert {path: web.get(path, reader).status for path in named} == dict.fromkeys(named, 403)


@pytest.mark.parametrize("reader", ["viewer", "admin"])
def test_who_may_read_the_dag_may_read_every_route(web: Web, aws: LocalAwsForTests, reader: str):
    published(aws)

    assert {path: web.get(path, reader).status for path in paths(web)} == dict.fromkeys(paths(web), 200)


def test_the_cookie_of_the_login_is_enough(web: Web, aws: LocalAwsForTests):
    body = publish(aws)

    answer = web.get(REPORT, Cookie=f"_token={web.tokens['viewer']}")

    assert (answer.status, answer.body) == (200, body)


@pytest.mark.parametrize("method", [method for method in METHODS if method != "GET"])
def test_nothing_but_get_is_answered_to_anybody(web: Web, aws: LocalAwsForTests, method: str):
    published(aws)

    assert {web.ask(method, path, "admin").status for path in paths(web)} == {405}


# What every answer says


def test_every_answer_has_the_headers(web: Web, aws: LocalAwsForTests, gate: AwsGate):
    etag = {"If-None-Match": _etag(web, aws)}
    ledger(aws).record(spent_micro_usd=12)
    answers = [web.get(path, "viewer") for path in paths(web)]
    answers += [web.get(REPORT, "viewer", **etag), web.get(REPORT), web.get(REPORT, "nobody")]
    answers += [web.get(f"{HOME}/nothing", "viewer"), web.get(f"{HOME}/run.json?run_id=x", "viewer")]
    answers += [web.ask("POST", REPORT, "viewer"), web.get(f"{HOME}/run.json", "viewer")]
    gate.deny()
    answers += [web.get(REPORT, "viewer")]
    gate.pass_on()
    aws.client("s3").put_object(Bucket=RESULT_BUCKET, Key="current.json", Body=b"no JSON")
    answers += [web.get(REPORT, "viewer")]

    assert {answer.status for answer in answers} == {200, 304, 401, 403, 404, 405, 422, 500, 503}
    for answer in answers:
        assert {name: answer.headers.get(name.lower()) for name in HEADERS} == HEADERS, answer.status
    policy = HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert "http" not in policy


def test_a_file_may_be_kept_only_when_it_is_asked_for_by_the_version_of_its_bytes(web: Web):
    file = static_files()["elements.js"]

    versioned = web.get(f"{HOME}/static/elements.js?v={file.version}", "viewer")
    plain = web.get(f"{HOME}/static/elements.js", "viewer")
    old = web.get(f"{HOME}/static/elements.js?v=000000000000", "viewer")

    assert versioned.body == plain.body == old.body == file.body
    assert versioned.headers["cache-control"] == FOR_EVER
    assert plain.headers["cache-control"] == old.headers["cache-control"] == "no-store"


def test_every_file_that_the_pages_name_is_served_with_its_type_and_compressed_once(web: Web):
    for name, file in static_files().items():
        answer = web.get(f"{HOME}/static/{name}", "viewer", Accept_Encoding="gzip")

        assert answer.headers["content-type"] == file.content_type
        assert answer.headers["content-encoding"] == "gzip"
        assert gzip.decompress(answer.body) == file.body


@pytest.mark.parametrize(
    "name",
    [
        "../app.py",
        "..%2fapp.py",
        "%2e%2e%2fapp.py",
        "..%5capp.py",
        "..%252fapp.py",
        "....//app.py",
        "%2fetc%2fpasswd",
        "//etc/passwd",
        "elements.js%00",
        "elements.js%00.css",
        "elements.js/",
        "./elements.js",
        "ELEMENTS.JS",
        "__init__.py",
        ".",
        "..",
        "%ff",
        "a" * 5000,
        "<script>",
    ],
)
def test_no_name_leads_out_of_the_table_of_files(web: Web, name: str):
    answer = web.get(f"{HOME}/static/{name.replace('<', '%3C').replace('>', '%3E')}", "admin")

    assert answer.status == 404
    assert "script" not in answer.text
    assert "root:" not in answer.text


# The pages


@pytest.mark.parametrize("page", ["/", "/run"])
@pytest.mark.parametrize(
    ("query", "header", "language"),
    [
        pytest.param("", "", "en", id="neither"),
        pytest.param("", "ja,en;q=0.8", "ja", id="of the browser"),
        pytest.param("?lang=en", "ja", "en", id="asked for"),
        pytest.param("?lang=%3Cscript%3E", "ja", "ja", id="asked for nonsense"),
    ],
)
def test_a_page_opens_in_the_language_of_its_reader(web: Web, page: str, query: str, header: str, language: str):
    answer = web.get(f"{HOME}{page}{query}", "viewer", Accept_Language=header)

    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert f'<html lang="{language}"' in answer.text
    assert "%3Cscript%3E" not in answer.text


def test_a_page_holds_no_data_and_names_nothing_of_another_host(web: Web, aws: LocalAwsForTests):
    publish(aws, canary="data-of-the-report")

    for page in ("/", "/run"):
        text = web.get(f"{HOME}{page}", "viewer").text

        assert "data-of-the-report" not in text
        assert 'src="http' not in text
        assert 'href="http' not in text
        assert 'href="/' not in text  # Airflow may live below a path


@pytest.mark.parametrize("page", ["/", "/run"])
def test_the_tab_of_another_dag_has_nothing_to_show(web: Web, page: str):
    tab = f"{HOME}{page}?dag_id=%3Cb%3E&run_id=x"
    answers = [web.get(tab, "viewer", Accept_Language=language) for language in ("en", "ja")]

    assert {answer.status for answer in answers} == {404}
    assert {answer.headers["content-type"] for answer in answers} == {"text/plain; charset=utf-8"}
    assert "there is nothing to see here" in answers[0].text
    assert "表示するものがありません" in answers[1].text
    assert "<b>" not in answers[0].text
    assert web.get(f"{HOME}{page}?dag_id=chat_census", "viewer").status == 200


# The report


@pytest.mark.usefixtures("aws")
def test_before_the_first_edition_the_report_is_kindly_not_there(web: Web, gate: AwsGate):
    answer = web.get(REPORT, "viewer")

    assert answer.status == 404
    assert answer.json["detail"].startswith("Nothing is published yet")
    assert gate.seen == [f"GET /{RESULT_BUCKET}/current.json 404"]


def test_the_report_is_passed_on_as_it_was_published(web: Web, aws: LocalAwsForTests):
    body = publish(aws, label="<script>alert(1)</script>")

    plain, compressed = web.get(REPORT, "viewer"), web.get(REPORT, "viewer", Accept_Encoding="gzip")

    assert plain.body == body
    assert plain.headers["content-type"] == compressed.headers["content-type"] == "application/json"
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(compressed.body) == body


def _etag(web: Web, aws: LocalAwsForTests) -> str:
    publish(aws)
    return web.get(REPORT, "viewer").headers["etag"]


def test_who_has_the_report_does_not_get_it_again_until_it_changes(web: Web, aws: LocalAwsForTests):
    etag = _etag(web, aws)

    again = web.get(REPORT, "viewer", If_None_Match=etag)
    body = publish(aws, "02-b")
    changed = web.get(REPORT, "viewer", If_None_Match=etag)

    assert (again.status, again.body, again.headers["etag"]) == (304, b"", etag)
    assert (changed.status, changed.body) == (200, body)
    assert changed.headers["etag"] != etag


def test_s3_sends_a_report_once(web: Web, aws: LocalAwsForTests, gate: AwsGate):
    publish(aws, "03-c")
    for _ in range(3):
        web.get(REPORT, "viewer")

    current, report = (f"GET /{RESULT_BUCKET}/{key}" for key in ("current.json", "reports/edition%3D03-c/report.json"))
    sent = [f"{current} 200", f"{report} 200"]
    assert gate.seen == sent + 2 * [f"{current} 304", f"{report} 304"]


def test_a_pointer_to_what_is_no_edition_of_ours_leads_nowhere(web: Web, aws: LocalAwsForTests, gate: AwsGate):
    s3 = aws.client("s3")
    s3.put_object(Bucket=RESULT_BUCKET, Key="secret/report.json", Body=b"{}")
    for edition in ("../../secret", "x/../../secret", "", 7, None, "a" * 300, "no-such-edition"):
        s3.put_object(Bucket=RESULT_BUCKET, Key="current.json", Body=json.dumps({"edition": edition}).encode())

        assert web.get(REPORT, "viewer").status == 503
    assert not [line for line in gate.seen if "secret" in line]


@pytest.mark.parametrize("fault", ["refuse", "deny"])
def test_when_aws_is_away_the_reader_is_told_that_and_no_more(
    web: Web, aws: LocalAwsForTests, gate: AwsGate, fault: str
):
    published(aws)
    before = len(web.log)
    getattr(gate, fault)()

    answers = [web.get(path, "viewer") for path in paths(web) if ".json" in path]

    assert {answer.status for answer in answers} == {503}
    assert {answer.text for answer in answers} == {answers[0].text}
    assert CANARY not in answers[0].text
    said = web.log[before:]
    assert CANARY not in said
    assert ("AccessDenied" if fault == "deny" else "ConnectionClosedError") in said
    gate.pass_on()
    assert {web.get(path, "viewer").status for path in paths(web)} == {200}


def test_a_fault_of_ours_shows_nothing_of_itself(web: Web, aws: LocalAwsForTests):
    aws.client("s3").put_object(Bucket=RESULT_BUCKET, Key="current.json", Body=b"canary-of-the-file")

    answer = web.get(REPORT, "viewer")

    assert answer.status == 500
    assert answer.json == {"detail": "The dashboard failed. The log of Airflow's web server says why."}


def test_a_slow_aws_delays_nobody_else_and_is_asked_once_for_all(web: Web, aws: LocalAwsForTests, gate: AwsGate):
    body = publish(aws, "04-d")
    gate.hold()
    with ThreadPoolExecutor(60) as readers:
        try:
            waiting = [readers.submit(web.get, REPORT, "viewer") for _ in range(60)]
            _until(lambda: len(gate.held) > 0)

            # More than the 40 threads of the web server wait; Airflow and the pages answer all the same.
            others = [web.get(path, "viewer") for path in (f"{HOME}/", f"{HOME}/run", f"{HOME}/static/elements.js")]
            airflow = web.get("/api/v2/dags", "viewer")

            assert {answer.status for answer in [*others, airflow]} == {200}
            assert not any(answer.done() for answer in waiting)
            assert len(gate.held) == 1
        finally:
            gate.pass_on()
        assert {answer.result().body for answer in waiting} == {body}


def test_a_slow_aws_makes_no_queue_that_grows_with_what_is_asked(web: Web, gate: AwsGate):
    gate.hold()
    with ThreadPoolExecutor(WATCHED + 1) as readers:
        try:
            asked_for = [
                readers.submit(web.get, f"{HOME}/run.json?run_id=run-{n}", "viewer") for n in range(WATCHED + 1)
            ]
            _until(lambda: any(answer.done() for answer in asked_for))
        finally:
            gate.pass_on()
        assert sorted(answer.result().status for answer in asked_for) == WATCHED * [404] + [503]


def _until(is_so: Any) -> None:
    tick = threading.Event()
    for _ in range(600):
        if is_so():
            return
        tick.wait(0.05)
    raise AssertionError("it did not happen in 30 s")


# Runs


def test_a_run_is_told_with_its_segments_and_whole_numbers(web: Web, aws: LocalAwsForTests):
    run = ledger(aws)
    plan = {"segments": 2, "model": "<b>", "requests_per_minute": Decimal("0.5")}
    run.record(planned=plan, spent_micro_usd=1_234_567, tally={"outcomes": {"evaluated": 7}})
    run.tell_segment(0, {"map_index": 0, "name": "segment 1/2", "is_done": True, "tally": {"read": 5}})
    run.tell_segment(1, {"map_index": 1, "name": "segment 2/2", "is_done": False, "tally": {"read": 2}})

    answer = web.get(f"{HOME}/run.json?{asked(RUN_ID)}", "viewer")

    assert answer.headers["content-type"] == "application/json"
    assert answer.json == {
        "run": {
            "planned": plan | {"requests_per_minute": 0.5},
            "spent_micro_usd": 1_234_567,
            "tally": {"outcomes": {"evaluated": 7}},
        },
        "segments": [
            {"map_index": 0, "name": "segment 1/2", "is_done": True, "tally": {"read": 5}},
            {"map_index": 1, "name": "segment 2/2", "is_done": False, "tally": {"read": 2}},
        ],
    }
    assert '"spent_micro_usd":1234567,' in answer.text  # 1234567.0 would be equal


def test_what_nobody_needs_to_see_stays_in_the_ledger(web: Web, aws: LocalAwsForTests):
    secret = "arn:aws:dynamodb:ap-northeast-1:123456789012:table/chat/export/01"
    run = ledger(aws)
    run.record(spent_micro_usd=1, export={"arn": secret}, snapshot={"table": secret}, conversation=secret)
    run.record(planned={"segments": 1, "table": secret})
    run.tell_segment(0, {"name": "segment 1/1", "conversation_id": secret})

    answers = [web.get(f"{HOME}/{path}?{asked(RUN_ID)}", "viewer") for path in ("run.json", "runs.json")]

    assert [answer.status for answer in answers] == [200, 200]
    assert not [answer for answer in answers if "arn:" in answer.text]
    assert answers[1].json == {RUN_ID: {"spent_micro_usd": 1, "planned": {"segments": 1}}}


def test_many_runs_are_told_at_once_and_who_is_unknown_is_left_out(web: Web, aws: LocalAwsForTests):
    for number in range(50):
        ledger(aws, f"run+{number}").record(spent_micro_usd=number)

    told = web.get(f"{HOME}/runs.json?{asked(*(f'run+{number}' for number in range(1, 50)), 'unknown')}", "viewer").json

    assert told == {f"run+{number}": {"spent_micro_usd": number} for number in range(1, 50)}


def test_a_run_of_another_dag_is_not_there(web: Web, aws: LocalAwsForTests):
    ledger(aws, "x", dag_id="another").record(spent_micro_usd=1)
    aws.client("dynamodb").put_item(
        TableName=VARIABLES["chatcensus_control_table"], Item={"pk": {"S": "quarantine"}, "sk": {"S": "run"}}
    )

    for run_id in ("x", "another/x", "../another/x", "run#another/x", "quarantine"):
        assert web.get(f"{HOME}/run.json?{asked(run_id)}", "viewer").status == 404
        assert web.get(f"{HOME}/run.json?{asked(run_id)}&dag_id=another", "viewer").status == 404
        assert web.get(f"{HOME}/runs.json?{asked(run_id)}", "viewer").json == {}


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    "run_id",
    [
        "<script>alert(1)</script>",
        "' OR 1=1 --",
        ":pk",
        "run#chat_census/x",
        "%00",
        "\x00",
        "\r\nSet-Cookie: a=b",
        "{{7*7}}",
        "日本語",
        "*",
        "a" * 250,
        "\U0001f600" * 250,
    ],
)
def test_a_hostile_run_id_is_a_key_that_is_not_there(web: Web, run_id: str):
    one = web.get(f"{HOME}/run.json?{asked(run_id)}", "viewer")
    many = web.get(f"{HOME}/runs.json?{asked(run_id)}", "viewer")

    assert one.status == 404
    assert one.json == {"detail": "The ledger knows no such run of chat_census."}
    assert "set-cookie" not in one.headers
    assert (many.status, many.json) == (200, {})


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("run.json", id="none"),
        pytest.param("run.json?run_id=", id="empty"),
        pytest.param("run.json?run_id=<b>" + "a" * 250, id="too long"),
        pytest.param("runs.json", id="none of many"),
        pytest.param("runs.json?run_id=x&run_id=", id="one of many empty"),
        pytest.param("runs.json?" + "&".join(f"run_id=<b>{n}" for n in range(51)), id="too many"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused_without_being_repeated(web: Web, query: str):
    answer: Answer = web.get(f"{HOME}/{query}", "viewer")

    assert answer.status == 422
    assert answer.json == {"detail": "This is missing, too long or too many: run_id"}
