"""The files beside the report: for whom they are, and that both kinds hold the rows of the table."""

import io
from typing import Any

import pyarrow.parquet as pq
import pytest

from chatcensus.aws.athena import Athena
from chatcensus.aws.downloads import write_downloads
from chatcensus.summaries import Audience, Column, Summary
from tests.conftest import RESULT_BUCKET, LocalAwsForTests

FOLDER = "reports/edition=01604474914028-a1b2c3d4-00000001"
COLUMNS = (
    Column(name="category", type="string", description="Key of a category"),
    Column(name="conversations", type="bigint", description="Conversations"),
    Column(name="share", type="double", description="Share, 0 to 1"),
)
ROWS = [
    {"category": "coding", "conversations": 3, "share": 0.75},
    {"category": "=1+1", "conversations": 1, "share": 0.25},
]
SELECT = """
select category, conversations, share
from (values ('coding', bigint '3', 0.75e0), ('=1+1', bigint '1', 0.25e0)) as t (category, conversations, share)
"""


def summary(table: str, audience: Audience = "readers") -> Summary:
    return Summary(table=table, audience=audience, description="A table", columns=COLUMNS)


@pytest.fixture
def s3(local_aws: LocalAwsForTests) -> Any:
    local_aws.create_stack()
    return local_aws.client("s3")


def address(prefix: str) -> str:
    return f"s3://{RESULT_BUCKET}/{prefix}"


def read(s3: Any, key: str) -> bytes:
    return s3.get_object(Bucket=RESULT_BUCKET, Key=key)["Body"].read()


def names(s3: Any, prefix: str) -> list[str]:
    found = s3.list_objects_v2(Bucket=RESULT_BUCKET, Prefix=prefix).get("Contents", [])
    return sorted(each["Key"].removeprefix(f"{FOLDER}/tables/") for each in found)


def test_a_table_is_written_as_csv_and_as_the_parquet_that_athena_wrote(s3: Any, local_aws: LocalAwsForTests) -> None:
    prefix = "summaries/readers/category_counts/edition=e/try=0123456789ab/"
    athena = Athena(local_aws.client("athena"), "chatcensus", "chatcensus")
    athena.rows(f"unload ({SELECT}) to '{address(prefix)}' with (format = 'PARQUET')")

    written = write_downloads(
        s3,
        RESULT_BUCKET,
        FOLDER,
        [summary("category_counts")],
        {"category_counts": ROWS},
        {"category_counts": address(prefix)},
    )

    [csv, *parquet] = written["category_counts"]
    rows = [row for key in parquet for row in pq.read_table(io.BytesIO(read(s3, key))).to_pylist()]
    assert read(s3, csv) == b"\xef\xbb\xbfcategory,conversations,share\r\ncoding,3,0.75\r\n'=1+1,1,0.25\r\n"
    assert sorted(rows, key=lambda row: row["share"], reverse=True) == ROWS
    assert parquet[0] == f"{FOLDER}/tables/readers/category_counts.parquet"


def test_several_parquet_files_are_numbered_in_their_order_and_empty_objects_are_none(s3: Any) -> None:
    for name, content in {"b": b"second", "a": b"first", "c": b"", "d": b"third"}.items():
        s3.put_object(Bucket=RESULT_BUCKET, Key=f"summaries/t/try=1/{name}", Body=content)

    written = write_downloads(
        s3, RESULT_BUCKET, FOLDER, [summary("t")], {"t": ROWS}, {"t": address("summaries/t/try=1/")}
    )

    contents = {key.removeprefix(f"{FOLDER}/tables/readers/"): read(s3, key) for key in written["t"][1:]}
    assert contents == {"t.parquet": b"first", "t-2.parquet": b"second", "t-3.parquet": b"third"}


def test_the_files_of_another_try_are_not_taken(s3: Any) -> None:
    for number in (1, 12):
        s3.put_object(Bucket=RESULT_BUCKET, Key=f"summaries/t/try={number}/a", Body=b"%d" % number)

    write_downloads(s3, RESULT_BUCKET, FOLDER, [summary("t")], {"t": ROWS}, {"t": address("summaries/t/try=1/")})

    assert names(s3, FOLDER) == ["readers/t.csv", "readers/t.parquet"]
    assert read(s3, f"{FOLDER}/tables/readers/t.parquet") == b"1"


def test_a_table_without_rows_is_a_header_and_no_parquet(s3: Any) -> None:
    s3.put_object(Bucket=RESULT_BUCKET, Key="summaries/t/try=1/a", Body=b"a file with a schema and no rows")

    written = write_downloads(
        s3, RESULT_BUCKET, FOLDER, [summary("t")], {"t": []}, {"t": address("summaries/t/try=1/")}
    )

    assert written == {"t": [f"{FOLDER}/tables/readers/t.csv"]}
    assert names(s3, FOLDER) == ["readers/t.csv"]


def test_operators_tables_are_kept_apart_from_those_of_readers(s3: Any) -> None:
    both = [summary("usage"), summary("failures", "operators")]

    write_downloads(s3, RESULT_BUCKET, FOLDER, both, {"usage": [], "failures": []}, {"usage": "", "failures": ""})

    assert names(s3, FOLDER) == ["operators/failures.csv", "readers/usage.csv"]


def test_what_later_statements_read_is_no_file_for_anybody(s3: Any) -> None:
    both = [summary("usage"), summary("told", "workings")]

    written = write_downloads(s3, RESULT_BUCKET, FOLDER, both, {"usage": [], "told": ROWS}, {"usage": "", "told": ""})

    assert list(written) == ["usage"]
    assert names(s3, FOLDER) == ["readers/usage.csv"]


def test_a_spreadsheet_is_told_what_the_files_are(s3: Any) -> None:
    s3.put_object(Bucket=RESULT_BUCKET, Key="summaries/t/try=1/a", Body=b"parquet")

    written = write_downloads(
        s3, RESULT_BUCKET, FOLDER, [summary("t")], {"t": ROWS}, {"t": address("summaries/t/try=1/")}
    )

    types = [s3.head_object(Bucket=RESULT_BUCKET, Key=key)["ContentType"] for key in written["t"]]
    assert types == ["text/csv; charset=utf-8", "application/vnd.apache.parquet"]
