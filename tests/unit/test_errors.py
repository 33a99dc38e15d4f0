import re

import pytest

from chatcensus import errors
from chatcensus.errors import ChatCensusError

ALL = {name: error for name, error in vars(errors).items() if isinstance(error, type)}


def test_the_tree_in_the_docstring_is_the_tree():
    [root] = re.findall(r"^(\w+)$", errors.__doc__, re.MULTILINE)
    branches = re.findall(r"^[├└]─ (\w+)", errors.__doc__, re.MULTILINE)

    assert root == "ChatCensusError"
    assert sorted([root, *branches]) == sorted(ALL)
    assert {name for name, error in ALL.items() if error.__bases__ == (ChatCensusError,)} == set(branches)


@pytest.mark.parametrize("name", ALL)
def test_an_error_says_what_it_stands_for_and_keeps_its_message(name: str):
    error = ALL[name]

    assert error.__doc__
    assert str(error("what, which, what to do")) == "what, which, what to do"
