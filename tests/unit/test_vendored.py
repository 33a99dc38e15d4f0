"""Files of others: what we ship is what their package holds, with its licence, and runs under our policy."""

import hashlib
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

STATIC = Path(__file__).parents[2] / "plugins/chatcensus/dashboard/static"
ECHARTS = "echarts.common.min.js"
PACKAGES: list[dict[str, Any]] = tomllib.loads((STATIC / "vendored.toml").read_text())["package"]
FILES = {name: file for package in PACKAGES for name, file in package["files"].items()}
# What a policy without 'unsafe-eval' refuses: code made from text.
CODE_FROM_TEXT = re.compile(r"(?<![\w$.])eval\s*\(|(?<![\w$])Function\s*\(|new\s+Function\b|setTimeout\s*\(\s*[\"'`]")


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_vendored_file_is_the_one_whose_checksum_is_written_down(name: str):
    content = (STATIC / name).read_bytes()

    assert hashlib.sha256(content).hexdigest() == FILES[name]["sha256"]


def test_the_version_written_down_is_the_one_that_the_script_says():
    [echarts] = [package for package in PACKAGES if ECHARTS in package["files"]]
    [zrender] = [package for package in PACKAGES if package["name"] == "zrender"]
    script = (STATIC / ECHARTS).read_text(encoding="utf-8")

    assert f't.version="{echarts["version"]}"' in script
    assert f'dependencies={{zrender:"{zrender["version"]}"}}' in script


def test_licence_and_notice_travel_with_the_script():
    assert "Apache License" in (STATIC / "ECHARTS-LICENSE").read_text(encoding="utf-8")
    assert "The Apache Software Foundation" in (STATIC / "ECHARTS-NOTICE").read_text(encoding="utf-8")
    for name in ("ECHARTS-LICENSE-D3", "ECHARTS-LICENSE-ZRENDER"):
        assert "Redistributions in binary form must reproduce" in (STATIC / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("script", sorted(STATIC.glob("*.js")), ids=lambda path: path.name)
def test_no_script_makes_code_from_text_or_asks_for_a_source_map(script: Path):
    text = script.read_text(encoding="utf-8")

    assert CODE_FROM_TEXT.findall(text) == []
    assert "sourceMappingURL" not in text


@pytest.mark.parametrize(
    "code", ['eval("1")', "x=new Function('a','b')", ";Function('return this')()", "setTimeout('f()',1)"]
)
def test_code_from_text_is_found_where_there_is_some(code: str):
    assert CODE_FROM_TEXT.search(code)


@pytest.mark.parametrize("code", ["function (a) {}", "isFunction(a)", "retrieval(a)", "setTimeout(f, 1)"])
def test_what_only_looks_like_it_is_not_found(code: str):
    assert not CODE_FROM_TEXT.search(code)
