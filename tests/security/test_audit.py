"""`make audit`: pip-audit itself, asking a stand-in for osv.dev that knows one fault of one package."""

import json
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deploy.audit import ROOT, accepted_ids, audit

TODAY = date(2026, 11, 30)
FAULT = {
    "id": "CVE-2026-00001",
    "modified": "2026-11-01T00:00:00Z",
    "published": "2026-11-01T00:00:00Z",
    "summary": "made up",
    "affected": [{"package": {"name": "jinja2", "ecosystem": "PyPI"}, "versions": ["3.1.2"], "ranges": []}],
}


class _Osv(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        is_bad = (asked["package"]["name"], asked["version"]) == ("jinja2", "3.1.2")
        body = json.dumps({"vulns": [FAULT]} if is_bad else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def osv() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Osv)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/query"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("pin", "ids", "code"),
    [
        pytest.param("jinja2==3.1.6", [], 0, id="no fault is known"),
        pytest.param("jinja2==3.1.2", [], 1, id="a fault is known"),
        pytest.param("jinja2==3.1.2", ["CVE-2026-00001"], 0, id="the fault is accepted"),
    ],
)
def test_a_known_fault_fails_unless_it_is_accepted(
    osv: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], pin: str, ids: list[str], code: int
) -> None:
    (tmp_path / "pins.txt").write_text(f"{pin}\nidna==3.11\n")

    assert audit([tmp_path / "pins.txt"], ids, osv) == code

    assert ("CVE-2026-00001" in capfd.readouterr().out) == (code == 1)


def test_a_service_that_cannot_be_asked_is_no_good_news(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pins.txt").write_text("jinja2==3.1.6\n")

    assert audit([tmp_path / "pins.txt"], [], "http://127.0.0.1:1/v1/query") == 1

    assert "Nothing was audited" in capfd.readouterr().err


def test_what_is_accepted_here_has_a_reason_and_a_day() -> None:
    accepted_ids((ROOT / "deploy/audit.toml").read_text(encoding="utf-8"), TODAY)


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ('reason = "not called"\nuntil = 2026-11-29', "CVE-1 was accepted until 2026-11-29: update the package"),
        ('reason = " "\nuntil = 2027-01-01', "CVE-1 needs a reason"),
        ('reason = "not called"', "CVE-1 needs a reason, why it may stay, and until: a day"),
        ('reason = "not called"\nuntil = "2027-01-01"', "until: a day"),
        ('reason = "not called"\nuntil = 2027-01-01T00:00:00Z', "until: a day"),
    ],
)
def test_an_entry_without_a_reason_or_a_day_to_come_is_refused(entry: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        accepted_ids(f'[[accepted]]\nid = "CVE-1"\n{entry}', TODAY)


def test_an_entry_without_an_id_is_refused() -> None:
    with pytest.raises(ValueError, match="an entry needs an id"):
        accepted_ids('[[accepted]]\nreason = "not called"\nuntil = 2027-01-01', TODAY)
