"""A plugin of mypy: arithmetic on Decimal belongs into vocabulary/exact.py.

Python's operators round to 28 digits in silence, which loses the last digits of a sum of amounts
in a token of 18 decimals. Types tell such an operator from one on whole numbers, which are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mypy.plugin import FunctionContext, MethodContext, Plugin
from mypy.types import Instance, Type, UnionType, get_proper_type

ALLOWED = ("vocabulary/exact.py", "tests/")
DECIMAL = "decimal.Decimal"
OPERATIONS = frozenset(
    f"{DECIMAL}.{name}"
    for operator in ("add", "sub", "mul", "truediv", "floordiv", "mod", "divmod", "pow")
    for name in (f"__{operator}__", f"__r{operator}__")
) | {f"{DECIMAL}.{name}" for name in ("__neg__", "__round__", "quantize", "scaleb", "fma", "sqrt")}
MESSAGE = "Arithmetic on Decimal rounds in silence; use vocabulary.exact"

Context = TypeVar("Context", FunctionContext, MethodContext)


class MoneyLint(Plugin):
    """Refuses operators, methods and `sum` on Decimal outside of `vocabulary.exact`."""

    def get_method_hook(self, fullname: str) -> Callable[[MethodContext], Type] | None:
        return _refuse if fullname in OPERATIONS else None

    def get_function_hook(self, fullname: str) -> Callable[[FunctionContext], Type] | None:
        return _refuse_sum if fullname == "builtins.sum" else None


def _refuse(context: Context) -> Type:
    path = getattr(context.api, "path", "")
    if not any(place in path for place in ALLOWED):
        context.api.fail(MESSAGE, context.context)
    return context.default_return_type


def _refuse_sum(context: FunctionContext) -> Type:
    kind = get_proper_type(context.default_return_type)
    parts = kind.items if isinstance(kind, UnionType) else [kind]
    for part in map(get_proper_type, parts):
        if isinstance(part, Instance) and part.type.fullname == DECIMAL:
            return _refuse(context)
    return context.default_return_type


def plugin(version: str) -> type[Plugin]:  # noqa: ARG001 - mypy passes it
    """What mypy asks for."""
    return MoneyLint
