"""A layer says of each item what Python says of it, however the table is mapped and whatever is in it."""

from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from chatcensus.errors import SetupError
from chatcensus.layer_sql import LayerSql
from chatcensus.mapping import CreatedAt, Only, TableMapping
from tests.sql.warehouse import Warehouse, keyed, render

KEYS = ("plain", "会話", "a/b", "50%", "%2F", "", "it's", 'quote"and\\', "😀")
ISO_TIMES = (
    "2026-10-01", "2026-10-01T14:59:59Z", "2026-10-01T14:59:59.999Z", "2026-10-01 15:00", "2026-10-01T15:00:00,5+0900",
    "2026-10-01T23:59:59+09:00", "2026-10-01T10:30:00-05:00", "2028-02-29T15:00:00Z", "2026-02-29T15:00:00Z",
    "20261001", "2026-W40-4", "2026-275", "2026-10", "2026", "T10:00", "2026-10-01T24:00:00Z", "2026-10-01T15:00:00z",
    "2026-10-01T15:00:00+18:00", "0001-01-01T00:00:00+09:00", "9999-12-31T23:59:59Z", "2026-10-01\n", " 2026-10-01",
    "2026-10-01T15:00:00.123456789Z", "2026-10-01T15:00:60Z", "yesterday", "", "１９９９-01-01", True, None,
    Decimal(2026), Decimal(20261001), ["2026-10-01"], {"at": "2026-10-01"}, {"2026-10-01"},
)  # fmt: skip
EPOCHS = (
    Decimal(1790000000), Decimal("1790000000.5"), Decimal(-1), Decimal(0), Decimal("1e11"), Decimal("1e30"),
    Decimal("1e-9"), "1790000000", "1790000000.25", " 1790000000", "1_790_000_000", "+5", "12d2", "1e9", "1e999", "NaN",
    "Infinity", "0x10", "", "１２", "soon", True, None, [Decimal(1790000000)], {"s": Decimal(1790000000)},
)  # fmt: skip
LABELS = (
    ["営業"],
    {"name": "営業", "it's": [Decimal(1), None, True]},
    {"営業"},
    "営業",
    "sales",
    Decimal(103),
    Decimal(1200),
    Decimal("0.5"),
    True,
    None,
    "true",
    "a'b",
    "",
)
CONVERSATION = TableMapping(partition_key="PK", sort_key="SK", turns="turns", role="role", text="text")


@pytest.fixture(scope="module")
def clients(local_aws_server):
    local_aws_server.reset()
    local_aws_server.create_stack()
    return {name: local_aws_server.client(name) for name in ("s3", "glue", "athena")}


def _items(seed: int, times: tuple[Any, ...], count: int = 60) -> list[dict[str, Any]]:
    random = Random(seed)
    items = []
    for number in range(count):
        item = {
            "PK": f"{random.choice(KEYS)}{number}",
            "SK": random.choice(KEYS) or "x",
            "at": times[number % len(times)],
            "dept": random.choice(LABELS),
            "kind": random.choice(("CONV#1", "CONV", "USER#CONV#", Decimal(1), None, "103")),
        }
        items.append({name: value for name, value in item.items() if value is not None or name == "at"})
    return items


def _layer(clients: Any, mapping: TableMapping, key_types: dict[str, str], items: Any, name: str) -> list[list[Any]]:
    """The rows of the items as a full export holds them, and as an increment does."""
    warehouse = Warehouse(clients, mapping=mapping, key_types=key_types)
    warehouse.add_snapshot(name, items, items)
    layers = [
        warehouse.rows(
            f"select * from conversations_curated where export_id = '{name}' and layer = '{layer}' "
            "order by conversation_id"
        )
        for layer in ("000000", "000001")
    ]
    return [[{k: v for k, v in row.items() if k not in ("export_id", "layer")} for row in rows] for rows in layers]


@pytest.mark.parametrize(
    ("created_at", "times"),
    [
        pytest.param(CreatedAt(attribute="at"), ISO_TIMES, id="iso"),
        pytest.param(CreatedAt(attribute="at", form="epoch_s"), EPOCHS, id="epoch seconds"),
        pytest.param(CreatedAt(attribute="at", form="epoch_ms"), EPOCHS, id="epoch milliseconds"),
        pytest.param(
            CreatedAt(attribute="at", form="epoch_ms", before="#"),
            ("1790000000000#0", "1790000000000", "#1", "1790000000000#0#1", "x#1", Decimal(1790000000000)),
            id="before a separator",
        ),
    ],
)
def test_id_time_and_kind_of_odd_items_are_those_that_python_reads(clients, created_at, times):
    only = (Only(attribute="kind", begins_with="CONV", contains="#"),)
    mapping = CONVERSATION.model_copy(update={"created_at": created_at, "only": only, "department": "dept"})
    items = _items(len(times), times)

    base, change = _layer(clients, mapping, {"PK": "S", "SK": "S"}, items, f"export{len(times)}{created_at.form}")

    expected = sorted(
        (keyed(mapping.conversation_id(item)), mapping.is_conversation(item), _text(mapping.created_at.read(item)))
        for item in items
    )
    assert [(r["conversation_id"], r["item_kind"] == "conversation", r["created_at"]) for r in base] == expected
    assert change == base


