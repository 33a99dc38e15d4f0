"""
Claims in the control table: one task at a time on a segment, and the account's quota shared exactly among all tasks.

    pk                 sk                  holds
    claim#<table>      <part>/<split>      owner, try, until
    quota#<model>      shares              version, and per owner its share and the most it wants (in millionths), until

A segment is named by its part and the split of the table that it is a part of (partition.py): `3/16` of a scan,
`3:<first day>:<last day>/<index>/<hash>` of an index. Two parts of one split never share a conversation.

Times are Unix seconds. Two clocks may differ by SKEW_S: an owner stops that much before its claim ends, and nobody
takes a claim before it has been over for as long. A later try of the same task takes its claim at once.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from chatcensus.errors import SetupError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

log = logging.getLogger(__name__)

LEASE_S, SKEW_S = 180.0, 60.0
# A share that has not changed is written again only after so long: to look costs less than to write.
SHARE_AGE_S = 30
LOOK_EVERY_S = 5.0
WHOLE = 1_000_000
_ATTEMPTS = 8

_deserialize = TypeDeserializer().deserialize
_serialize = TypeSerializer().serialize


class SegmentClaim:
    """
    The claim of one task on its segment, and its share of the quota.

    Shape: *segment* is `<part>/<split>`; *owner* names the run and its task, *attempt* is the number of the try.
    """

    lease_s = LEASE_S - SKEW_S

    def __init__(
        self,
        client: "DynamoDBClient",
        control_table: str,
        table: str,
        segment: str,
        model: str,
        owner: str,
        attempt: int,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.client, self.control_table, self.now = client, control_table, now
        self.owner, self.attempt = owner, attempt
        self._segment_key = {"pk": {"S": f"claim#{table}"}, "sk": {"S": segment}}
        self._quota_key = {"pk": {"S": f"quota#{model}"}, "sk": {"S": "shares"}}

    def take(self, sleep: Callable[[float], None], patience_s: float = 3600) -> None:
        """
        Claim the segment, waiting while another run works on it.

        Errors: SetupError with the owner's name when it is still busy after *patience_s*.
        """
        deadline, was_told = self.now() + patience_s, False
        while (owner := self._in_the_way()) is not None:
            if self.now() > deadline:
                raise SetupError(
                    f"{owner!r} has had the segment for {patience_s:.0f} s: clear this task when it is done"
                )
            if not was_told:
                log.info("waiting: %s works on this segment", owner)
                was_told = True
            sleep(LOOK_EVERY_S)

    def renew(self, most: float = 1.0) -> float | None:
        """
        Extend both; return the share (0 to *most*; 0: wait), or None when the claim is over or somebody else's.

        A claim that has ended is never taken back here: whoever had it in between has worked on the segment.
        """
        condition = "#owner = :owner AND #try = :try AND #until > :now"
        is_held = self._hold(int(self.now() + LEASE_S), condition, {":now": _serialize(int(self.now()))})
        return self._take_share(int(most * WHOLE)) if is_held else None

    def release(self) -> None:
        """Give both back, so that others need not wait for the end of the lease."""
        request = {
            "ExpressionAttributeNames": {"#owner": "owner", "#try": "try"},
            "ExpressionAttributeValues": {":owner": {"S": self.owner}, ":try": _serialize(self.attempt)},
        }
        self._delete(self._segment_key, "#owner = :owner AND #try = :try", request)
        for _ in range(_ATTEMPTS):
            row = self._read(self._quota_key)
            shares = self._live(row)
            if shares.pop(self.owner, None) is None or self._write_shares(row, shares):
                return

    def _in_the_way(self) -> str | None:
        """Claim the segment and return None, or return who works on it, or on what may overlap it in another split."""
        if not self._claim():
            return str(self._read(self._segment_key).get("owner", "another run"))
        pages = self.client.get_paginator("query").paginate(
            TableName=self.control_table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": self._segment_key["pk"]},
            ConsistentRead=True,
        )
        for other in [row for page in pages for row in page["Items"]]:
            if may_overlap(self._segment_key["sk"]["S"], other["sk"]["S"]) and not self._is_over(other):
                self.release()  # two at once may both step back; each looks again at another moment
                return other["owner"]["S"]
        return None

    def _is_over(self, other: dict[str, Any]) -> bool:
        """
        Tell whether a claim on another segment, in DynamoDB's typed form, has ended, and see that it stays so.

        A renewal that was sent before its owner froze may arrive when we have begun: it must not find its row. Every
        plan of an index has another split, so that rows which stayed would be read by each task for ever.
        """
        until = int(other["until"]["N"])
        if until >= self.now() - SKEW_S:
            return False
        key = {"pk": self._segment_key["pk"], "sk": other["sk"]}
        request = {
            "ExpressionAttributeNames": {"#until": "until"},
            "ExpressionAttributeValues": {":read": other["until"]},
        }
        return self._delete(key, "#until = :read", request)

    def _claim(self) -> bool:
        condition = "attribute_not_exists(pk) OR #until < :over OR (#owner = :owner AND #try <= :try)"
        return self._hold(int(self.now() + LEASE_S), condition, {":over": _serialize(int(self.now() - SKEW_S))})

    def _hold(self, until: int, condition: str, values: dict[str, Any]) -> bool:
        request = {
            "UpdateExpression": "SET #owner = :owner, #try = :try, #until = :until",
            "ExpressionAttributeNames": {"#owner": "owner", "#try": "try", "#until": "until"},
            "ExpressionAttributeValues": {
                ":owner": {"S": self.owner},
                ":try": _serialize(self.attempt),
                ":until": _serialize(until),
                **values,
            },
        }
        return self._update(self._segment_key, condition, request)

    def _take_share(self, most: int) -> float:
        """
        Take a fair part of the quota, or what the others have left of it until they have made room.

        The parts of all live owners never add up to more than the whole, because each change is conditional on the row
        being as it was read.
        """
        for _ in range(_ATTEMPTS):
            row = self._read(self._quota_key)
            shares = self._live(row)
            mine = shares.pop(self.owner, {})
            free = WHOLE - sum(share["share"] for share in shares.values())
            fair = fair_share([most, *(share["most"] for share in shares.values())])
            new = {"share": max(0, min(most, fair, free)), "most": most, "until": int(self.now() + LEASE_S)}
            is_unchanged = mine == {**new, "until": mine.get("until", 0)}
            is_fresh = is_unchanged and mine["until"] > new["until"] - SHARE_AGE_S
            if is_fresh or self._write_shares(row, shares | {self.owner: new}):
                return new["share"] / WHOLE
        return 0.0  # the row changes too fast under us: stand still until the next renewal

    def _live(self, row: dict[str, Any]) -> dict[str, dict[str, int]]:
        over = self.now() - SKEW_S
        return {
            owner: {name: int(value) for name, value in share.items()}
            for owner, share in row.get("shares", {}).items()
            if int(share["until"]) >= over
        }

    def _write_shares(self, row: dict[str, Any], shares: dict[str, dict[str, int]]) -> bool:
        version = int(row.get("version", 0))
        condition = "attribute_not_exists(pk) OR #version = :read"
        request = {
            "UpdateExpression": "SET #version = :next, #shares = :shares",
            "ExpressionAttributeNames": {"#version": "version", "#shares": "shares"},
            "ExpressionAttributeValues": {
                ":next": _serialize(version + 1),
                ":shares": _serialize(shares),
                ":read": _serialize(version),
            },
        }
        return self._update(self._quota_key, condition, request)

    def _update(self, key: dict[str, Any], condition: str, request: dict[str, Any]) -> bool:
        return self._change(self.client.update_item, key, condition, request)

    def _delete(self, key: dict[str, Any], condition: str, request: dict[str, Any]) -> bool:
        return self._change(self.client.delete_item, key, condition, request)

    def _change(
        self, operation: Callable[..., Any], key: dict[str, Any], condition: str, request: dict[str, Any]
    ) -> bool:
        try:
            operation(TableName=self.control_table, Key=key, ConditionExpression=condition, **request)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def _read(self, key: dict[str, Any]) -> dict[str, Any]:
        item = self.client.get_item(TableName=self.control_table, Key=key, ConsistentRead=True).get("Item", {})
        return {name: _deserialize(value) for name, value in item.items()}


def may_overlap(one: str, other: str) -> bool:
    """
    Return whether two segments, each `<part>/<split>`, may share a conversation, being of different splits.

    Within one index, segments of different days do not; the days are in ISO form, and empty where there are none.
    """
    (part, _, split), (other_part, _, other_split) = one.partition("/"), other.partition("/")
    if split == other_split:
        return False
    days, other_days = part.split(":")[1:], other_part.split(":")[1:]
    is_of_one_index = split.partition("/")[0] == other_split.partition("/")[0]
    if is_of_one_index and all(days) and all(other_days) and days and other_days:
        return days[0] <= other_days[1] and other_days[0] <= days[1]
    return True


def fair_share(wanted: Sequence[int], whole: int = WHOLE) -> int:
    """
    Return the most that one may have when *whole* is shared fairly: who wants less leaves the rest to the others.

    Source: max-min fairness, Bertsekas and Gallager, Data Networks, section 6.5.2.
    """
    left = whole
    for served, want in enumerate(sorted(wanted)):
        fair = left // (len(wanted) - served)
        if want >= fair:
            return fair
        left -= want
    return whole
