"""Glue's optimistic lock holds in the local AWS."""

import pytest


@pytest.fixture
def glue(local_aws):
    local_aws.create_stack()
    client = local_aws.client("glue")
    client.create_table(DatabaseName="chatcensus", TableInput={"Name": "t", "Parameters": {"n": "0"}})
    return client


def _table(glue):
    return glue.get_table(DatabaseName="chatcensus", Name="t")["Table"]


def test_an_update_from_the_present_version_is_taken(glue):
    version = _table(glue)["VersionId"]

    glue.update_table(DatabaseName="chatcensus", TableInput={"Name": "t", "Parameters": {"n": "1"}}, VersionId=version)

    assert _table(glue)["Parameters"] == {"n": "1"}
    assert _table(glue)["VersionId"] != version


def test_an_update_from_a_stale_version_is_refused(glue):
    stale = _table(glue)["VersionId"]
    glue.update_table(DatabaseName="chatcensus", TableInput={"Name": "t", "Parameters": {"n": "1"}})

    with pytest.raises(glue.exceptions.ConcurrentModificationException):
        glue.update_table(
            DatabaseName="chatcensus", TableInput={"Name": "t", "Parameters": {"n": "2"}}, VersionId=stale
        )

    assert _table(glue)["Parameters"] == {"n": "1"}


def test_an_update_of_an_unknown_table_is_not_found(glue):
    with pytest.raises(glue.exceptions.EntityNotFoundException):
        glue.update_table(DatabaseName="chatcensus", TableInput={"Name": "u"}, VersionId="1")
