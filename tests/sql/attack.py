"""
What a reader can work out of one edition, or of two in a row: exact algebra over everything they count.

The attacker knows all rules and totals, which values and periods a row may hold, and what is pooled. Unknown to him is
how many conversations lie in each cell. A cell is found out when its count is the only one that fits: because it is a
sum of published ones (over the rationals), or because no count is negative (bounds, narrowed until nothing moves).
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from zoneinfo import ZoneInfo

from tests.sql.attack_pairs import Pairs
from tests.sql.knowledge import Cell, Knowledge, Sum, Target
from tests.sql.reference import summaries
from tests.sql.reference.conversations import Row, Telling, conversation, having, month_of, users
from tests.sql.reference.shown import DIMENSIONS, FEW, NUMERIC, told


@dataclass
class Published:
    """One edition as it was published, and what is behind it."""

    items: list[dict]
    telling: Telling
    tables: Mapping[str, list[Row]]

    @classmethod
    def of(cls, items: list[dict], telling: Telling) -> "Published":
        """Return the edition of *items* as the reference makes it."""
        return cls(items, telling, summaries(items, telling))

    @property
    def until(self) -> dict[tuple[str, str], tuple[str, date | None]]:
        """Until when each value is told."""
        return dict(self.telling.after(self.tables).published)

    @property
    def told_with(self) -> dict[tuple[str, date], date]:
        """With which day, week or week of a series each is told."""
        return {(row["kind"], row["period"]): row["told_with"] for row in self.tables["shown_periods"]}

    def by_id(self) -> dict[str, Row]:
        """Return the conversations that it tells of."""
        zone = ZoneInfo(self.telling.timezone)
        rows = [{**conversation(item, zone, self.telling.before), "id": item["conversation_id"]} for item in self.items]
        return {row["id"]: row for row in told(rows, self.telling)}


@dataclass(frozen=True)
class Fate:
    """What became of a conversation: is it one of the first edition's evaluated ones, and was it judged again since?"""

    is_old: bool
    is_judged_again: bool = False


@dataclass
class Finding:
    """A small group whose count is found out."""

    name: tuple
    conversations: int
    people: int
    how: str


@dataclass
class Report:
    """How many small groups were attacked, and which were found out."""

    attacked: int = 0
    found: list[Finding] = field(default_factory=list)


class Attack:
    """Everything that one edition, or two in a row, let a reader know."""

    def __init__(self, *editions: Published) -> None:
        self.editions = editions
        self._told = [edition.by_id() for edition in editions]
        # The last edition tells of all conversations that the first does: nothing is deleted between them.
        self._all: list[tuple[Row, Fate]] = [
            (row, self._fate(conversation_id)) for conversation_id, row in self._told[-1].items()
        ]
        self._evaluated = [(row, fate) for row, fate in self._all if row["outcome"] == "evaluated"]
        # It is no secret which categories were judged again, by what they were before.
        self._judged_again = {row["category_before"] for row, fate in self._evaluated if fate.is_judged_again}

    def _fate(self, conversation_id: str) -> Fate:
        before, now = (told.get(conversation_id) for told in (self._told[0], self._told[-1]))
        if before is None or before["outcome"] != "evaluated":
            return Fate(is_old=False)
        return Fate(is_old=True, is_judged_again=before["evaluated_at"] != now["evaluated_at"])

    def report(self, k: int) -> Report:
        """Attack every group of 1 to *k* - 1 people."""
        return _report(k, self._systems())

    def report_of_categories(self, k: int) -> Report:
        """Attack categories, days, weeks and months alone."""
        return _report(k, self._of_categories())

    def _systems(self) -> Iterator[tuple[Knowledge, list[Target]]]:
        # Tables of different dimensions have nothing in common but their totals: each dimension is a system of its own.
        for dimension in DIMENSIONS:
            if dimension != "category":
                pairs = Pairs(self, dimension) if dimension != "inquiry_score" else None
                system = _ByValue(self, dimension, pairs if pairs and any(pairs.told) else None)
                yield Knowledge(system.equations()), system.targets()
                yield from pairs.systems() if pairs else ()
        yield from self._of_categories()

    def _of_categories(self) -> Iterator[tuple[Knowledge, list[Target]]]:
        periods = _ByPeriod(self)
        yield Knowledge(periods.equations()), periods.targets()

    def evaluated(self) -> list[tuple[Row, Fate]]:
        """Return the evaluated conversations of the last edition."""
        return self._evaluated

    def all(self) -> list[tuple[Row, Fate]]:
        """Return the conversations of the last edition."""
        return self._all

    def fates(self, week: date | None, category: str | None = None) -> list[Fate]:
        """Return what may have become of an evaluated conversation of *week*, and of *category* (None: of any)."""
        if len(self.editions) == 1:
            return [Fate(is_old=True)]
        if week is not None and ("week", week) not in self.editions[0].told_with:
            return [Fate(is_old=False)]
        if category is not None:
            return [Fate(is_old=True, is_judged_again=self.before(category) in self._judged_again), Fate(is_old=False)]
        old = [Fate(is_old=True, is_judged_again=is_again) for is_again in {False, bool(self._judged_again)}]
        return [*old, Fate(is_old=False)]

    def before(self, category: str) -> str:
        """Return what a category was before the splits."""
        return self.editions[-1].telling.before.get(category, category)

    def is_counted(self, number: int, fate: Fate) -> bool:
        """Whether the edition of that number counts such a conversation as evaluated."""
        return fate.is_old or number == len(self.editions) - 1

    def label(self, number: int, dimension: str, value: str | None, fate: Fate) -> str | int | None:
        """Return under which label that edition counts it."""
        edition = self.editions[number]
        until = None if value is None else edition.until.get((dimension, value))
        is_as_it_was = fate.is_old and not (fate.is_judged_again and number)
        is_told = until is not None and (until[0] == edition.telling.counted_until or is_as_it_was)
        if dimension in NUMERIC:
            return int(value) if is_told and value is not None else None
        return value if is_told else FEW


