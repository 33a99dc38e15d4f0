"""README.ja.md says what README.md says: the same headings, tables, lists, blocks and links, in the same order."""

import re

from tests.docs.pages import REPOSITORY, blocks, commands, prose

ENGLISH, JAPANESE = "README.md", "README.ja.md"
# Each names the other, and shows the dashboard in its own language.
_IN_ENGLISH = {"README.md": "README.ja.md", "docs/images/dashboard-ja.png": "docs/images/dashboard-en.png"}
# A heading of a level, a point of a list, a row of a table, a picture.
_PART = re.compile(r"^(#+|\d+\.|-|\||!)", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def test_both_have_the_same_parts_in_the_same_order():
    parts = {page: _PART.findall(prose(page)) for page in (ENGLISH, JAPANESE)}

    assert parts[JAPANESE] == parts[ENGLISH]


def test_both_have_the_same_commands_and_outputs():
    assert [command.text for command in commands(JAPANESE)] == [command.text for command in commands(ENGLISH)]
    assert [block.lines for block in blocks(JAPANESE) if block.info == "text"] == [
        block.lines for block in blocks(ENGLISH) if block.info == "text"
    ]


def test_both_have_the_same_links_in_the_same_order():
    links = {page: _LINK.findall(prose(page)) for page in (ENGLISH, JAPANESE)}

    assert [_IN_ENGLISH.get(link, link) for link in links[JAPANESE]] == links[ENGLISH]


def test_both_name_the_same_code():
    named = {page: sorted(set(re.findall(r"`[^`\n]+`", prose(page)))) for page in (ENGLISH, JAPANESE)}

    assert named[JAPANESE] == named[ENGLISH]


def test_they_lead_to_each_other_at_the_top():
    for page, other in ((ENGLISH, JAPANESE), (JAPANESE, ENGLISH)):
        assert f"]({other})" in (REPOSITORY / page).read_text().splitlines()[2]
