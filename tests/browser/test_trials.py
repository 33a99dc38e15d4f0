"""The page of trials, under the policy of the dashboard, over files as `compare` writes them."""

import json
import random
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from chatcensus.dashboard.headers import HEADERS
from chatcensus.dashboard.page import page_html, static_files
from chatcensus.trial import Answer, Drawn
from chatcensus.trial_report import Trial, compared
from tests.browser.axe import findings
from tests.browser.chromium import PHONE, Watched

Open = Callable[..., Watched]
CHEAP, DEAR, ODD = "amazon.nova-micro-v1:0", "jp.anthropic.claude-haiku-5-5", "<b>@prompt@prompts/new.md"
RIGHT = {CHEAP: 0.85, DEAR: 0.95, ODD: 0.4}  # how often
COST = {CHEAP: 120, DEAR: 400, ODD: 90}
NAME = "manual-2026-12-01-0a1b2c3d"


def made_report() -> dict[str, Any]:
    """A trial on 200 conversations and 160 gold rows, drawn by chance that is always the same."""
    chance = random.Random(1)
    drawn = [
        Drawn(
            draw=f"{number:064x}",
            content_hash="0" * 32,
            language="ja" if number % 3 else "en",
            stratum=None if number < 160 else ("ja/short", "latin/short", "latin/long")[number % 3],
            label="coding" if number < 160 else None,
        )
        for number in range(360)
    ]
    answers = {name: {each.draw: answer(each, name, chance) for each in drawn} for name in RIGHT}
    figures = compared(Trial(drawn, {"ja/short": 5200, "latin/short": 3100, "latin/long": 140}, answers))
    return {"trial": NAME, "made_at": "2026-12-01T03:00:00+00:00", "seed": 1, "taxonomy_version": "0" * 12, **figures}


def answer(drawn: Drawn, name: str, chance: random.Random) -> Answer:
    is_right, seconds = chance.random() < RIGHT[name], round(chance.uniform(0.3, 2), 3)
    cost = {"attempts": 1, "cost_micro_usd": COST[name], "seconds": seconds}
    if name == ODD and chance.random() < 0.05:
        return Answer(draw=drawn.draw, content_hash="h", reason="not_json", **cost | {"attempts": 3})
    category = "coding" if is_right else chance.choice(["writing", "other"])
    return Answer(draw=drawn.draw, content_hash="h", category=category, inquiry_score=chance.randint(2, 5), **cost)


class Published:
    """The files that the routes of the dashboard give."""

    def __init__(self) -> None:
        self.files = dict[str, Any]()

    def publish(self) -> None:
        report = made_report()
        verdicts = {f"{pair['cheaper']} / {pair['dearer']}": pair["answer"] for pair in report["pairs"]}
        listed = {name: report[name] for name in ("trial", "made_at", "conversations", "gold_rows")}
        self.files = {
            "/trials.json": [listed | {"contenders": [CHEAP, DEAR, ODD], "verdicts": verdicts}],
            "/trial.json": report,
        }


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, Published]]:
    published = Published()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, file = urlsplit(self.path).path, static_files().get(self.path.partition("?")[0].split("/")[-1])
            if path == "/trials":
                self._answer(page_html("trials", "en").encode(), "text/html; charset=utf-8")
            elif file:
                self._answer(file.body, file.content_type)
            else:
                self._answer(json.dumps(published.files.get(path)).encode(), "application/json")

        def _answer(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            for name, value in {**HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}", published
        server.shutdown()


@pytest.fixture
def open_trials(served: tuple[str, Published], new_page: Open) -> Open:
    host, published = served

    def opened(query: str = "", **options: Any) -> Watched:
        watched = new_page((host,), None, **options)
        watched.page.goto(f"http://{host}/trials{query}")
        return watched

    published.publish()
    return opened


def test_a_trial_is_told_in_sentences_and_in_the_figures_of_its_report(open_trials: Open) -> None:
    watched, report = open_trials(f"?trial={NAME}"), made_report()
    expect(watched.page.locator("h1")).to_have_text("200 conversations and 160 gold rows, judged by every contender")

    sentences = [pair["sentence"]["en"] for pair in report["pairs"]]
    assert [text for text in watched.texts("main section:first-of-type p") if text in sentences] == sentences
    tables = watched.page.locator("table")
    assert tables.count() == 5
    first = tables.nth(0).locator("tbody tr").first
    assert first.locator("th").text_content() == report["contenders"][0]["contender"]
    assert first.locator("td").first.text_content() == f"{report['contenders'][0]['micro_usd_per_1000'] / 1e6:.4f}"
    assert "of 160" in str(tables.nth(1).locator("tbody tr").first.text_content())
    assert watched.page.locator("main b").count() == 0  # a contender's name is text
    assert watched.texts("a[aria-current]")[0] == "Trials"
    watched.speak("ja")
    expect(watched.page.locator("main section").first).to_contain_text(report["pairs"][0]["sentence"]["ja"])
    assert findings(watched.page) == []


def test_before_the_first_trial_the_page_says_what_makes_one(served: tuple[str, Published], open_trials: Open) -> None:
    served[1].files = {"/trials.json": []}

    watched = open_trials()

    expect(watched.page.locator("h1")).to_have_text("No trial has been made yet. The DAG model_trial makes one.")


def test_the_page_fits_a_phone(open_trials: Open) -> None:
    watched = open_trials(viewport=PHONE)
    expect(watched.page.locator("table").first).to_be_visible()

    assert watched.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
