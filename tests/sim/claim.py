"""The real claims of aws/claims.py, on a control table in memory that reads their condition expressions."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from chatcensus.aws.claims import LEASE_S, SKEW_S, WHOLE, SegmentClaim
from chatcensus.errors import StoreBusy
from tests.sim.scheduler import Process
from tests.sim.world import World

_MARGIN_S = SKEW_S  # as it is meant, whatever a mutant makes of it
_deserialize = TypeDeserializer().deserialize
_COMPARISON = re.compile(r"#(\w+) (=|<=|<|>=|>|<>) (:\w+)")
_SET = re.compile(r"#(\w+) = (:\w+)")
_SIGNS = {"=": "==", "<>": "!="}


@lru_cache
def _condition(text: str) -> Callable[[Mapping[str, Any], Mapping[str, Any]], bool]:
    """Return the function that says whether a condition expression holds for a row and values."""
    text = text.replace("attribute_not_exists(pk)", "not row").replace("attribute_exists(pk)", "bool(row)")
    text = text.replace(" OR ", " or ").replace(" AND ", " and ").replace("NOT ", "not ")
    text = _COMPARISON.sub(
        lambda found: (
            f"({found[1]!r} in row and row[{found[1]!r}] {_SIGNS.get(found[2], found[2])} values[{found[3]!r}])"
        ),
        text,
    )
    return eval(f"lambda row, values: {text}")  # noqa: S307 - an expression of our own code


class SimClaim(SegmentClaim):
    """A claim whose every request is a step of the simulation."""

    def __init__(self, world: World, process: Process, segment: str, owner: str, attempt: int) -> None:
        def now() -> float:
            return 1e9 + world.now + process.skew_s

        super().__init__(self, "control", "conversations", segment, "model", owner, attempt, now)
        self.world, self.process = world, process

    def _update(self, key: dict[str, Any], condition: str, request: dict[str, Any]) -> bool:
        world, name = self.world, (key["pk"]["S"], key["sk"]["S"])
        self._step()
        row = world.rows.get(name, {})
        values = {key: _deserialize(value) for key, value in request["ExpressionAttributeValues"].items()}
        holds = _condition(condition)(row, values)
        if holds:
            new = {name: values[value] for name, value in _SET.findall(request["UpdateExpression"])}
            if "until" in new:
                self._seize(row)
            if "owner" in new:
                new |= {
                    "process": self.process,
                    "renewed_at": float(new["until"]) - LEASE_S - self.process.skew_s - 1e9,
                }
            if sum(share["share"] for share in new.get("shares", {}).values()) > WHOLE:
                world.violated("P15", "the shares add up to more than the whole")
            world.rows[name] = {**row, **new}
        world.scheduler.step()
        return holds

    def _delete(self, key: dict[str, Any], condition: str, request: dict[str, Any]) -> bool:
        name = (key["pk"]["S"], key["sk"]["S"])
        self._step()
        row = self.world.rows.get(name, {})
        values = {key: _deserialize(value) for key, value in request["ExpressionAttributeValues"].items()}
        holds = _condition(condition)(row, values)
        if holds:
            self._seize(row)
            del self.world.rows[name]
        self.world.scheduler.step()
        return holds

    def renew(self, most: float = 1.0) -> float | None:
        """Renew; nobody gets back what another has had, since that one's work is not in the pages already read."""
        was_lost = self.process in self.world.overtaken
        share = super().renew(most)
        if share is not None and was_lost:
            self.world.violated("P6", f"{self.process.name} renewed a claim that it had lost")
        return share

    def get_paginator(self, _operation: str) -> "SimClaim":
        """Return what answers the one query of the claims."""
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        """Answer the query with one page, in DynamoDB's typed form."""
        self._step()
        pk = request["ExpressionAttributeValues"][":pk"]["S"]
        items = [
            {"sk": {"S": key[1]}, "until": {"N": str(row["until"])}, "owner": {"S": row["owner"]}}
            for key, row in self.world.rows.items()
            if key[0] == pk
        ]
        return [{"Items": items}]

    def _read(self, key: dict[str, Any]) -> dict[str, Any]:
        self._step()
        return dict(self.world.rows.get((key["pk"]["S"], key["sk"]["S"]), {}))

    def _step(self) -> None:
        self.world.scheduler.step()
        if self.world.happens(self.world.faults.control_busy):
            raise StoreBusy("the control table is throttled")
        self.world.stall(self.process)

    def take(self, sleep: Callable[[float], None], patience_s: float = 3600) -> None:
        """Claim the segment, and work on it from now on."""
        super().take(sleep, patience_s)
        self.process.is_working = True

    def _seize(self, row: dict[str, Any]) -> None:
        """Count a claim that is taken from somebody who still works; only a frozen or a skewed owner may lose it."""
        world, other = self.world, row.get("process")
        if other is None or other is self.process or not other.is_alive or not other.is_working or not row["until"]:
            return
        was_idle = max(other.frozen_until, other.stalled_until) > row["renewed_at"]
        is_skewed = abs(other.skew_s - self.process.skew_s) > _MARGIN_S
        was_given_up = row["owner"] == self.owner  # Airflow begins a later try when it takes the earlier one for dead
        if not (is_skewed or was_given_up) and world.now < other.leased_until():
            world.violated("P6", f"{self.process.name} took the claim of {other.name} before the end of its lease")
        world.counts.takeovers += 1
        world.overtaken.setdefault(other, (world.now, not is_skewed and not was_given_up))
        if not (was_idle or is_skewed or was_given_up):
            world.violated("P6", f"{self.process.name} took the claim of {other.name}, which was alive and awake")
