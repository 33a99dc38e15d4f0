"""Functions that Python computes as Trino's source does: their overloads, and how a call picks one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.functions.containers import Scalar
from local_aws.athena.language.casts import coerce
from local_aws.athena.language.scope import Expression
from local_aws.athena.language.trino_types import Type, common, duckdb_name, trino_name

if TYPE_CHECKING:
    from collections.abc import Callable

# Name in DuckDB, function, types of its arguments and of its result: what DuckDB has to be told.
Helper = tuple[str, "Callable[..., Any]", list[str], str]


@dataclass(frozen=True)
class Native:
    """
    One overload: types of the arguments, type of the result, and the function (never called with NULL).

    *result* may be worked out from the arguments, which is how Trino derives lengths.
    """

    kinds: tuple[Type, ...]
    result: Type | Callable[[list[Expression]], Type]
    compute: Callable[..., Any]

    def result_of(self, values: list[Expression]) -> Type:
        """Return the type of the result for these arguments."""
        return self.result if isinstance(self.result, Type) else self.result(values)


def same(values: list[Expression]) -> Type:
    """Return the type of the first argument, such as varchar(x)."""
    return values[0].type if values[0].type.name != "unknown" else Type("varchar", (None,))


def helpers(table: dict[str, tuple[Native, ...]]) -> tuple[Helper, ...]:
    """Return what DuckDB has to be told of *table*."""
    return tuple(
        (
            f"t_{name}_{index}",
            native.compute,
            [duckdb_name(kind) for kind in native.kinds],
            duckdb_name(native.result_of([Expression("", kind) for kind in native.kinds])),
        )
        for name, overloads in table.items()
        for index, native in enumerate(overloads)
    )


def scalars(table: dict[str, tuple[Native, ...]]) -> dict[str, Scalar]:
    """Return the functions of *table* for calls from SQL."""
    return {name: _scalar(name, overloads) for name, overloads in table.items()}


def _scalar(name: str, overloads: tuple[Native, ...]) -> Scalar:
    sizes = [len(native.kinds) for native in overloads]

    def translate(values: list[Expression]) -> Expression:
        if len(values) not in sizes:
            raise Unsupported(f"{name}() with {len(values)} arguments")
        for index, native in enumerate(overloads):
            if _takes(native, values):
                arguments = ", ".join(coerce(*pair).sql for pair in zip(values, native.kinds, strict=True))
                return Expression(f"t_{name}_{index}({arguments})", native.result_of(values))
        if any(value.type.name == "char" for value in values):
            raise Unsupported(f"{name}() of char")
        found = ", ".join(trino_name(value.type) for value in values)
        raise StatementError("FUNCTION_NOT_FOUND", f"Unexpected parameters ({found}) for function {name}")

    return Scalar((min(sizes), max(sizes)), translate)


def _takes(native: Native, values: list[Expression]) -> bool:
    return len(values) == len(native.kinds) and all(
        value.type == kind or (value.type.name != "char" and _meets(value.type, kind))
        for value, kind in zip(values, native.kinds, strict=True)
    )


def _meets(source: Type, target: Type) -> bool:
    return common(source, target) == target
