"""The suite's own tools: a reply of the wrong shape is seen, and money ends where the cap says."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import botocore.session
import pytest
from botocore.model import ServiceModel

from tests.contract.budget import Budget, OverBudget
from tests.contract.shapes import violations

SESSION = botocore.session.get_session()


@pytest.fixture(scope="module")
def converse() -> ServiceModel:
    return SESSION.get_service_model("bedrock-runtime")


def reply(**changes: Any) -> dict[str, Any]:
    """Return a whole Converse reply, with changes."""
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": "x"}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
        "metrics": {"latencyMs": 1},
        **changes,
    }


def found(model: ServiceModel, operation: str, body: Any, **options: bool) -> list[str]:
    shape = model.operation_model(operation).output_shape
    assert shape
    return list(violations(shape, body, **options))


def test_a_reply_as_the_model_says_has_no_violation(converse: ServiceModel) -> None:
    assert found(converse, "Converse", reply()) == []


@pytest.mark.parametrize(
    ("changes", "violation"),
    [
        ({"usage": {"inputTokens": 1, "outputTokens": 1}}, ".usage.totalTokens is missing"),
        (
            {"usage": {"inputTokens": "1", "outputTokens": 1, "totalTokens": 2}},
            ".usage.inputTokens is str, not a integer",
        ),
        ({"stopReason": "because"}, ".stopReason is none of end_turn"),
        ({"extra": 1}, ".extra is not in the model"),
        ({"metrics": {"latencyMs": True}}, ".metrics.latencyMs is bool, not a long"),
        ({"output": {"message": []}}, ".output.message is list, not a structure"),
        ({"output": {"message": {"role": "assistant", "content": {}}}}, ".content is dict, not a list"),
        ({"output": {"message": {"role": "assistant", "content": [{}]}}}, "holds 0 members of a union, not one"),
    ],
)
def test_what_the_model_does_not_say_is_found(converse: ServiceModel, changes: dict[str, Any], violation: str) -> None:
    (only,) = found(converse, "Converse", reply(**changes))

    assert violation in only


def test_a_newer_service_may_say_more_but_not_less(converse: ServiceModel) -> None:
    more = reply(extra=1, stopReason="refusal")

    assert found(converse, "Converse", more, allows_more=True) == []
    assert found(converse, "Converse", {**more, "metrics": {}}, allows_more=True) == [".metrics.latencyMs is missing"]


def test_a_time_must_be_a_number_where_the_model_says_so() -> None:
    dynamodb = SESSION.get_service_model("dynamodb")

    body = {"ExportDescription": {"ExportTime": "2026-10-01T00:00:00Z"}}

    assert found(dynamodb, "DescribeExport", body) == [
        ".ExportDescription.ExportTime is str, not a timestamp as a number"
    ]


@pytest.fixture
def exports() -> Iterator[Any]:
    return SESSION.get_service_model("dynamodb").operation_model("ExportTableToPointInTime")


def test_a_call_that_could_pass_the_cap_is_not_sent(exports: Any) -> None:
    budget = Budget(Decimal("0.25"))
    budget.pay(exports)
    budget.pay(exports)

    with pytest.raises(OverBudget, match=r"may cost 0\.10 USD; 0\.20 of 0\.25 USD are spent"):
        budget.pay(exports)


def test_a_call_without_a_price_is_not_sent() -> None:
    with pytest.raises(KeyError, match="has no price"):
        Budget(Decimal(100)).pay(SESSION.get_service_model("ec2").operation_model("RunInstances"))


def test_what_was_made_may_be_removed_when_the_money_is_spent(exports: Any) -> None:
    budget = Budget(Decimal("0.10"))
    budget.pay(exports)

    budget.pay(SESSION.get_service_model("dynamodb").operation_model("DeleteTable"))

    assert budget.spent > budget.cap
