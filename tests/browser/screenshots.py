"""
The pictures of the README, taken by the browser of the tests: `python -m tests.browser.screenshots [FOLDER]`.

They show the dashboard in a real Airflow, with made-up conversations; the run page shows a census that is under way.
"""

import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.airflow import Airflow, airflow_and_aws
from tests.browser.chromium import PATIENCE_MS, launch
from tests.browser.palette import with_palette
from tests.browser.reports import report
from tests.browser.running import EXPECTED, tell_history, tell_plan, tell_segment

FOLDER = Path(__file__).parents[2] / "docs/images"
MOST_BYTES = 300_000
BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=14)
RUN = f"manual__{BEGAN.isoformat()}"

# name: what is opened, how, how high the picture is (CSS pixels, at double density), and what stands at its top
PICTURES: dict[str, tuple[str, dict[str, Any], int, str]] = {
    "dashboard-en": ("", {}, 1150, "body"),
    "dashboard-ja": ("?lang=ja", {}, 1150, "body"),
    "dashboard-dark": ("", {"color_scheme": "dark"}, 1150, "#when"),
    "run": (f"run?run_id={quote(RUN)}", {}, 900, "body"),
}


def main(folder: Path) -> None:
    """Take all pictures into *folder*, and fail where one is larger than a README should load."""
    with tempfile.TemporaryDirectory() as home, airflow_and_aws(Path(home)) as airflow, sync_playwright() as playwright:
        airflow.publish(report("plain"))
        tell_history(airflow, datetime.now(UTC))
        airflow.start_run(RUN, BEGAN)
        browser = launch(playwright)
        for name, (path, options, height, top) in PICTURES.items():
            file = folder / f"{name}.png"
            _tell_run(airflow)  # again for each: the run page says how old its news are
            _take(browser, airflow, path, options, height, top, file)
            size = file.stat().st_size
            print(f"{file}: {size:,} bytes")  # noqa: T201 - to the person at the terminal
            if size > MOST_BYTES:
                raise SystemExit(f"{file} has {size:,} bytes, the limit is {MOST_BYTES:,}: make its crop smaller")
        browser.close()


def _tell_run(airflow: Airflow) -> None:
    tell_plan(airflow, RUN, spent_micro_usd=7_260_000)
    for index, ended in enumerate((EXPECTED, EXPECTED, 2610, 2440, 2070, 380)):
        tell_segment(airflow, RUN, index, ended, is_done=ended == EXPECTED, minutes=14 if index < 5 else 2)


def _take(
    browser: Browser, airflow: Airflow, path: str, options: dict[str, Any], height: int, top: str, file: Path
) -> None:
    size = {"width": 1200, "height": height}
    context = browser.new_context(viewport=size, device_scale_factor=2, locale="en-US", **options)
    context.set_default_timeout(PATIENCE_MS)
    context.add_cookies(airflow.cookies)
    page = context.new_page()
    page.goto(airflow.page + path)
    expect(page.locator("table, .chart svg").first).to_be_visible(timeout=PATIENCE_MS)
    page.evaluate("(top) => document.querySelector(top).scrollIntoView()", top)
    file.write_bytes(with_palette(page.screenshot(), context.new_page()))
    context.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
