"""Generated tables of which two users are told: SQL and reference agree."""

import pytest

from tests.sql.generated_summaries import GeneratedSummaries

SEEDS = range(34, 68)


@pytest.fixture(scope="module")
def generated(local_aws_server) -> GeneratedSummaries:
    local_aws_server.reset()
    local_aws_server.create_stack()
    clients = {name: local_aws_server.client(name) for name in ("s3", "glue", "athena")}
    return GeneratedSummaries(clients, SEEDS, min_users=2)


@pytest.mark.parametrize("seed", SEEDS)
def test_all_tables_of_two_editions_equal_the_recomputation_in_python(generated, seed):
    assert generated.differences(seed) == {}