def test_a_map_or_list_where_a_text_should_be_is_no_text_in_an_increment(clients):
    mapping = CONVERSATION.model_copy(
        update={
            "created_at": CreatedAt(attribute="at"),
            "department": "dept",
            "only": (Only(attribute="kind", equals="x"), Only(attribute="dept")),
        }
    )
    kept = {"PK": "a", "SK": "1", "at": ["2026-10-01"], "dept": {"a": "b"}, "kind": "x"}
    other = {"PK": "b", "SK": "1", "dept": None, "kind": "x"}
    warehouse = Warehouse(clients, mapping=mapping, key_types={"PK": "S", "SK": "S"})

    warehouse.add_snapshot("maps", [], [kept, other])

    rows = warehouse.rows(
        "select conversation_id, item_kind, department, created_at from conversations_curated "
        "where export_id = 'maps' order by 2"
    )
    assert [tuple(row.values()) for row in rows] == [
        (keyed("a/1"), "conversation", None, None),
        (keyed("b/1"), "other_item", None, None),
    ]


def _kinds(rows: list[Any]) -> dict[str, str]:
    return {row["conversation_id"]: row["item_kind"] for row in rows}


def _text(time: datetime | None) -> str | None:
    return time.replace(microsecond=0).isoformat().replace("+00:00", "Z") if time else None


def test_a_number_is_shown_in_plain_digits_wherever_it_is(clients):
    mapping = TableMapping(
        partition_key="id", turns="t", role="r", text="x", department="dept", app_model="model", app_tokens="tokens"
    )
    items = [
        {"id": Decimal(600), "dept": Decimal(1200), "model": True, "tokens": Decimal(1000)},
        {"id": Decimal(-103), "dept": Decimal("0.5"), "model": "m", "tokens": "12"},
        {"id": Decimal(0), "dept": "6", "tokens": Decimal("1.5")},
    ]

    base, change = _layer(clients, mapping, {"id": "N"}, items, "numbers")

    found = {row["conversation_id"]: (row["department"], row["app_model"], row["app_tokens"]) for row in base}
    expected = {"600": ("1200", "true", 1000), "-103": ("0.5", "m", 12), "0": ("6", None, None)}
    assert found == {keyed(name): values for name, values in expected.items()}
    assert {mapping.conversation_id(item) for item in items} == set(expected)
    assert change == base


@pytest.mark.parametrize(
    ("kind", "sort_keys"),
    [
        pytest.param("S", ("10", "9", "é", "z", "😀", "\uffff"), id="bytes of UTF-8"),
        pytest.param("N", (Decimal(9), Decimal(10), Decimal(-1), Decimal(1790000000123456789),
                           Decimal(1790000000123456788), Decimal("0.5")), id="numbers"),
    ],
)  # fmt: skip
def test_the_first_message_stands_for_the_conversation(clients, kind, sort_keys):
    mapping = TableMapping(
        partition_key="PK", sort_key="SK", one_item_is="message", role="role", text="text", department="dept",
        only=(Only(attribute="role"),),
    )  # fmt: skip
    order = sorted(sort_keys, key=lambda value: value.encode() if kind == "S" else value)
    random = Random(1)
    items = [
        {"PK": f"c{start}", "SK": key, "role": "user", "dept": f"nth{index}"}
        for start in range(len(order))
        for index, key in enumerate(order[start:])
    ]
    earlier = {"PK": "c1", "SK": order[0], "dept": "no message"}
    random.shuffle(items)
    warehouse = Warehouse(clients, mapping=mapping, key_types={"PK": "S", "SK": kind})

    warehouse.add_snapshot(f"messages{kind}", [*items, earlier])

    view = warehouse.rows(
        f"select conversation_id, department from evaluations where export_id = 'messages{kind}' order by 1"
    )
    assert [tuple(row.values()) for row in view] == sorted((keyed(f"c{n}"), "nth0") for n in range(len(order)))
    kinds = warehouse.rows(
        f"select item_kind, count(*) as n from conversations_curated where export_id = 'messages{kind}' "
        "group by 1 order by 1"
    )
    assert [tuple(row.values()) for row in kinds] == [("conversation", 6), ("later_message", 15), ("other_item", 1)]