def _report(k: int, systems: Iterator[tuple[Knowledge, list[Target]]]) -> Report:
    report = Report()
    for knowledge, targets in systems:
        for target in targets:
            people = users(target.members)
            if not 0 < people < k or target.is_total:
                continue
            report.attacked += 1
            if how := knowledge.how(target.cells):
                report.found.append(Finding(target.name, len(target.members), people, how))
    return report


TABLES = {
    "category": "category_counts",
    "inquiry_score": "score_distribution",
    "department": "department_usage",
    "user_group": "user_group_usage",
    "app_model": "app_model_usage",
    "language": "language_usage",
    "hour": "hour_usage",
}


class _ByValue:
    """The counts of one dimension."""

    def __init__(self, attack: Attack, dimension: str, pairs: Pairs | None) -> None:
        self._attack, self._dimension, self._value, self._pairs = attack, dimension, DIMENSIONS[dimension], pairs
        fates = {
            fate for week in (None, *(row["week"] for row, _ in attack.evaluated())) for fate in attack.fates(week)
        }
        values = {self._value(row) for row, _ in attack.evaluated()}
        values |= set("12345") if dimension == "inquiry_score" else set()  # everybody knows what scores there are
        details = pairs.details() if pairs else {(None, fate) for fate in fates}
        self._cells = [(value, *detail) for value in values for detail in details]

    def equations(self) -> Iterator[tuple[Sum, int]]:
        """Return what the editions say of it."""
        for number, edition in enumerate(self._attack.editions):
            counted = [cell for cell in self._cells if self._attack.is_counted(number, cell[-1])]
            for row in edition.tables[TABLES[self._dimension]]:
                cells = [
                    cell
                    for cell in counted
                    if self._attack.label(number, self._dimension, cell[0], cell[-1]) == row[self._dimension]
                ]
                yield dict.fromkeys(cells, 1), row["conversations"]
            evaluated = having(self._attack._told[number].values(), "evaluated")
            yield dict.fromkeys(counted, 1), len(evaluated)
            if self._dimension == "inquiry_score":
                yield from self._score_sums(number, counted, evaluated)
        if self._pairs:
            yield from self._pairs.equations(self._cells)

    def _score_sums(self, number: int, counted: list, evaluated: list[Row]) -> Iterator[tuple[Sum, int]]:
        """Means of a table with all rows add up to the sum of all scores."""
        tables = self._attack.editions[number].tables
        whole = [
            name for name in TABLES.values() if sum(row["conversations"] for row in tables[name]) == len(evaluated)
        ]
        if any("mean_inquiry_score" in row for name in whole for row in tables[name]):
            sums = {cell: int(cell[0]) for cell in counted}
            yield sums, sum(row["inquiry_score"] for row in evaluated)

    def targets(self) -> list[Target]:
        """Return the values in each edition, and what is new of them."""
        targets = _value_targets(self._attack, self._dimension, lambda value: [c for c in self._cells if c[0] == value])
        return [*targets, *(self._pairs.targets(self._cells) if self._pairs else ())]


