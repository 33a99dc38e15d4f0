"""Every summary once more, in plain Python, straight from the DynamoDB items: what the SQL is held to."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date, datetime
from zoneinfo import ZoneInfo

Row = dict[str, object]


def summaries(items: Iterable[dict], timezone: str = "Asia/Tokyo") -> dict[str, list[Row]]:
    """
    Return the rows of every summary table, in the order of its SQL.

    Shape: *items* as `boto3.resource("dynamodb")` reads them (numbers int or Decimal).
    """
    conversations = [_conversation(item, ZoneInfo(timezone)) for item in items]
    return {table: summarise(conversations) for table, summarise in SUMMARIES.items()}


def _conversation(item: dict, zone: ZoneInfo) -> Row:
    evaluation = item.get("evaluation", {})
    numbers = ("inquiry_score", "attempts", "input_tokens", "output_tokens", "cost_micro_usd")
    texts = ("category", "reason", "prompt_version", "model", "answered_by", "user_pseudonym")
    return {
        "outcome": evaluation.get("outcome", "pending"),
        "day": _day(item.get("created_at"), zone),
        "is_clipped": evaluation.get("is_clipped"),
        "previous": evaluation.get("previous"),
        **{name: None if evaluation.get(name) is None else int(evaluation[name]) for name in numbers},
        **{name: evaluation.get(name) for name in texts},
    }


def _day(created_at: str | None, zone: ZoneInfo) -> date | None:
    try:
        return datetime.fromisoformat(created_at or "").astimezone(zone).date()
    except ValueError:
        return None


def _groups(conversations: list[Row], *columns: str) -> list[tuple[Row, list[Row]]]:
    found: dict[tuple, list[Row]] = defaultdict(list)
    for conversation in conversations:
        found[tuple(conversation[column] for column in columns)].append(conversation)
    return [(dict(zip(columns, key, strict=True)), members) for key, members in found.items()]


def _having(conversations: list[Row], *outcomes: str) -> list[Row]:
    return [conversation for conversation in conversations if conversation["outcome"] in outcomes]


def _users(conversations: list[Row]) -> int:
    return len({conversation["user_pseudonym"] for conversation in conversations} - {None})


def _mean_score(conversations: list[Row]) -> float | None:
    scores = [conversation["inquiry_score"] for conversation in _having(conversations, "evaluated")]
    return sum(scores) / len(scores) if scores else None


def _total(conversations: list[Row], column: str) -> int:
    return sum(conversation[column] for conversation in conversations)


def _nulls_last(value: object) -> tuple:
    return (value is None, "" if value is None else value)


def _category_counts(conversations: list[Row]) -> list[Row]:
    evaluated = _having(conversations, "evaluated")
    rows = [
        {
            **key,
            "conversations": len(members),
            "users": _users(members),
            "mean_inquiry_score": _mean_score(members),
            "share": len(members) / len(evaluated),
        }
        for key, members in _groups(evaluated, "category")
    ]
    return sorted(rows, key=lambda row: (-row["conversations"], row["category"]))


def _score_distribution(conversations: list[Row]) -> list[Row]:
    evaluated = _having(conversations, "evaluated")
    rows = [
        {**key, "conversations": len(members), "share": len(members) / len(evaluated)}
        for key, members in _groups(evaluated, "inquiry_score")
    ]
    return sorted(rows, key=lambda row: row["inquiry_score"])


def _daily_usage(conversations: list[Row]) -> list[Row]:
    rows = [
        {
            **key,
            "conversations": len(members),
            "evaluated": len(_having(members, "evaluated")),
            "quarantined": len(_having(members, "quarantined")),
            "pending": len(_having(members, "pending")),
            "users": _users(members),
        }
        for key, members in _groups(conversations, "day")
    ]
    return sorted(rows, key=lambda row: (row["day"] is None, row["day"] or date.min))


def _usage_by_user(conversations: list[Row]) -> list[Row]:
    rows = [
        {
            "user_pseudonym": key["user_pseudonym"] or "unknown",
            "conversations": len(members),
            "mean_inquiry_score": _mean_score(members),
            "input_tokens": _total(members, "input_tokens"),
            "output_tokens": _total(members, "output_tokens"),
            "cost_micro_usd": _total(members, "cost_micro_usd"),
            "last_day": max((member["day"] for member in members if member["day"]), default=None),
        }
        for key, members in _groups(_having(conversations, "evaluated", "quarantined"), "user_pseudonym")
    ]
    return sorted(rows, key=lambda row: (-row["conversations"], row["user_pseudonym"]))


def _model_cost(conversations: list[Row]) -> list[Row]:
    rows = [
        {
            **key,
            "conversations": len(members),
            "attempts": _total(members, "attempts"),
            "input_tokens": _total(members, "input_tokens"),
            "output_tokens": _total(members, "output_tokens"),
            "cost_micro_usd": _total(members, "cost_micro_usd"),
        }
        for key, members in _groups(_having(conversations, "evaluated", "quarantined"), "model", "answered_by")
    ]
    return sorted(rows, key=lambda row: (-row["cost_micro_usd"], row["model"], _nulls_last(row["answered_by"])))


def _evaluation_quality(conversations: list[Row]) -> list[Row]:
    rows = [
        {
            **key,
            "conversations": len(members),
            "first_attempt": sum(member["attempts"] == 1 for member in members),
            "clipped": sum(member["is_clipped"] is True for member in members),
        }
        for key, members in _groups(conversations, "model", "prompt_version", "outcome", "reason")
    ]
    return sorted(
        rows,
        key=lambda row: (
            _nulls_last(row["model"]),
            _nulls_last(row["prompt_version"]),
            row["outcome"],
            -row["conversations"],
            _nulls_last(row["reason"]),
        ),
    )


def _evaluation_changes(conversations: list[Row]) -> list[Row]:
    before = ("outcome", "category", "reason", "prompt_version", "model")
    columns = (*(f"previous_{name}" for name in before), *before)
    flat = [
        conversation | {f"previous_{name}": value for name, value in conversation["previous"].items()}
        for conversation in conversations
        if conversation["previous"]
    ]
    blank = dict.fromkeys(columns)
    rows = [
        {
            **key,
            "conversations": len(members),
            "previous_mean_inquiry_score": _mean([member.get("previous_inquiry_score") for member in members]),
            "mean_inquiry_score": _mean([member["inquiry_score"] for member in members]),
        }
        for key, members in _groups([blank | row for row in flat], *columns)
    ]
    return sorted(
        rows, key=lambda row: (-row["conversations"], *((row[name] is None, row[name] or "") for name in columns))
    )


def _mean(scores: list[int | None]) -> float | None:
    known = [int(score) for score in scores if score is not None]
    return sum(known) / len(known) if known else None


SUMMARIES: dict[str, Callable[[list[Row]], list[Row]]] = {
    "category_counts": _category_counts,
    "score_distribution": _score_distribution,
    "daily_usage": _daily_usage,
    "usage_by_user": _usage_by_user,
    "evaluation_changes": _evaluation_changes,
    "model_cost": _model_cost,
    "evaluation_quality": _evaluation_quality,
}