def test_the_newest_layer_of_a_conversation_counts_and_a_deleted_one_is_gone(clients):
    mapping = TableMapping(partition_key="id", turns="t", role="r", text="x", department="dept")
    warehouse = Warehouse(clients, mapping=mapping, key_types={"id": "S"})
    items = [{"id": name, "dept": "old"} for name in ("kept", "changed", "deleted", "back")]

    warehouse.add_snapshot(
        "layers",
        items,
        [{"id": "changed", "dept": "newer"}, {"id": "deleted"}, {"id": "back"}, {"id": "new", "dept": "new"}],
        [{"id": "changed", "dept": "newest"}, {"id": "back", "dept": "again"}],
    )

    rows = warehouse.rows("select conversation_id, department from evaluations where export_id = 'layers'")
    shown = {"back": "again", "changed": "newest", "kept": "old", "new": "new"}
    assert {tuple(row.values()) for row in rows} == {(keyed(name), department) for name, department in shown.items()}


def test_a_binary_key_is_refused_by_name():
    with pytest.raises(SetupError, match="the key attribute 'PK' is binary"):
        _ = LayerSql(CONVERSATION, {"PK": "B", "SK": "S"}, is_increment=False).conversation_id


ODD_NAMES = (
    "it's", 'q"uote', "back\\slash", "$", "$.a", "a[0]", '["x"]', "a.b", "a b", "?", "{{ 1 }}", "会話", "部署\u3000名",
    "😀", "null", "nan", "'", "\\'", '\\"', "--", "/*", ";", "%", "$1", "(x)", "x::y", "M", "e\u0301", "\u00a0x", "-1",
)  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_attributes_of_any_name_are_read_alike_by_python_and_in_both_kinds_of_layer(clients, seed):
    random = Random(seed)
    key, sort_key, at, department, condition = random.sample(ODD_NAMES, 5)
    mapping = TableMapping(
        partition_key=key, sort_key=sort_key, turns="t", role="r", text="x", department=department,
        created_at=CreatedAt(attribute=at), only=(Only(attribute=condition, contains=condition),),
    )  # fmt: skip
    items = [
        {
            key: f"{random.choice(KEYS)}{number}",
            sort_key: random.choice(ODD_NAMES),
            at: random.choice(("2026-10-01", "soon")),
            department: f"{random.choice(ODD_NAMES)}.",
            condition: random.choice((f"a{condition}", "a", True)),
        }
        for number in range(20)
    ]

    base, change = _layer(clients, mapping, {key: "S", sort_key: "S"}, items, f"names{seed}")

    def said(item):
        text = item[department]
        return (
            keyed(mapping.conversation_id(item)),
            mapping.is_conversation(item),
            _text(mapping.created_at.read(item)),
            None if text.startswith(("{", "[")) else "-1" if text == "-1." else text,
        )

    found = [(r["conversation_id"], r["item_kind"] == "conversation", r["created_at"], r["department"]) for r in base]
    assert found == sorted(said(item) for item in items)
    assert change == base


@pytest.mark.parametrize("text", ["1.0", "103.", "6d2", "[x", "{", "全\u3000角", "true"])
def test_a_text_that_looks_like_something_else_can_be_a_condition(clients, text):
    mapping = CONVERSATION.model_copy(update={"only": (Only(attribute="kind", equals=text),)})
    items = [{"PK": "a", "SK": "s", "kind": text}, {"PK": "b", "SK": "s", "kind": "other"}]

    base, change = _layer(clients, mapping, {"PK": "S", "SK": "S"}, items, f"equals{text.encode().hex()}")

    assert _kinds(base) == {keyed("a/s"): "conversation", keyed("b/s"): "other_item"}
    assert change == base


def test_a_text_of_the_mapping_cannot_leave_its_literal(clients):
    evil = "x') or 1=1 -- "
    mapping = CONVERSATION.model_copy(update={"only": (Only(attribute="a\"]b'", equals=evil),)})

    base, change = _layer(
        clients,
        mapping,
        {"PK": "S", "SK": "S"},
        [{"PK": "p", "SK": "s", "x": 1}, {"PK": "q", "SK": "s", "a\"]b'": evil}],
        "evil",
    )

    assert _kinds(base) == {keyed("p/s"): "other_item", keyed("q/s"): "conversation"}
    assert change == base
    with pytest.raises(SetupError, match="control character"):
        render("layers/layer.sql", layer=LayerSql(
            CONVERSATION.model_copy(update={"only": (Only(attribute="a", equals="\n"),)}), {"PK": "S", "SK": "S"},
            is_increment=False,
        ))  # fmt: skip