def _value_targets(attack: Attack, dimension: str, cells_of: Callable[[str], list[tuple]]) -> Iterator[Target]:
    of = (lambda row: row["category"]) if dimension == "part" else DIMENSIONS[dimension]
    for value in {of(row) for row, _ in attack.evaluated()} - {None}:
        members = [(row, fate) for row, fate in attack.evaluated() if of(row) == value]
        for number in range(len(attack.editions)):
            cells = [cell for cell in cells_of(value) if attack.is_counted(number, cell[-1])]
            rows = [row for row, fate in members if attack.is_counted(number, fate)]
            everything = [row for row, fate in attack.evaluated() if attack.is_counted(number, fate)]
            yield Target(
                (dimension, value, "edition", number), dict.fromkeys(cells, 1), rows, len(rows) == len(everything)
            )
        if len(attack.editions) > 1:
            cells = [cell for cell in cells_of(value) if not cell[-1].is_old]
            rows = [row for row, fate in members if not fate.is_old]
            everything = [row for row, fate in attack.evaluated() if not fate.is_old]
            yield Target((dimension, value, "new"), dict.fromkeys(cells, 1), rows, len(rows) == len(everything))


class _ByPeriod:
    """The counts of categories in weeks, of days and of months."""

    def __init__(self, attack: Attack) -> None:
        self._attack = attack
        dated = [row for row, _ in attack.all() if row["day"]]
        self._weeks: list[date | None] = [*sorted({row["week"] for row in dated}), None]
        self._days = {(row["day"], row["week"]) for row in dated}
        self._categories = sorted({row["category"] for row, _ in attack.evaluated()})
        self._cells = [
            (category, week, fate)
            for category in self._categories
            for week in self._weeks
            for fate in attack.fates(week, category)
        ]
        self._cells_of_week: dict[date | None, list[tuple]] = defaultdict(list)
        for cell in self._cells:
            self._cells_of_week[cell[1]].append(cell)

    def _week(self, week: date) -> dict[Cell, int]:
        """All conversations of a week: the evaluated ones of each category and the others."""
        return dict.fromkeys([*self._cells_of_week[week], ("not evaluated", week)], 1)

    def _is_told(self, number: int, week: date) -> bool:
        return ("week", week) in self._attack.editions[number].told_with

    def equations(self) -> Iterator[tuple[Sum, int]]:
        """Return what the editions say of it."""
        for week in self._weeks[:-1]:
            days = {("day", day): -1 for day, of_week in self._days if of_week == week}
            yield self._week(week) | days, 0
        for number in range(len(self._attack.editions)):
            yield from self._of_categories(number)
            yield from self._of_periods(number)
            yield from self._of_trends(number)

    def _of_categories(self, number: int) -> Iterator[tuple[Sum, int]]:
        attack = self._attack
        counted = [cell for cell in self._cells if attack.is_counted(number, cell[-1])]
        for row in attack.editions[number].tables["category_counts"]:
            cells = [cell for cell in counted if self._label_today(number, cell) == row["category"]]
            yield dict.fromkeys(cells, 1), row["conversations"]
        everything = attack._told[number].values()
        yield dict.fromkeys(counted, 1), len(having(everything, "evaluated"))
        weeks = [week for week in self._weeks[:-1] if self._is_told(number, week)]
        undated = [cell for cell in self._cells_of_week[None] if attack.is_counted(number, cell[-1])]
        whole = dict.fromkeys([*undated, ("not evaluated", None, number)], 1)
        for week in weeks:
            whole |= self._week(week)
        yield whole, len(everything)

    def _label(self, number: int, cell: tuple) -> str | int | None:
        return self._attack.label(number, "category", self._attack.before(cell[0]), cell[-1])

    def _label_today(self, number: int, cell: tuple) -> str | int | None:
        part = self._attack.label(number, "part", cell[0], cell[-1])
        return self._label(number, cell) if part == FEW else part

    def _of_periods(self, number: int) -> Iterator[tuple[Sum, int]]:
        edition = self._attack.editions[number]
        told_with = edition.told_with
        weeks = [week for week in self._weeks[:-1] if self._is_told(number, week)]
        for row in edition.tables["daily_usage"]:
            cells = [
                ("day", day)
                for day, week in self._days
                if week in weeks and (told_with["week", week], told_with.get(("day", day))) == (row["week"], row["day"])
            ]
            yield dict.fromkeys(cells, 1), row["conversations"]
        for row in edition.tables["weekly_usage"]:
            found = [week for week in weeks if told_with["week", week] == row["week"]]
            yield from self._of_weeks(number, found, row)
        for row in edition.tables["monthly_usage"]:
            found = [week for week in weeks if month_of(told_with["week", week]) == row["month"]]
            yield from self._of_weeks(number, found, row)

    def _of_weeks(self, number: int, weeks: list[date], row: Row) -> Iterator[tuple[Sum, int]]:
        whole: dict[Cell, int] = {}
        for week in weeks:
            whole |= self._week(week)
        yield whole, row["conversations"]
        cells = [
            cell for week in weeks for cell in self._cells_of_week[week] if self._attack.is_counted(number, cell[-1])
        ]
        yield dict.fromkeys(cells, 1), row["evaluated"]

    def _of_trends(self, number: int) -> Iterator[tuple[Sum, int]]:
        edition = self._attack.editions[number]
        series = {row["period"]: row["told_with"] for row in edition.tables["shown_periods"] if row["kind"] == "series"}
        shown = {(row["grain"], row["category"]) for row in edition.tables["shown_series"]}
        counted = [cell for cell in self._cells if self._attack.is_counted(number, cell[-1]) and cell[1] in series]
        for row in edition.tables["category_trends"]:
            period_of = month_of if row["grain"] == "month" else lambda week: week
            cells = []
            for cell in counted:
                label = self._label(number, cell)
                label = label if (row["grain"], label) in shown else FEW
                if (period_of(series[cell[1]]), label) == (row["period"], row["category"]):
                    cells.append(cell)
            yield dict.fromkeys(cells, 1), row["conversations"]

    def targets(self) -> list[Target]:
        """Return categories, days, weeks and months, and categories in weeks and months."""
        attack = self._attack
        found = [
            *_value_targets(attack, "category", lambda value: [c for c in self._cells if attack.before(c[0]) == value]),
            *_value_targets(attack, "part", lambda value: [c for c in self._cells if c[0] == value]),
        ]
        groups: dict[tuple, Target] = {}

        def add(name: tuple, cells: Sum, row: Row) -> None:
            groups.setdefault(name, Target(name, cells)).members.append(row)

        by_month: dict[date, list[date]] = defaultdict(list)
        for week in self._weeks[:-1]:
            by_month[month_of(week)].append(week)
        for row, _ in attack.all():
            if row["day"]:
                add(("day", row["day"]), {("day", row["day"]): 1}, row)
                add(("week", row["week"]), self._week(row["week"]), row)
                whole = {cell: 1 for week in by_month[row["month"]] for cell in self._week(week)}
                add(("month", row["month"]), whole, row)
                if row["outcome"] == "evaluated":
                    for name, weeks in (("week", [row["week"]]), ("month", by_month[row["month"]])):
                        here = [cell for week in weeks for cell in self._cells_of_week[week]]
                        part, whole_category = row["category"], row["category_before"]
                        add(("part", part, name, row[name]), {c: 1 for c in here if c[0] == part}, row)
                        cells = {c: 1 for c in here if attack.before(c[0]) == whole_category}
                        add(("category", whole_category, name, row[name]), cells, row)
        return [*found, *groups.values()]
