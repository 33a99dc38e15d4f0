"""
How policies are compared with what was asked of AWS, and that they allow what AWS does on behalf of a role.

What the code asks for is compared in tests/dags/test_strategies.py, whose runs ask for all of it.
"""

from tests.conftest import LocalAwsForTests
from tests.security.drift import beside, missing, policies_of_roles, unused
from tests.security.policies import Allowed


def test_the_pipeline_may_do_what_aws_does_on_its_behalf(local_aws: LocalAwsForTests) -> None:
    assert missing(policies_of_roles(local_aws)["pipeline"], beside()) == []


_SCAN = Allowed("dynamodb:Scan", "arn:aws:dynamodb:r:1:table/one", "Read")


def test_what_is_asked_for_and_not_allowed_is_named() -> None:
    asked = [("dynamodb:Scan", "arn:aws:dynamodb:r:1:table/two"), ("dynamodb:Query", _SCAN.resource)]

    assert missing([_SCAN], [(_SCAN.action, _SCAN.resource)]) == []
    assert missing([_SCAN], asked) == [f"dynamodb:Query on {_SCAN.resource}", f"dynamodb:Scan on {asked[0][1]}"]


def test_what_is_allowed_and_not_asked_for_is_named() -> None:
    assert unused([_SCAN], [(_SCAN.action, _SCAN.resource)]) == []
    assert unused([_SCAN], [("dynamodb:Query", _SCAN.resource)]) == [f"Read: dynamodb:Scan on {_SCAN.resource}"]
