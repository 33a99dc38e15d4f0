"""A page that holds nothing but the scripts of charts and downloads, under the policy that Airflow's answers carry."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from playwright.sync_api import expect

from chatcensus.dashboard import page as dashboard_page
from chatcensus.dashboard.headers import HEADERS
from tests.browser.chromium import DESKTOP, Watched

STATIC = Path(dashboard_page.__file__).parent / "static"
_NAMES = dashboard_page.SCRIPTS["report"]
SCRIPTS = [name for name in _NAMES if name.startswith(("echarts", "chart", "downloads"))]
LIGHT = {"paper": "rgb(255, 255, 255)", "accent": "rgb(1, 2, 200)"}
DARK = {"paper": "rgb(16, 17, 18)", "accent": "rgb(101, 102, 250)"}
STYLE = f"""
:root {{ --ink: #111; --quiet: #666; --line: #ddd; --paper: {LIGHT["paper"]}; --accent: {LIGHT["accent"]}; }}
:root {{ --accent-soft: #cde; }}
:root[data-theme="dark"] {{ --ink: #eee; --paper: {DARK["paper"]}; --accent: {DARK["accent"]}; --accent-soft: #124; }}
@media (prefers-color-scheme: dark) {{ :root:not([data-theme]) {{ --accent: {DARK["accent"]}; }} }}
body {{ margin: 0; background: var(--paper); font: 16px sans-serif; }}
"""
HOSTILE = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(2)>", '"><iframe src="javascript:alert(3)"></iframe>',
    "{a|x}", "{b} {b|bold} {value} {{7*7}} ${7*7} %s", "&amp;&lt;b&gt; <!-- -->", "__proto__", "constructor",
    '=HYPERLINK("http://evil.example")',
]  # fmt: skip
ROWS = [
    {"label": "Coding", "value": 0.25, "low": 0.2, "high": 0.3, "other": 0.22, "before": 0.21, "note": "+4.0"},
    {"label": "Writing", "value": 0.125},
]
POINTS = [{"label": f"Oct {day}", "value": day, "low": day - 1, "high": day + 1} for day in range(1, 8)]
SPECS: dict[str, dict[str, Any]] = {
    "bars": {"rows": ROWS, "before": "the week before"},
    "columns": {"points": POINTS},
    "line": {"points": POINTS, "line": "Coding", "band": "interval", "others": {"label": "others", "lines": [[1] * 7]}},
    "heat": {
        "rows": ["Mon", "Tue"], "columns": ["0", "1", "2"], "untold": "not told",
        "cells": [
            {"row": 0, "column": 0, "value": 5}, {"row": 1, "column": 2, "value": 50},
            {"row": 1, "column": 0, "value": None},
        ],
    },
    "intervals": {"rows": ROWS, "dot": "corrected", "interval": "95% interval", "other": "as counted"},
}  # fmt: skip
DRAW = """([kind, spec, id]) => {
  const place = document.getElementById(id) ?? document.body.appendChild(document.createElement("div"));
  place.id = id;
  const common = { title: "What is shown", summary: "Two numbers.", source: "Snapshot", empty: "Nothing to show" };
  const all = { ...common, format: (value) => `${Number(value.toFixed(3))} u`, ...spec };
  (window.handles ??= new Map()).set(id, charts[kind](place, all));
}"""


class _Files(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        scripts = "".join(f'<script src="{name}" defer></script>' for name in SCRIPTS)
        links = f'<link rel="stylesheet" href="style.css"><link rel="icon" href="data:,">{scripts}'
        page = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Charts</title>{links}<body>'
        name = self.path.removeprefix("/")
        made = {"": ("text/html", page), "style.css": ("text/css", STYLE)}
        kind, text = made.get(name) or ("text/javascript", (STATIC / name).read_text(encoding="utf-8"))
        self.send_response(200)
        for header, value in (HEADERS | {"Content-Type": f"{kind}; charset=utf-8"}).items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: the page itself is watched."""


@contextmanager
def served() -> Iterator[str]:
    """Serve the page; its `host:port`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Files)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def clear(watched: Watched) -> None:
    """Put the page back to what it was when it was opened: without a chart, light, wide, the mouse at its edge."""
    watched.page.mouse.move(0, 890)
    watched.page.emulate_media(color_scheme="light")
    watched.page.set_viewport_size(DESKTOP)
    watched.page.evaluate("""() => {
      window.handles?.forEach((each) => each.dispose());
      delete window.handles;
      delete document.documentElement.dataset.theme;
      document.body.replaceChildren();
    }""")


def draw(watched: Watched, kind: str, spec: dict[str, Any] | None = None, place: str = "place") -> None:
    watched.page.evaluate(DRAW, [kind, SPECS[kind] | (spec or {}), place])


def drawn_texts(watched: Watched) -> list[str]:
    """What the chart says, without the character that keeps ECharts from reading it as something else."""
    return [text.replace("\u2060", "") for text in watched.page.locator("#place svg text").all_text_contents()]


def tooltip(watched: Watched, x: int, y: int) -> list[str]:
    """The lines of the tooltip at this place of the chart."""
    before = drawn_texts(watched)
    watched.page.locator("#place").hover(position={"x": x, "y": y})
    expect(watched.page.locator("#place svg text")).not_to_have_count(len(before))
    return drawn_texts(watched)[len(before) :]


def fills(watched: Watched) -> list[str]:
    return watched.page.locator("#place svg path").evaluate_all("paths => paths.map(path => path.getAttribute('fill'))")


def png(watched: Watched) -> bytes:
    """The PNG of the chart, as its handle gives it."""
    address = watched.page.evaluate("""async () => {
      const blob = await handles.get("place").png();
      const reader = new FileReader();
      await new Promise((read) => { reader.onload = read; reader.readAsDataURL(blob); });
      return reader.result;
    }""")
    kind, content = address.split(",", 1)
    assert kind == "data:image/png;base64"
    return base64.b64decode(content)


def first_pixel(watched: Watched, image: bytes) -> list[int]:
    return watched.page.evaluate(
        """async (text) => {
          const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
          const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
          const brush = canvas.getContext("2d");
          brush.drawImage(await createImageBitmap(new Blob([bytes])), 0, 0);
          return [...brush.getImageData(0, 0, 1, 1).data.slice(0, 3)];
        }""",
        base64.b64encode(image).decode(),
    )
