"""The money of a live run: every call is paid for at its worst-case price before it is sent."""

from decimal import Decimal
from typing import Any

from botocore.model import OperationModel

# USD a call, worst case for what this suite sends (a few kilobytes). As of November 2026: an Athena query is billed at
# least 10 MB at 5 USD a TB, an export 0.10 USD for each GB begun, a Converse call here has at most 4,000 tokens in and
# 128 out of a model of at most 1 USD and 5 USD a million. Unverified on an invoice.
_PRICES = {
    ("athena", "StartQueryExecution"): Decimal("0.00005"),
    ("dynamodb", "ExportTableToPointInTime"): Decimal("0.10"),
    ("bedrock-runtime", "Converse"): Decimal("0.005"),
    ("bedrock-runtime", "CountTokens"): Decimal("0.0001"),
}
# Any other call to these: a write unit, a PUT, a request of the catalog.
_SMALL = Decimal("0.00001")
_SMALL_SERVICES = {"athena", "bedrock", "dynamodb", "glue", "s3", "sts"}
# Never refused, whatever is spent: else what the run made would stay behind and cost more.
_CLEANING = ("Delete", "List")


class OverBudget(Exception):
    """A call that could cost more than what is left: it was not sent."""


class Budget:
    """
    Let calls through until their worst-case prices reach the cap.

    Units: USD.
    """

    def __init__(self, cap: Decimal) -> None:
        self.cap, self.spent = cap, Decimal(0)

    def guard(self, client: Any) -> Any:
        """Pay for every call of *client* before it is sent; return the client."""
        client.meta.events.register("before-call", lambda model, **_event: self.pay(model))
        return client

    def pay(self, model: OperationModel) -> None:
        """
        Take the price of one call.

        Raises: OverBudget when the cap would be passed, KeyError for a call that has no price.
        """
        service = model.service_model.service_name
        price = _PRICES.get((service, model.name))
        if price is None:
            if service not in _SMALL_SERVICES:
                raise KeyError(f"{service} {model.name} has no price: add one to tests/contract/budget.py")
            price = _SMALL
        if self.spent + price > self.cap and not model.name.startswith(_CLEANING):
            raise OverBudget(f"{model.name} may cost {price} USD; {self.spent} of {self.cap} USD are spent")
        self.spent += price
