import json
import re
from pathlib import Path
from string import Formatter
from typing import get_args

import pytest

from chatcensus.dashboard import page
from chatcensus.dashboard.page import LANGUAGES, SCRIPTS, Page

FOLDER = Path(page.__file__).parent
PAGES = get_args(Page)


def texts(name: str, language: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((FOLDER / "texts" / f"{name}.{language}.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", ["frame", *PAGES])
def test_every_language_has_the_same_keys_and_the_same_values_to_fill_in(name):
    fields = {
        language: {
            key: sorted({field for _, field, _, _ in Formatter().parse(words) if field})
            for key, words in texts(name, language).items()
        }
        for language in LANGUAGES
    }

    assert fields["en"] == fields["ja"]
    assert {path.name for path in (FOLDER / "texts").glob(f"{name}.*")} == {
        f"{name}.{language}.json" for language in LANGUAGES
    }


@pytest.mark.parametrize("name", PAGES)
def test_no_text_stands_in_two_files(name):
    assert not set(texts("frame", "en")) & set(texts(name, "en"))


def code(name: str) -> str:
    """Our scripts of a page."""
    files = [FOLDER / "static" / file for file in SCRIPTS[name] if not file.startswith("echarts")]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def keys(name: str) -> list[re.Pattern[str]]:
    """What may be a key in the scripts of a page: strings, templates, nouns to be counted, labels of columns."""
    plain = re.findall(r"[\"']([a-z][a-z0-9_]*)[\"']", code(name))
    built = [re.sub(r"\$\{[^{}]*\}", "*", each) for each in re.findall(r"`((?:[a-z0-9_]|\$\{[^{}`]*\})+)`", code(name))]
    nouns = [f"{each}_{number}" for each in (*plain, *built) for number in ("one", "many")]
    found = {*plain, *built, *nouns, f"{name}_title", "noscript", "language"}
    return [re.compile(re.escape(each).replace(r"\*", "[a-z0-9_]+")) for each in found if each.strip("*_")]


def unused(file: str, *names: Page) -> set[str]:
    patterns = [pattern for name in names for pattern in keys(name)]
    return {key for key in texts(file, "en") if not any(pattern.fullmatch(key) for pattern in patterns)}


@pytest.mark.parametrize("name", PAGES)
def test_every_text_is_used(name):
    assert unused(name, name) == set()


def test_every_text_of_the_frame_is_used():
    assert unused("frame", *PAGES) == set()


@pytest.mark.parametrize("name", PAGES)
def test_every_key_that_a_script_names_has_a_text(name):
    asked = set(re.findall(r"\bwords\.text\(\s*[\"'](\w+)[\"']", code(name)))
    counted = set(re.findall(r"\bwords\.counted\(\s*[\"'](\w+)[\"']", code(name)))

    assert asked
    wanted = asked | {f"{noun}_{number}" for noun in counted for number in ("one", "many")}
    assert wanted - set(texts("frame", "en")) - set(texts(name, "en")) == set()


@pytest.mark.parametrize("name", PAGES)
def test_every_key_that_a_script_builds_may_be_a_text(name):
    known = set(texts("frame", "en")) | set(texts(name, "en"))
    built = re.findall(r"\bwords\.(text|counted)\(\s*`((?:\w|\$\{[^{}`]*\})+)`", code(name))

    for kind, template in built:
        pattern = re.sub(r"\$\{[^{}]*\}", r"\\w+", template) + ("_(one|many)" if kind == "counted" else "")
        assert any(re.fullmatch(pattern, key) for key in known), template
