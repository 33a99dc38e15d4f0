"""What `table check` says of items: what a run would make of them, and not a word of what is in them."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import Binary
from hypothesis import given
from hypothesis import strategies as st

from chatcensus.mapping import TableMapping
from chatcensus.table_check import TableCheck, check_items
from tests.fakes import MAPPING
from tests.unit.test_mapping import FORMS, attributes, mapping_with

NOW = datetime(2026, 11, 25, tzinfo=UTC)
SECRET = "secret"


def item(name: str, **changes: Any) -> dict[str, Any]:
    """A conversation of the demo's form; None takes an attribute away."""
    whole = {
        "conversation_id": f"{SECRET}-{name}",
        "turns": [{"role": "user", "content": SECRET}, {"role": "assistant", "content": SECRET}],
        "user_id": SECRET,
        "created_at": "2026-10-01T00:00:00Z",
        "language": "ja",
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


def checked(items: list[dict[str, Any]], mapping: TableMapping = MAPPING, body: str | None = None) -> TableCheck:
    check = TableCheck()
    check_items(check, mapping, items, lambda _: body, NOW)
    assert SECRET not in "\n".join([*check.lines, *check.changes])
    return check


def line(check: TableCheck, subject: str) -> str:
    [found] = [text.removeprefix(subject).strip() for text in check.lines if text.split(" ", 1)[0] == subject]
    return found


def test_a_mapping_that_fits_needs_no_change_and_is_shown_in_counts():
    check = checked(
        [item("a"), item("b", turns=[]), item("c", turns=[*item("c")["turns"], {"role": "tool", "content": "x"}])]
    )

    assert check.changes == []
    assert line(check, "items") == "3 read: 3 conversations, 0 items that are something else"
    assert line(check, "unreadable") == "none"
    assert line(check, "length") == "0 / 2 / 3 turns (fewest / median / most)"
    assert line(check, "roles") == "user 2, assistant 2, tool 1; of other names 0"
    assert line(check, "user") == "user_id: on 100% (text 3)"
    assert line(check, "created") == (
        "2026-10-01 to 2026-10-01; no time in 0; 0 in the future, which are skipped until then"
    )


def test_other_items_are_counted():
    mapping = mapping_with(only=[{"attribute": "kind", "equals": "chat"}])

    check = checked([item("a", kind="chat"), item("b", kind="bot"), {"conversation_id": "c"}], mapping)

    assert line(check, "items") == "3 read: 1 conversations, 2 items that are something else"
    assert check.changes == []


def test_an_empty_table_is_no_mistake():
    assert checked([]).changes == []


@pytest.mark.parametrize(
    ("mapping", "items", "change"),
    [
        pytest.param(
            mapping_with(only=[{"attribute": "kind"}]), [item("a")], "only: no item fulfils the conditions", id="filter"
        ),
        pytest.param(
            MAPPING,
            [item("a"), item("b", turns=None)],
            "turns, role, roles, text: 1 of 2 conversations cannot be read and would be quarantined",
            id="unreadable",
        ),
        pytest.param(
            MAPPING,
            [item("a", turns=[{"role": "assistant", "content": SECRET}])],
            "roles: no turn has the role user",
            id="roles",
        ),
        pytest.param(
            MAPPING,
            [item("a", turns=[{"role": SECRET, "content": "x"}, {"role": "assistant", "content": "x"}])],
            "turns, role, roles, text: 1 of 1 conversations cannot be read",
            id="unknown roles",
        ),
        pytest.param(
            MAPPING,
            [item("a", turns=[{"role": "user", "content": [{"body": SECRET}]}])],
            "text, parts: no turn",
            id="parts",
        ),
        pytest.param(
            mapping_with(department="team"), [item("a")], "department: no conversation has 'team'", id="absent"
        ),
        pytest.param(
            MAPPING, [item("a", created_at=SECRET)], "created_at: none is a time in the form iso", id="no time"
        ),
        pytest.param(
            mapping_with(created_at={"attribute": "at", "form": "epoch_ms"}),
            [item("a", at=Decimal(1_790_823_845))],
            "created_at: these times are not likely: is the form epoch_ms?",
            id="seconds for milliseconds",
        ),
        pytest.param(
            MAPPING,
            [item("a", created_at="2099-01-01")],
            "created_at: these times are not likely",
            id="all in the future",
        ),
        pytest.param(
            MAPPING, [item("a", User_ID="x")], "'user_id' and 'User_ID' differ only in case", id="two names in Athena"
        ),
        pytest.param(
            MAPPING,
            [item("a", Evaluation="x")],
            "'evaluation' and 'Evaluation' differ only in case",
            id="ours in Athena",
        ),
        pytest.param(
            MAPPING,
            [item("a", evaluation=SECRET), item("b", evaluation={"content_hash": "0"}), item("c", evaluation=None)],
            "1 conversations have an 'evaluation' not of the census",
            id="our name is theirs",
        ),
    ],
)
def test_what_does_not_fit_is_said_with_its_field_and_the_remedy(
    mapping: TableMapping, items: list[dict[str, Any]], change: str
):
    [said] = checked(items, mapping).changes

    assert said.startswith(change)


def test_what_is_unreadable_is_counted_by_problem():
    check = checked([item("a"), item("b", turns=None), item("c", turns=None), item("d", turns=SECRET)])

    assert line(check, "unreadable") == "2: attribute 'turns' is missing; 1: attribute 'turns' is not JSON"


def test_one_conversation_created_in_the_future_is_counted_and_no_mistake():
    check = checked(
        [item("a"), item("b", created_at="2026-11-25T00:00:01Z"), item("c", created_at="2026-11-25T00:00:00Z")]
    )

    assert "1 in the future" in line(check, "created")
    assert check.changes == []


def test_mixed_types_are_shown():
    check = checked([item("a"), item("b"), item("c", user_id=Decimal(1)), item("d", user_id=None)])

    assert line(check, "user") == "user_id: on 75% (mixed types: text 2, number 1)"


def test_messages_are_grouped_before_they_are_counted():
    messages = [
        {"conversation_id": name, "sk": str(n), "role": "user", "content": SECRET, "user_id": "u", "language": "ja"}
        | {"created_at": "2026-10-01"}
        for name, n in (("a", 1), ("a", 2), ("a", 3), ("b", 1))
    ]

    check = checked(messages, FORMS["message"])

    assert line(check, "items") == "4 read: 2 conversations, 0 items that are something else"
    assert line(check, "length") == "1 / 2 / 3 turns (fewest / median / most)"


def test_a_body_in_s3_is_what_is_read():
    check = checked([item("a", turns=None, path="x")], FORMS["list"], body='[{"role": "user", "content": "x"}]')

    assert line(check, "unreadable") == "none"
    assert line(check, "body") == "path: on 100% (text 1)"


names = st.sampled_from(["turns", "user_id", "created_at", "language", "path", "last", "role", "content", "Turns"])


@given(
    st.lists(st.dictionaries(names, attributes | st.builds(Binary, st.binary()), max_size=5), max_size=4),
    st.sampled_from(sorted(FORMS)),
)
def test_any_items_can_be_looked_at(items: list[dict[str, Any]], form: str):
    check_items(
        TableCheck(), FORMS[form], [{"conversation_id": "a", "sk": "1", **one} for one in items], lambda _: None, NOW
    )
