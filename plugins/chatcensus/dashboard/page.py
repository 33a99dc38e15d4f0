"""
Write the HTML of the dashboard: the pages in Airflow (report, runs, trials), and the report in one file.

The page is made by scripts of `static/` from the texts and the report, so that Airflow and the file share every line.
Here is what a page is made of, and no other module knows the names of its files.
"""

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from chatcensus.publication import compact_json

Page = Literal["report", "run", "trials"]

LANGUAGES = ("en", "ja")  # a page falls back to the first
_FRAME = ("elements.js", "words.js", "frame.js")  # what all pages share
SCRIPTS: Mapping[Page, tuple[str, ...]] = {  # in the order in which they need each other
    "report": (
        "echarts.common.min.js", *_FRAME, "chart_frame.js", "chart_parts.js", "chart_rows.js", "chart_time.js",
        "chart_heat.js", "charts.js", "downloads.js", "published.js", "filters.js", "periods.js", "columns.js",
        "changes.js", "custody.js", "figure.js", "section_use.js", "section_scores.js", "section_people.js",
        "section_when.js", "section_cost.js", "section_certainty.js", "section_custody.js", "opening.js",
        "filter_bar.js", "page.js",
    ),
    "run": (*_FRAME, "renew.js", "run_pace.js", "run_news.js", "run_live.js", "run_history.js", "run.js"),
    "trials": (*_FRAME, "trial.js", "trials.js"),
}  # fmt: skip
STYLES: Mapping[Page, tuple[str, ...]] = {
    "report": ("page.css",),
    "run": ("page.css", "run.css"),
    "trials": ("page.css",),
}

_FOLDER = Path(__file__).parent
_CONTENT_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}


@dataclass(frozen=True)
class StaticFile:
    """A file of `static/` as it is served; *version* changes with its bytes: the first 12 hex digits of the sha256."""

    name: str
    content_type: str
    body: bytes
    version: str

    @property
    def text(self) -> Markup:
        """The file as part of a page: our own, and held by a test to contain nothing that ends its element."""
        return Markup(self.body.decode())  # noqa: S704 - held by a test

    @property
    def hash(self) -> Markup:
        """What names it in a Content-Security-Policy that allows this text and no other."""
        return Markup(f"'sha256-{base64.b64encode(hashlib.sha256(self.body).digest()).decode()}'")  # noqa: S704 - a hash holds no HTML


@cache
def static_files() -> Mapping[str, StaticFile]:
    """Return what a page may ask for, by name: our own folder, read at the first call and kept."""
    files = map(_static_file, sorted((_FOLDER / "static").iterdir()))
    return MappingProxyType({file.name: file for file in files})


def _static_file(path: Path) -> StaticFile:
    body = path.read_bytes()
    content_type = _CONTENT_TYPES.get(path.suffix, "text/plain; charset=utf-8")
    return StaticFile(path.name, content_type, body, hashlib.sha256(body).hexdigest()[:12])


@cache
def page_html(page: Page, language: str) -> str:
    """
    Return a page of the dashboard in Airflow, opened in *language*; it fetches its data itself.

    Errors: ValueError for a page or a language that there is none of.
    """
    if page not in get_args(Page):
        raise ValueError(f"no page {page!r}: choose one of {', '.join(get_args(Page))}")
    return _render(page, language)


def report_html(report: Mapping[str, Any], language: str = "en") -> str:
    """
    Return *report*, as `publication.report` makes it, as one file that needs nothing else, opened in *language*.

    Errors: ValueError for a language that there is none of.
    """
    return _render("report", language, report=_packed(report))


def _render(page: Page, language: str, report: Markup | None = None) -> str:
    if language not in LANGUAGES:
        raise ValueError(f"no page in language {language!r}: choose one of {', '.join(LANGUAGES)}")
    texts = _texts(page)
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            page=page,
            language=language,
            words=texts[language],
            texts=_data(texts),
            report=report,
            scripts=[static_files()[name] for name in SCRIPTS[page]],
            styles=[static_files()[name] for name in STYLES[page]],
        )
    )


@cache
def _environment() -> Environment:
    return Environment(
        autoescape=True,
        undefined=StrictUndefined,
        loader=FileSystemLoader(_FOLDER / "templates"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@cache
def _texts(page: Page) -> dict[str, dict[str, str]]:
    """Return what the frame of every page says and what this one does, by language."""
    return {language: _read(f"frame.{language}") | _read(f"{page}.{language}") for language in LANGUAGES}


def _read(name: str) -> dict[str, str]:
    texts: dict[str, str] = json.loads((_FOLDER / f"texts/{name}.json").read_text(encoding="utf-8"))
    return texts


# A script element ends at `</script` whatever its type; the other two once ended a line of JavaScript.
_ESCAPES = str.maketrans({each: f"\\u{ord(each):04x}" for each in "<>&\u2028\u2029"})


def _data(value: Any) -> Markup:
    """Return *value* as JSON that cannot end the element it stands in: these characters occur in JSON texts only."""
    return Markup(compact_json(value).translate(_ESCAPES))  # noqa: S704 - escaped just here


def _packed(value: Any) -> Markup:
    """Return *value* as JSON, gzip, base64: plain, the tables of two years would be half of the file."""
    packed = gzip.compress(compact_json(value).encode(), mtime=0)
    return Markup(base64.b64encode(packed).decode())  # noqa: S704 - letters, digits, +, / and = only
