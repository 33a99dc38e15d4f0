"""Trino's meaning where DuckDB, or a plain translation, has another: right answers, user errors, refusals."""

from collections.abc import Iterator

import pytest

from tests.sql.athena_harness import Athena, running_athena


@pytest.fixture(scope="module")
def athena() -> Iterator[Athena]:
    with running_athena() as running:
        yield running


# fmt: off
RIGHT = {
    "select -5 / 2, -5 % 2, 5 / -2.0": "-2 -1 -2.5",
    "select avg(x), avg(y) from (values (1, 1.5), (2, 2.25)) as t(x, y)": "1.5 1.88",
    "select 1 = 1.0, 1 = 1e0, 0.1 = 0.1e0": "true true true",
    "select sum(0.1), sum(1e-1) from (values 1, 2, 3) as t(x)": "0.3 0.30000000000000004",
    "select round(1234.5678, 2), round(-0.5), round(1e0/3, 4)": "1234.5700 -1 0.3333",
    "select 1e0/0, -1e0/0": "Infinity -Infinity",
    "select substr('hello', 0) = '', substr('hello', 6) = '', substr('hello', -3, 2)": "true true ll",
    "select upper('straße'), length('日本'), substr('日本語', 2, 1)": "STRAßE 2 本",
    "select trim(chr(12288) || 'x' || chr(9)), ltrim('  a')": "x a",
    "select split_part('a,b', ',', 2), lpad('5', 3, '0'), lpad('hello', 2, 'x')": "b 005 he",
    "select 'B' < 'a', 'a' like 'A', 'a_b' like 'a!_b' escape '!'": "true false true",
    "select timestamp '2026-01-01 00:00:00' < date '2026-01-02'": "true",
    "select date_diff('month', timestamp '2026-01-31 10:00:00', timestamp '2026-02-28 09:00:00')": "0",
    "select date_diff('second', timestamp '2026-01-01 00:00:00.500', timestamp '2026-01-01 00:00:01.400')": "0",
    "select timestamp '2026-03-31 00:00:00' - interval '1' month": "2026-02-28_00:00:00.000",
    "select from_iso8601_timestamp('2026-01-01T05:06:07.123456789Z')": "2026-01-01_05:06:07.123_UTC",
    "select date(from_iso8601_timestamp('2026-01-01T00:00:00+09:00') at time zone 'UTC')": "2025-12-31",
    "select from_iso8601_timestamp('2026-01-01T00:00:00+09:00') = timestamp '2025-12-31 15:00:00'": "true",
    "select current_date = date(now()), now() = current_timestamp": "true true",
    "select hour(from_iso8601_timestamp('2026-02-03T20:00:00Z') at time zone 'Asia/Tokyo')": "5",
    "select from_unixtime(1.5), to_unixtime(timestamp '2026-01-01 00:00:00')":
        "1970-01-01_00:00:01.500_UTC 1.7672256E9",
    "select cast(12.50 as varchar), cast(timestamp '2026-01-01 01:02:03.400' as varchar)":
        "12.50 2026-01-01_01:02:03.400",
    "select typeof(coalesce('a', 'bcd')), typeof(sum(1)), typeof(1.5 * 2)": "varchar(3) bigint decimal(12,1)",
    "select sum(count(*)) over (), count(*) from (values 1, 1, 2) as t(x) group by x order by 2": "3 1 | 3 2",
    "select array_agg(x order by x desc), array_agg(distinct x order by x) from (values 1, 3, 2, 3) as t(x)":
        "[3,_3,_2,_1] [1,_2,_3]",
    "select lag(x) ignore nulls over (order by y) from (values (1, 1), (null, 2), (3, 3)) as t(x, y) order by y":
        "- | 1 | 1",
    "select -x as x from (values 2, 1) as t(x) order by x": "-2 | -1",
    "select upper(x) as x from (values 'b', 'a') as t(x) order by x": "A | B",
    "select x, grouping(x) from (values 1, 2) as t(x) group by rollup(x) order by 1": "1 0 | 2 0 | - 1",
    "select * from (values 1, 2) as a(x) join (values 2, 3) as b(x) using (x)": "2",
    "select x from (values 1, 2, 3) as t(x) where x not in (select y from (values 2, null) as b(y))": "",
    "select (select max(y) from (values 1, 5) as b(y) where y < t.x) from (values 3, 9) as t(x) order by 1": "1 | 5",
    "select x, y from unnest(array[3, 1], array['a']) as t(x, y) order by x": "1 - | 3 a",
    "select k, v from unnest(map(array['a', 'b'], array[1, 2])) as t(k, v) order by k": "a 1 | b 2",
    "select * from unnest(array[row(1, 'a')]) as t(n, s)": "1 a",
    "select row(1, 'a'), map(array['a'], array[1])": "{field0=1,_field1=a} {a=1}",
    "select json_format(json_parse('{\"b\":1, \"a\":[1,2.5,null,true]}'))": '{"a":[1,2.5,null,true],"b":1}',
    "select case when x > 5 then cast('1 ' as double) else 1 end from (values 1) as t(x)": "1.0",
    "select try(from_iso8601_timestamp('x')), try(cast('abc' as date))": "- -",
    "select from_iso8601_date('2026'), from_iso8601_date('2026-10')": "2026-01-01 2026-10-01",
    "select from_iso8601_date('2020-W10'), from_iso8601_date('2020-W10-7')": "2020-03-02 2020-03-08",
    "select from_iso8601_date('2020-123'), try(from_iso8601_date('2026-366'))": "2020-05-02 -",
    "select try(from_iso8601_timestamp('2026-W41-3T01:02Z'))": "2026-10-07_01:02:00.000_UTC",
    "select from_iso8601_timestamp('2026-300')": "2026-10-27_00:00:00.000_UTC",
    "select try(cast(x as date)) from (values '2026-02-30') as t(x)": "-",
    "select x, count(*) from (values 1) as t(x) group by grouping sets ((x), ()) order by 1": "1 1 | - 1",
    "select array[array[7]][1][1], index[1] from (values array[1]) as t(index)": "7 1",
    "with t as (select 1 as x) select * from (with t as (select 2 as x) select x from t) as u": "2",
    "select count(*) from (select 1 as x, 2 as x) as t": "1",
    "with a as (select 1 as x), b as (select x + 1 as x from a) select a.x, b.x from a, b": "1 2",
    "select x from (values 3, 1, 2) as t(x) order by x offset 1 limit 1": "2",
    "select 1 as a union all select 2 as b order by a desc": "2 | 1",
}
USER_ERRORS = {
    "select true = 1": "TYPE_MISMATCH",
    "select 'a' || 1": "TYPE_MISMATCH",
    "select coalesce(1, 'a')": "TYPE_MISMATCH",
    "select date '2026-01-01' = '2026-01-01'": "TYPE_MISMATCH",
    "select 1 where 1": "TYPE_MISMATCH",
    "select 1 union select 'a'": "TYPE_MISMATCH",
    "select x, count(*) from (values 1) as t(x)": "EXPRESSION_NOT_AGGREGATE",
    "select 1 from (values 1) as t(x) where sum(x) > 1": "EXPRESSION_NOT_SCALAR",
    "select sum(sum(x)) from (values 1) as t(x)": "EXPRESSION_NOT_SCALAR",
    "select row_number()": "MISSING_OVER",
    "select count(distinct x) over () from (values 1) as t(x)": "NOT_SUPPORTED",
    "select distinct x from (values 1) as t(x) order by x + 1": "EXPRESSION_NOT_IN_DISTINCT",
    "select x from (values 1) as a(x), (values 2) as b(x)": "AMBIGUOUS_NAME",
    "select a.x from (values 1) as a(x) join (values 1) as b(x) using (x)": "COLUMN_NOT_FOUND",
    "select x as y from (values 1) as t(x) where y = 1": "COLUMN_NOT_FOUND",
    "select 1 as a union all select 2 as b order by b": "COLUMN_NOT_FOUND",
    "select 5 % 0": "DIVISION_BY_ZERO",
    "select 5 / 0.0": "DIVISION_BY_ZERO",
    "select 9223372036854775807 + 1": "NUMERIC_VALUE_OUT_OF_RANGE",
    "select sum(x) from (values 9223372036854775807, 1) as t(x)": "NUMERIC_VALUE_OUT_OF_RANGE",
    "select cast('2026-01-01T00:00:00' as timestamp)": "INVALID_CAST_ARGUMENT",
    "select date_trunc('hour', date '2026-01-01')": "INVALID_FUNCTION_ARGUMENT",
    "select date '2026-01-01' + interval '1' hour": "INVALID_FUNCTION_ARGUMENT",
    "select date_format(now(), '%D')": "INVALID_FUNCTION_ARGUMENT",
    "select now() at time zone 'Mars/Base'": "INVALID_FUNCTION_ARGUMENT",
    "select regexp_like('a', '(')": "INVALID_FUNCTION_ARGUMENT",
    "select array[1, 2][0]": "INVALID_FUNCTION_ARGUMENT",
    "select 1 order by 2": "INVALID_COLUMN_REFERENCE",
    "select * from (values 1) as t(x, y)": "MISMATCHED_COLUMN_ALIASES",
    "with t as (select 1 as x), T as (select 2 as x) select x from t": "DUPLICATE_NAMED_QUERY",
    "select x from (values 1) as t(x) group by rollup(1, 2)": "INVALID_COLUMN_REFERENCE",
    "select x from (values 1) as t(x) group by grouping sets ((1))": "INVALID_COLUMN_REFERENCE",
    "select upper(x) from (values 'a') as t(x) group by rollup(upper(x))": "INVALID_COLUMN_REFERENCE",
    "select upper(x) from (values 'a') as t(x) group by cube(upper(x))": "INVALID_COLUMN_REFERENCE",
    "select from_iso8601_date('2026-02-30')": "INVALID_FUNCTION_ARGUMENT",
    "select from_iso8601_timestamp('yesterday')": "INVALID_FUNCTION_ARGUMENT",
    "select date '2026-02-30'": "INVALID_LITERAL",
    "select try(date '2026-02-30')": "INVALID_LITERAL",
    "select timestamp '2026-13-01 00:00:00'": "INVALID_LITERAL",
    "select cast(x as date) from (values '2026-02-30') as t(x)": "INVALID_CAST_ARGUMENT",
    "select cast('2026-02-30 00:00:00' as timestamp)": "INVALID_CAST_ARGUMENT",
}
REFUSED = [
    "select format('%s', 1)",
    "select random()",
    "select soundex('x')",
    "select 0e0/0",
    "select try(sqrt(-1))",
    "select try(from_iso8601_timestamp(x)) from (values '2026-01-01T00:00:00+09:00') as t(x)",
    "select try_cast(' 1' as double)",
    "select try(from_iso8601_timestamp('2026-10-1'))",
    "select try(from_iso8601_timestamp('T03:00'))",
    "select try(from_iso8601_date(x)) from (values '20261001') as t(x)",
    "select x from (values 1) as t(x) group by grouping sets (rollup(x))",
    "select cast(1.005e0 as decimal(3,2))",
    "select timestamp '2026-01-01 01:02:03.1234'",
    "select array_sort(array[1, 2], (x, y) -> -1)",
    "select reduce(array[1.5], 0, (s, x) -> s + x, s -> s)",
    "select map_union(m) from (values map(array['a'], array[1]), map(array['a'], array[2])) as t(m)",
    "select covar_pop(x, x) from (values infinity(), 1e0) as t(x)",
    "select date_parse('13 PM', '%H %p')",
    "select date_parse('Mon 2020-01-01', '%a %Y-%m-%d')",
    "select parse_datetime(x, 'yyyy Z') from (values '2020 +0900') as t(x)",
    "select time '01:02:03.1234'",
    "select hour(date '2020-01-01')",
    "select now() at time zone 'JST'",
    "select row(1, 2) in (select row(1, 2))",
    "select listagg(x, ',' on overflow error) within group (order by x) from (values 'a') as t(x)",
    "select x from (values 1) as t(x) group by distinct rollup (x), rollup (x)",
    "select lag(x, y) over (order by x) from (values (1, 1)) as t(x, y)",
    "select array[1, 2] < array[1, 2]",
    "with recursive t(n) as (select 1 union all select n + 1 from t where n < 3) select * from t",
    "select * from (values 1) as t(x) tablesample bernoulli (10)",
    "select * from information_schema.tables",
    "select * from other.d.t",
    "select approx_percentile(x, 0.5) from (values 1, 2) as t(x)",
    "select approx_distinct(x) from unnest(sequence(1, 300)) as t(x)",
    "select sum(x) over (order by x rows y preceding) from (values (1, 1)) as t(x, y)",
    "select regexp_replace('a', '(?<n>a)', '${n}')",
    "select regexp_like('é', '\\w')",
    "select json_extract('{}', '$..a')",
    "select format_datetime(now(), 'zzz')",
]
# fmt: on


def _text(rows: list[tuple[str | None, ...]]) -> str:
    return " | ".join(" ".join("-" if cell is None else cell.replace(" ", "_") for cell in row) for row in rows)


@pytest.mark.parametrize(("sql", "expected"), RIGHT.items())
def test_a_statement_means_what_it_means_in_trino(athena: Athena, sql: str, expected: str) -> None:
    assert _text(athena.rows(sql)) == expected


@pytest.mark.parametrize(("sql", "code"), USER_ERRORS.items())
def test_a_user_error_is_one_here_too(athena: Athena, sql: str, code: str) -> None:
    answer = athena.ask(sql)

    assert (answer.kind, answer.message.partition(":")[0]) == ("user", code)


@pytest.mark.parametrize("sql", REFUSED)
def test_what_cannot_be_translated_faithfully_is_refused(athena: Athena, sql: str) -> None:
    answer = athena.ask(sql)

    assert answer.kind == "unsupported"
    assert answer.message.startswith("LOCAL_AWS_UNSUPPORTED: ")
