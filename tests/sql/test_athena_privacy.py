"""No statement that fails says what is in the data: its error is kept, logged by operators, and read by anybody."""

from collections.abc import Iterator

import pytest

from local_aws.athena.functions.scalars import SCALARS
from tests.sql.athena_harness import Athena, running_athena

SECRET = "Zq7whisperXw"
# What functions choke on: broken JSON, dates, numbers, patterns, addresses.
TEXTS = [
    SECRET, f'{{"a":{SECRET}}}', f'["{SECRET}",', f"{SECRET}-01-01", f"12{SECRET}", f"\\{SECRET}", f"%{SECRET}",
    f"({SECRET}", f"http://{SECRET}:x/%zz", f"2026-01-01T{SECRET}",
]  # fmt: skip
ARGUMENTS = ("x", "x, x", "x, 1", "'day', x, x")
TYPES = ("integer", "double", "decimal(10,2)", "date", "timestamp", "boolean", "json", "varchar(3)", "array(integer)")
FORMS = ("date_parse(x, x)", "map(array[x, x], array[1, 2])", "map(array[x], array[1])['q']", "x like x escape x")


@pytest.fixture(scope="module")
def athena() -> Iterator[Athena]:
    with running_athena() as running:
        for number, text in enumerate(TEXTS):
            running.put_parquet_table(f"t{number}", {"x": "string"}, [[text]])
        running.put_parquet_table("t", {"x": "string"}, [[text] for text in TEXTS])
        yield running


@pytest.mark.parametrize("name", sorted(SCALARS))
def test_no_function_quotes_the_text_that_it_cannot_take(athena: Athena, name: str) -> None:
    for arguments in ARGUMENTS:
        answer = athena.ask(f"select {name}({arguments}) from t")
        assert SECRET not in answer.message, arguments


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("table", range(len(TEXTS)))
def test_no_cast_quotes_the_text_that_it_cannot_take(athena: Athena, kind: str, table: int) -> None:
    for value in ("x", "json_parse(x)"):
        answer = athena.ask(f"select cast({value} as {kind}) from t{table}")
        assert SECRET not in answer.message


@pytest.mark.parametrize("form", FORMS)
def test_no_other_expression_quotes_its_text(athena: Athena, form: str) -> None:
    answer = athena.ask(f"select {form} from t")

    assert answer.kind != "ok"
    assert SECRET not in answer.message
