"""What the mapping understands of some items of a table, in counts: no text, no id and no value of an item is shown."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from statistics import median

from chatcensus.conversation import Conversation
from chatcensus.evaluation import ATTRIBUTE, is_of_another
from chatcensus.mapping import Item, Stored, TableMapping
from chatcensus.turns import ROLES

# Chat tools on Bedrock are younger; a time before this is one in another unit.
EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)
# One type in Python is one in DynamoDB, as boto3 hands it over.
_TYPES = {str: "text", Decimal: "number", bool: "boolean", list: "list", dict: "map", set: "set"}
# A key cannot be absent, turns that are make a conversation unreadable, and a body is for large ones only.
_MAY_BE_ABSENT = ("partition_key", "sort_key", "turns", "role", "text", "body", "body.bucket_attribute")


@dataclass
class TableCheck:
    """What was found: *lines* to show, and *changes* to make before a run; none means that the mapping fits."""

    lines: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)

    def say(self, subject: str, text: str) -> None:
        """Add a line about *subject*."""
        self.lines.append(f"{subject:<16}{text}")


def check_items(
    check: TableCheck,
    mapping: TableMapping,
    items: Sequence[Item],
    body: Callable[[Item], str | None],
    now: datetime,
) -> None:
    """Add to *check* what *mapping* understands of *items*; *body* fetches the text that an item's pointer names."""
    stored = _conversations(mapping, items, body)
    conversations = [mapping.conversation(one) for one in stored]
    others = sum(not mapping.is_conversation(item) for item in items)
    check.say("items", f"{len(items)} read: {len(stored)} conversations, {others} items that are something else")
    if not items:
        check.say("", "the table is empty: nothing else could be checked")
    elif not stored:
        check.changes.append("only: no item fulfils the conditions, correct them")
    else:
        _check_turns(check, mapping, conversations)
        _check_attributes(check, mapping, [one.item for one in stored])
        _check_created_at(check, mapping, conversations, now)
        _check_names(check, mapping, items)


def _conversations(mapping: TableMapping, items: Sequence[Item], body: Callable[[Item], str | None]) -> list[Stored]:
    chosen = [item for item in items if mapping.is_conversation(item)]
    if mapping.one_item_is == "conversation":
        return [Stored(item, has_room=True, body=body(item)) for item in chosen]
    groups: dict[str, list[Item]] = {}
    for item in chosen:
        groups.setdefault(mapping.conversation_id(item), []).append(item)
    return [Stored(messages[0], has_room=True, messages=tuple(messages)) for messages in groups.values()]


def _check_turns(check: TableCheck, mapping: TableMapping, conversations: Sequence[Conversation]) -> None:
    problems = Counter(one.problem for one in conversations if one.problem)
    check.say("unreadable", "; ".join(f"{count}: {problem}" for problem, count in problems.most_common()) or "none")
    if problems:
        where = ", ".join(filter(None, ["turns", "role", "roles", "text", "body" if mapping.body else ""]))
        check.changes.append(
            f"{where}: {problems.total()} of {len(conversations)} conversations cannot be read and would be quarantined"
        )
    readable = [one for one in conversations if not one.problem]
    if not readable:
        return
    counts = sorted(len(one.turns) for one in readable)
    check.say("length", f"{counts[0]} / {median(counts):g} / {counts[-1]} turns (fewest / median / most)")
    roles = Counter(turn.role if turn.role in ROLES else "" for one in readable for turn in one.turns)
    names = ", ".join(f"{role} {count}" for role, count in roles.most_common() if role)
    check.say("roles", f"{names or 'none'}; of other names {roles['']}")
    asked = [turn.text for one in readable for turn in one.turns if turn.role == "user"]
    if not asked:
        check.changes.append("roles: no turn has the role user: say what your tool calls the person")
    elif not any(text.strip() for text in asked):
        check.changes.append("text, parts: no turn of the person has any text")


def _check_attributes(check: TableCheck, mapping: TableMapping, items: Sequence[Item]) -> None:
    for name, attribute in mapping.attributes:
        if name.startswith("only"):
            continue
        types = Counter(_type(item[attribute]) for item in items if item.get(attribute) is not None)
        kinds = ", ".join(f"{kind} {count}" for kind, count in types.most_common())
        mixed = "mixed types: " if len(types) > 1 else ""
        check.say(name, f"{attribute}: on {types.total() / len(items):.0%} ({mixed}{kinds or 'none'})")
        if not types and name not in _MAY_BE_ABSENT:
            check.changes.append(f"{name}: no conversation has {attribute!r}: correct the name, or say null")
    if others := sum(map(is_of_another, items)):
        check.changes.append(
            f"{others} conversations have an {ATTRIBUTE!r} not of the census, which would overwrite it: rename it"
        )


def _type(value: object) -> str:
    return _TYPES.get(type(value), "binary")


def _check_created_at(
    check: TableCheck, mapping: TableMapping, conversations: Sequence[Conversation], now: datetime
) -> None:
    if mapping.created_at is None:
        check.say("created", "not mapped: a backfill judges nothing")
        return
    times = sorted(one.created_at for one in conversations if one.created_at)
    if not times:
        check.changes.append(f"created_at: none is a time in the form {mapping.created_at.form}")
        return
    future = sum(time > now for time in times)
    check.say(
        "created",
        f"{times[0]:%Y-%m-%d} to {times[-1]:%Y-%m-%d}; no time in {len(conversations) - len(times)}; "
        f"{future} in the future, which are skipped until then",
    )
    if times[0] < EARLIEST or future == len(times):
        check.changes.append(f"created_at: these times are not likely: is the form {mapping.created_at.form}?")


def _check_names(check: TableCheck, mapping: TableMapping, items: Sequence[Item]) -> None:
    mapped = {attribute for _, attribute in mapping.attributes} | {ATTRIBUTE}
    names = {name for item in items for name in item} | mapped
    for name in sorted(mapped):
        alike = sorted(other for other in names if other.lower() == name.lower() and other != name)
        if alike:
            check.changes.append(
                f"{name!r} and {', '.join(map(repr, alike))} differ only in case, and Athena mixes them up: rename one"
            )
