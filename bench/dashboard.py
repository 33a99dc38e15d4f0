"""
How fast the dashboard is with 500 days × 20 categories × 20 departments, in a real Airflow and a real browser.

    PYTHONPATH=plugins:. python -m bench.dashboard

Seconds are of this machine, the local AWS beside it, and medians with the worst in brackets: of loads with an empty
cache, from the click to the first paint and to all sections drawn, and of requests at the server.
"""

import gzip
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from playwright.sync_api import sync_playwright

from chatcensus.dashboard.page import report_html
from chatcensus.publication import compact_json
from tests.browser.airflow import Airflow, airflow_and_aws
from tests.browser.chromium import Watched, launch
from tests.browser.reports import report

LOADS, REQUESTS = 7, 20
RUN = "manual__2026-10-05"
ROUTES = (
    "", "run", "report.json", f"run.json?run_id={RUN}", f"runs.json?run_id={RUN}", "static/page.js", "static/page.css",
    "static/echarts.common.min.js",
)  # fmt: skip
# Milliseconds after the navigation began.
TIMES = """() => [
  performance.getEntriesByName("first-contentful-paint")[0].startTime,
  performance.getEntriesByName("census-drawn")[0].startTime,
]"""


def main() -> None:
    """Print the tables of docs/performance.md."""
    with tempfile.TemporaryDirectory() as folder, airflow_and_aws(Path(folder)) as airflow:
        file = Path(folder) / "report.html"
        file.write_text(report_html(report("large")), encoding="utf-8")
        airflow.publish(report("large"))
        airflow.ledger(RUN).record(spent_micro_usd=1)
        _print("| artefact | bytes | gzip |", _sizes(file.read_bytes()))
        _print("| page | first paint, s | all sections drawn, s |", _loads(airflow, file.as_uri()))
        _print("| request | ms |", (f"| {route or 'page'} | {_answers(airflow, route)} |" for route in ROUTES))


def _sizes(html: bytes) -> Iterator[str]:
    for name, body in (("report.json", compact_json(report("large")).encode()), ("report.html", html)):
        yield f"| {name} | {len(body):,} | {len(gzip.compress(body)):,} |"


def _loads(airflow: Airflow, file: str) -> Iterator[str]:
    """Load each page in a new profile, which has nothing in its cache, and say when it was painted and drawn."""
    pages = {"in Airflow": (airflow.page, airflow.cookies), "report.html from the disk": (file, [])}
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for name, (url, cookies) in pages.items():
            times = []
            for _ in range(LOADS):
                context = browser.new_context(viewport={"width": 1280, "height": 900})
                context.add_cookies(cookies)
                page = Watched(context.new_page(), (airflow.host,))
                page.open(url)
                times.append(page.page.evaluate(TIMES))
                context.close()
            paints, draws = zip(*times, strict=True)
            yield f"| {name} | {_told([ms / 1000 for ms in paints], 2)} | {_told([ms / 1000 for ms in draws], 2)} |"
        browser.close()


def _answers(airflow: Airflow, route: str) -> str:
    """Ask for *route* again and again, and say how many milliseconds an answer took, connection included."""
    headers = {"Cookie": f"_token={airflow.cookies[0]['value']}", "Accept-Encoding": "gzip"}
    times = []
    for _ in range(REQUESTS):
        request = urllib.request.Request(airflow.page + route, headers=headers)
        began = time.perf_counter()
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()
        times.append(1000 * (time.perf_counter() - began))
    return _told(times, 0)


def _told(values: Sequence[float], digits: int) -> str:
    return f"{statistics.median(values):.{digits}f} ({max(values):.{digits}f})"


def _print(head: str, lines: Iterable[str]) -> None:
    print(head, "|---" * (head.count("|") - 1) + "|", sep="\n", flush=True)  # noqa: T201
    for line in lines:
        print(line, flush=True)  # noqa: T201
    print()  # noqa: T201


if __name__ == "__main__":
    main()
