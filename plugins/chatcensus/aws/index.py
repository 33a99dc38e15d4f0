"""A global secondary index: whether it can be used, and where its entries can be cut without reading a conversation."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from chatcensus.aws.conditions import Border, key_condition
from chatcensus.errors import SetupError
from chatcensus.partition import DateIndex, IndexPart, PendingIndex, Piece, Range

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

log = logging.getLogger(__name__)

WALKERS = 16  # values of the index's key that are counted at the same time


def checked_index(table: str, description: Mapping[str, Any], strategy: DateIndex | PendingIndex) -> IndexPart:
    """
    Return the index of *strategy* without ranges, from the *description* of its table as DescribeTable gives it.

    Errors: SetupError when there is no such index, it is being built, or it does not fit.
    """
    which = f"index {strategy.index!r} of table {table!r}"
    indexes = {index["IndexName"]: index for index in description.get("GlobalSecondaryIndexes", [])}
    if strategy.index not in indexes:
        raise SetupError(f"{which} does not exist, there are {sorted(indexes)}: create it, or correct the mapping")
    index = indexes[strategy.index]
    if index["IndexStatus"] == "DELETING":
        raise SetupError(f"{which} is being deleted: correct the mapping, or create it again")
    if index["IndexStatus"] == "CREATING" or index.get("Backfilling"):  # one that is UPDATING can be read
        raise SetupError(f"{which} is {index['IndexStatus']}, still being built: clear plan when it is ACTIVE")
    if index["Projection"]["ProjectionType"] == "ALL":
        raise SetupError(f"{which} projects ALL, so that each count reads whole conversations: project KEYS_ONLY")
    schema = index["KeySchema"]
    key, sort = [*(part["AttributeName"] for part in schema), None][:2]
    types = {part["AttributeName"]: part["AttributeType"] for part in description["AttributeDefinitions"]}
    is_of_one_key = [part["KeyType"] for part in schema].count("HASH") == 1  # an index may have up to four
    if not is_of_one_key or types[key] != "S" or types.get(sort) == "B":
        raise SetupError(
            f"{which} has the key {[(part['AttributeName'], types[part['AttributeName']]) for part in schema]}: the "
            "partition key must be one attribute of type S, the sort key S or N"
        )
    if isinstance(strategy, PendingIndex):
        removable = {key, sort} - {part["AttributeName"] for part in description["KeySchema"]}
        if strategy.attribute not in removable:
            raise SetupError(
                f"{which} has the key {[key, sort]}, so that removing {strategy.attribute!r} takes nothing out of it: "
                "name a key of the index that is no key of the table"
            )
    return IndexPart(index=strategy.index, key=key, sort=sort, ranges=())


class IndexWalk:
    """The counting of an index, with queries that return counts and no items."""

    def __init__(self, client: "DynamoDBClient", table: str, index: IndexPart, per_segment: int) -> None:
        self.client, self.table, self.index, self.per_segment = client, table, index, per_segment

    def pieces(self, keys: Iterable[tuple[str, str]]) -> list[Piece]:
        """
        Return what the index holds under *keys* (values with their days), cut into pieces of at most *per_segment*.

        Entries with the very same sort key cannot be cut: such a piece may be larger, and the log says so.
        """
        with ThreadPoolExecutor(WALKERS) as crew:
            return [piece for pieces in crew.map(self._cut, keys) for piece in pieces]

    def _cut(self, key: tuple[str, str]) -> list[Piece]:
        value, day = key
        pieces: list[Piece] = []
        start: Border | None = None
        while True:
            entries, last = self._count(value, start)
            if last is None:
                return [*pieces, Piece(_range(value, start, None), entries, day)] if entries else pieces
            if self.index.sort is None:
                return [Piece(Range(value=value), self._all(value, ""), day)]
            if last != start:
                # Where its last entries share the sort key of the border, a piece holds fewer than this.
                pieces.append(Piece(_range(value, start, last), entries - 1, day))
                start = last
                continue
            same = self._all(value, "#sort = :start", start=start)
            log.info("%s entries of %r have the same sort key, and cannot be cut: one segment", same, value)
            pieces[-1:] = self._recounted(pieces[-1], start)
            following = self._following(value, start)
            pieces.append(Piece(_range(value, start, following), same, day))
            if following is None:
                return pieces
            start = following

    def _count(self, value: str, start: Border | None) -> tuple[int, Border | None]:
        """Count from *start* until one more than fits, and return where that one lies; None where all fits."""
        sort_is, borders = ("#sort >= :start", {"start": start}) if start else ("", {})
        most = self.per_segment + 1
        entries, last = 0, None
        for page in self._pages(key_condition(self.index, value, sort_is, **borders), most):
            entries, last = entries + page["Count"], page.get("LastEvaluatedKey")
        if last is None or entries < most:
            return entries, None
        return entries, last[self.index.sort] if self.index.sort else last

    def _all(self, value: str, sort_is: str, **borders: Border) -> int:
        return sum(page["Count"] for page in self._pages(key_condition(self.index, value, sort_is, **borders)))

    def _recounted(self, piece: Piece, end: Border) -> list[Piece]:
        """Return *piece*, whose *end* more entries share than fit, with its true count, or nothing if it is empty."""
        start, value = piece.range.start, piece.range.value
        entries = self._all(value, "#sort < :end", end=end)
        if start:
            entries -= self._all(value, "#sort < :start", start=start)
        return [Piece(piece.range, entries, piece.day)] if entries else []

    def _following(self, value: str, border: Border) -> Border | None:
        request = key_condition(self.index, value, "#sort > :start", start=border)
        entries = self.client.query(TableName=self.table, Limit=1, **request)["Items"]
        return entries[0][self.index.sort] if entries else None  # type: ignore[index]

    def _pages(self, condition: dict[str, Any], most: int | None = None) -> Iterator[Any]:
        """Yield the counting pages of a query, until *most* entries are counted."""
        more: dict[str, Any] = {}
        while most != 0:
            request = condition | more | ({} if most is None else {"Limit": most})
            page = self.client.query(TableName=self.table, Select="COUNT", **request)
            yield page
            last = page.get("LastEvaluatedKey")
            if not last:
                return
            more = {"ExclusiveStartKey": last}
            most = None if most is None else most - page["Count"]


def _range(value: str, start: Border | None, end: Border | None) -> Range:
    return Range(value=value, start=dict(start) if start else None, end=dict(end) if end else None)
