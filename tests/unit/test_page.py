import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, get_args

import pytest

from chatcensus.dashboard import page
from chatcensus.dashboard.page import LANGUAGES, SCRIPTS, STYLES, Page, page_html, report_html, static_files
from tests.report_file import report_inside

FOLDER = Path(page.__file__).parent
STATIC = FOLDER / "static"
PAGES = get_args(Page)
OURS = sorted(
    path
    for path in [*STATIC.iterdir(), *(FOLDER / "templates").iterdir(), *(FOLDER / "texts").iterdir()]
    if not path.name.startswith(("echarts", "ECHARTS", "vendored"))
)
HOSTILE = "</script><script>alert(1)</script><!--<script>\u2028\u2029 & ]]> {{ 7 * 7 }} {0}"
REPORT: dict[str, Any] = {
    "run_id": HOSTILE,
    "labels": {HOSTILE: {"en": HOSTILE, "ja": HOSTILE}},
    "tables": {
        "department_usage": {"columns": ["department", "conversations"], "rows": [[HOSTILE, 3], ["営業部", None]]}
    },
}


class Document(HTMLParser):
    """What a browser makes of a page: its elements, and of those that hold nothing but text, the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.held: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.is_open = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style", "title", "noscript"):
            self.held.append((tag, dict(attrs), []))
            self.is_open = True

    def handle_endtag(self, tag: str) -> None:
        self.is_open = self.is_open and tag != self.held[-1][0]

    def handle_data(self, data: str) -> None:
        if self.is_open:
            self.held[-1][2].append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def texts(self, tag: str) -> list[str]:
        """The texts of elements that a browser runs, applies or shows: no data, and nothing that is elsewhere."""
        return ["".join(text) for name, more, text in self.held if name == tag and not {"type", "src"} & set(more)]

    def data(self, name: str) -> Any:
        [text] = ["".join(text) for _, attributes, text in self.held if attributes.get("id") == name]
        return json.loads(text)


def digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def version(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def policy(document: Document) -> dict[str, list[str]]:
    [content] = [meta["content"] for meta in document.all("meta") if "http-equiv" in meta]
    directives = [directive.split() for directive in str(content).split("; ")]
    return {name: sources for name, *sources in directives}


# The page in Airflow


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_names_its_scripts_in_order_and_its_styles_by_links_that_change_with_the_file(name, language):
    document = Document(page_html(name, language))

    links = [str(script["src"]) for script in document.all("script") if "src" in script]
    styles = [str(link["href"]) for link in document.all("link")]
    assert links == [f"static/{file}?v={version(file)}" for file in SCRIPTS[name]]
    assert styles == [f"static/{file}?v={version(file)}" for file in STYLES[name]]
    assert all("defer" in script for script in document.all("script") if "src" in script)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_opens_in_its_language_and_has_the_words_of_all_but_no_report(name, language):
    document = Document(page_html(name, language))

    assert document.all("html") == [{"lang": language}]
    assert document.all("body") == [{"data-page": name}]
    assert set(document.data("texts")) == set(LANGUAGES)
    assert not [script for script in document.all("script") if script.get("id") == "report"]
    assert document.texts("title") == [f"Chat Census: {document.data('texts')[language][f'{name}_title']}"]
    assert document.texts("noscript") == [document.data("texts")[language]["noscript"]]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_in_airflow_holds_no_code_of_its_own(name):
    document = Document(page_html(name, "en"))

    assert document.texts("script") == document.texts("style") == []


def test_an_unknown_language_or_page_is_refused_by_name():
    with pytest.raises(ValueError, match=r"'fr'.*en, ja"):
        page_html("report", "fr")
    with pytest.raises(ValueError, match=r"'fr'.*en, ja"):
        report_html(REPORT, "fr")
    unknown: Any = "admin"
    with pytest.raises(ValueError, match=r"'admin'.*report, run"):
        page_html(unknown, "en")


# The report in one file


def test_the_file_holds_every_script_and_style_and_asks_for_nothing():
    document = Document(report_html(REPORT))

    assert document.texts("script") == [(STATIC / name).read_text(encoding="utf-8") for name in SCRIPTS["report"]]
    assert document.texts("style") == [(STATIC / name).read_text(encoding="utf-8") for name in STYLES["report"]]
    assert not {name for _, attributes in document.elements for name in attributes} & {"src", "href", "action"}


def test_the_policy_of_the_file_allows_exactly_what_is_inside():
    document = Document(report_html(REPORT))

    assert policy(document) == {
        "default-src": ["'none'"],
        "script-src": [digest(text) for text in document.texts("script")],
        "style-src": [digest(text) for text in document.texts("style")],
        "img-src": ["data:", "blob:"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }


def test_the_policy_stands_before_everything_that_it_governs():
    html = report_html(REPORT)

    assert html.index("Content-Security-Policy") < min(
        html.index(tag) for tag in ("<style", "<script", "<link", "<body") if tag in html
    )


def test_the_data_block_of_the_file_is_the_report_and_no_text_of_it_leaves_the_block():
    html = report_html(REPORT)

    assert report_inside(html) == REPORT
    assert len(Document(html).all("script")) == len(SCRIPTS["report"]) + 2
    assert "alert(1)" not in html


def test_the_same_report_is_the_same_file():
    assert report_html(REPORT) == report_html(json.loads(json.dumps(REPORT)))


def test_no_text_of_ours_leaves_its_data_block():
    hostile = {"en": {"title": HOSTILE}, "ja": {}}

    block = page._data(hostile)

    assert json.loads(block) == hostile
    assert not set(block) & set("<>&\u2028\u2029")


def test_a_template_escapes_whatever_is_not_said_to_be_ours():
    assert page._environment().from_string("{{ text }}").render(text="<b>&\"'") == "&lt;b&gt;&amp;&#34;&#39;"


def test_a_report_with_what_json_has_no_word_for_is_refused():
    with pytest.raises(ValueError, match="JSON compliant"):
        report_html({"share": float("nan")})


# The files


def test_every_file_is_served_and_is_part_of_a_page_or_of_echarts():
    of_echarts = {name for name in static_files() if name.startswith("ECHARTS") or name == "vendored.toml"}
    of_pages = {name for files in (*SCRIPTS.values(), *STYLES.values()) for name in files}

    assert set(static_files()) == {path.name for path in STATIC.iterdir()} == of_pages | of_echarts


@pytest.mark.parametrize("name", PAGES)
def test_a_script_stands_after_those_whose_parts_it_takes(name):
    there: set[str] = set()

    for file in SCRIPTS[name]:
        code = (STATIC / file).read_text(encoding="utf-8")
        assert set(re.findall(r"^  const \{.*\} = (\w+);$", code, re.MULTILINE)) <= there, file
        there |= set(re.findall(r"^const (\w+) = ", code, re.MULTILINE))


def test_a_file_is_served_as_it_is_with_its_type_and_the_version_of_its_bytes():
    for name, file in static_files().items():
        kind = {".js": "text/javascript", ".css": "text/css"}.get(Path(name).suffix, "text/plain")
        assert (file.name, file.version, file.content_type) == (name, version(name), f"{kind}; charset=utf-8")
        assert file.body == (STATIC / name).read_bytes()


@pytest.mark.parametrize("name", sorted({name for files in (*SCRIPTS.values(), *STYLES.values()) for name in files}))
def test_no_file_ends_or_changes_the_element_that_it_stands_in(name):
    text = (STATIC / name).read_bytes().decode()

    assert not re.search(r"</(script|style)|<script|<!--", text, re.IGNORECASE)
    assert not set(text) & set("\r\0\ufeff")  # a browser reads other characters, and the hash is of another text


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_our_files_name_no_other_host_and_load_nothing(path):
    text = re.sub(r"http://www\.w3\.org/\d+/\w+", "", path.read_text(encoding="utf-8"))  # the name of SVG

    assert not re.search(
        r"(?:https?:|wss?:)?//[\w.-]+\.\w+|@import|url\(",
        re.sub(r"^\s*//.*$|/\*.*?\*/", "", text, flags=re.MULTILINE | re.DOTALL),
    )


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_our_files_hold_no_inline_handler_and_nothing_that_makes_markup_or_code_of_text(path):
    text = path.read_text(encoding="utf-8")

    assert not re.search(r"<[^>]*\son\w+\s*=|javascript:|\sstyle=", text)
    if path.suffix == ".js":
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|srcdoc"
            r"|\beval\b|new Function|\.cssText|setAttribute\(\s*[\"']style|set(?:Timeout|Interval)\(\s*[\"'`]",
            text,
        )
        assert text.startswith('"use strict";\n')
