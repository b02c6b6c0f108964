"""Each hot function, pure and compiled, on the arguments of `cases.py`.

`python -m pytest benchmarks/test_speedups.py`, or all with `python -m benchmarks --only functions`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.cases import CASES, arguments, without_case
from mangum import _speedups


@pytest.fixture(params=["pure", "compiled"])
def half(request: pytest.FixtureRequest) -> Any:
    try:
        return import_module(f"mangum._speedups.{request.param}")
    except ImportError:
        pytest.skip(f"this build has no {request.param} half")


def test_every_hot_function_has_a_case() -> None:
    assert without_case(_speedups.__all__) == set()


@pytest.mark.parametrize(
    ("function", "case"), [(function, case) for function in CASES for case in CASES[function]]
)
def test_function(benchmark: BenchmarkFixture, half: Any, function: str, case: str) -> None:
    benchmark.group = f"{function}: {case}"
    call: Callable[..., Any] = getattr(half, function)
    benchmark(call, *arguments(half, function, case))
