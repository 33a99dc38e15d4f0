"""Two editions of each of many generated tables, by our SQL and by the reference."""

from typing import Any

from tests.sql.generated_items import generated_editions
from tests.sql.reference import OPERATORS, PAIRS, READERS, summaries
from tests.sql.rows import difference
from tests.sql.translated import Statements
from tests.sql.warehouse import GENERATED, Warehouse


class GeneratedSummaries:
    """The generated tables of *seeds*, whose values are told from *min_users* users on."""

    def __init__(self, clients: dict[str, Any], seeds: range, min_users: int) -> None:
        self._min_users = min_users
        self._editions = {seed: generated_editions(seed) for seed in seeds}
        snapshots = {
            f"{seed}-{number}": edition.items
            for seed, editions in self._editions.items()
            for number, edition in enumerate(editions)
        }
        self._statements = Statements(Warehouse(clients, mapping=GENERATED), (*READERS, *PAIRS, *OPERATORS), snapshots)

    def differences(self, seed: int) -> dict[str, str]:
        """Return where SQL and reference differ, in the first edition and in the next, by edition and table."""
        published, wanted, found = None, None, {}
        for number, edition in enumerate(self._editions[seed]):
            telling = edition.telling(self._min_users)
            telling = telling.after(wanted) if wanted else telling
            wanted = summaries(edition.items, telling)
            made = self._statements.rows(f"{seed}-{number}", telling, published)
            for table, rows in wanted.items():
                if differs := difference(made[table], rows):
                    found[f"{number} {table}"] = differs
            published = made
        return found
