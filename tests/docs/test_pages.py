"""Every page is found, says whom it serves, and leads where it says."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.pages import ALL_PAGES, PAGES, REPOSITORY, blocks, prose

DOCS = sorted(str(path.relative_to(REPOSITORY / "docs")) for path in (REPOSITORY / "docs").rglob("*.md"))
DECISIONS = [page for page in DOCS if page.startswith("adr/0")]
INFO_STRINGS = {"sh", "sh docker", "text", "json", "yaml", "sql", "python"}
FOLDERS = ("bench", "dags", "demo", "deploy", "docs", "include", "local_aws", "plugins", "tests")
A_USER_WRITES = {"include/gold.yaml"}
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def test_every_page_is_in_the_navigation_once():
    navigation = yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text())["nav"]

    assert sorted(_leaves(navigation)) == DOCS


def test_every_page_is_in_the_index():
    told = {link.partition("#")[0] for page in ("index.md", "adr/README.md") for link in _links(f"docs/{page}")}

    assert {page for page in DOCS if page.removeprefix("adr/") not in told and page not in told} == {"index.md"}


def test_the_index_of_decisions_tells_their_titles():
    listed = re.findall(r"^\| \[(\d+)\]\((.+)\) \| (.+) \|$", prose("docs/adr/README.md"), re.MULTILINE)

    assert [(f"adr/{path}", f"# {number}. {title}") for number, path, title in listed] == [
        (page, (REPOSITORY / "docs" / page).read_text().partition("\n")[0]) for page in DECISIONS
    ]


@pytest.mark.parametrize("page", [page for page in DOCS if page not in DECISIONS])
def test_a_page_begins_with_whom_it_serves_and_what_they_can_do_then(page: str):
    title, first, *_ = re.split(r"\n+(?=\S)", (REPOSITORY / "docs" / page).read_text(), maxsplit=2)

    assert title.startswith("# ")
    assert re.match(r"For [^:]+: after this page you \w", first), first


@pytest.mark.parametrize("page", ALL_PAGES)
def test_links_and_anchors_lead_somewhere(page: str):
    lost = [link for link in _links(page) if not link.startswith(("http:", "https:")) and not _exists(page, link)]

    assert lost == []


@pytest.mark.parametrize("page", PAGES)
def test_a_block_says_what_it_is_and_code_stands_in_blocks(page: str):
    unknown = {(block.line, block.info) for block in blocks(page)} - {
        (block.line, block.info) for block in blocks(page) if block.info in INFO_STRINGS
    }

    assert unknown == set()
    assert re.findall(r"^[^-*\d\s].*\n\n(?: {4}.*\n)+", prose(page), re.MULTILINE) == []


@pytest.mark.parametrize("page", ALL_PAGES)
def test_a_file_that_is_named_is_there(page: str):
    named = set(re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]*)`", prose(page)))

    assert {name for name in named if not (REPOSITORY / name).exists()} - A_USER_WRITES == set()


def _leaves(navigation: list[Any]) -> Iterator[str]:
    for entry in navigation:
        if isinstance(entry, str):
            yield entry
        else:
            for children in entry.values():
                yield from _leaves(children)


def _links(page: str) -> list[str]:
    return _LINK.findall(re.sub(r"`[^`\n]*`", "", prose(page)))


def _exists(page: str, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (REPOSITORY / page).parent / path if path else REPOSITORY / page
    return target.exists() and (not anchor or anchor in _anchors(target))


def _anchors(path: Path) -> set[str]:
    """The names that GitHub and MkDocs give to headings, as far as ours have any use for."""
    headings = re.findall(r"^#+ (.+)$", prose(str(path.resolve().relative_to(REPOSITORY))), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
