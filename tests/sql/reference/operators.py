"""The tables for those who run the census: exact, of the whole snapshot."""

from tests.sql.reference.conversations import Row, groups, having, mean, total

_PAID = ("attempts", "input_tokens", "output_tokens", "cost_micro_usd")


def _paid(members: list[Row]) -> Row:
    return {"conversations": len(members), **{name: total(members, name) for name in _PAID}}


def model_cost(conversations: list[Row]) -> list[Row]:
    """Return what each model was paid."""
    judged = having(conversations, "evaluated", "quarantined")
    return [key | _paid(members) for key, members in groups(judged, "model", "answered_by")]


def judging_cost(conversations: list[Row]) -> list[Row]:
    """Return what was paid on each day for each category."""
    judged = having(conversations, "evaluated", "quarantined")
    return [key | _paid(members) for key, members in groups(judged, "judged_day", "category", "model")]


def failures(conversations: list[Row]) -> list[Row]:
    """Return what could not be judged, why, and what to say to have it judged again."""
    found = groups(having(conversations, "quarantined"), "reason", "model", "prompt_version")
    return [
        key
        | _paid(members)
        | {
            "first_seen": min(each["evaluated_at"] for each in members),
            "last_seen": max(each["evaluated_at"] for each in members),
            "replay": ";".join(f"{name}={value}" for name, value in key.items()),
        }
        for key, members in found
    ]


def evaluation_quality(conversations: list[Row]) -> list[Row]:
    """Return how each model and prompt version did."""
    return [
        {
            **key,
            "conversations": len(members),
            "first_attempt": sum(each["attempts"] == 1 for each in members),
            "clipped": sum(each["is_clipped"] is True for each in members),
        }
        for key, members in groups(conversations, "model", "prompt_version", "outcome", "reason")
    ]


def evaluation_changes(conversations: list[Row]) -> list[Row]:
    """Return what re-evaluations changed."""
    before = ("outcome", "category", "reason", "prompt_version", "model")
    columns = (*(f"previous_{name}" for name in before), *before)
    flat = [
        each | {f"previous_{name}": value for name, value in each["previous"].items()}
        for each in conversations
        if each["previous"]
    ]
    return [
        {
            **key,
            "conversations": len(members),
            "previous_mean_inquiry_score": mean(each.get("previous_inquiry_score") for each in members),
            "mean_inquiry_score": mean(each["inquiry_score"] for each in members),
        }
        for key, members in groups([dict.fromkeys(columns) | row for row in flat], *columns)
    ]
