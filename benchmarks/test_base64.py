"""The standard library's base64 against pybase64, by size: why small bodies don't go to pybase64.

The first use in a process pays for the import, which a loop does not show; it is measured in
processes of their own, and stands in the results as `extra_info`.
"""

from __future__ import annotations

import binascii
import random
import statistics
import subprocess
import sys
from collections.abc import Callable

import pybase64
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

SIZES = (64, 256, 512, 1024, 2048, 4096, 10_240, 65_536, 1_048_576, 4_194_304)
PROCESSES = 9
IMPORT = """
import asyncio, base64, time
start = time.perf_counter_ns()
import pybase64
pybase64.b64encode_as_string(b"x")
print((time.perf_counter_ns() - start) / 1000)
"""

DECODERS: dict[str, Callable[[str], bytes]] = {
    "binascii": binascii.a2b_base64,
    "pybase64": lambda text: pybase64.b64decode(text, validate=True),
}
ENCODERS: dict[str, Callable[[bytes], str]] = {
    "binascii": lambda data: binascii.b2a_base64(data, newline=False).decode("ascii"),
    "pybase64": pybase64.b64encode_as_string,
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("library", DECODERS)
def test_decode(benchmark: BenchmarkFixture, library: str, size: int) -> None:
    benchmark.group = f"decode {size} bytes of base64"
    text = pybase64.b64encode_as_string(random.Random(0).randbytes(size * 3 // 4))
    benchmark(DECODERS[library], text)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("library", ENCODERS)
def test_encode(benchmark: BenchmarkFixture, library: str, size: int) -> None:
    benchmark.group = f"encode {size} bytes"
    benchmark(ENCODERS[library], random.Random(0).randbytes(size))


def test_first_use(benchmark: BenchmarkFixture) -> None:
    benchmark.group = "first use of pybase64, process and import"
    imports_us: list[float] = []

    def first_use() -> None:
        done = subprocess.run(
            [sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True
        )
        imports_us.append(float(done.stdout))

    benchmark.pedantic(first_use, rounds=PROCESSES)  # type: ignore[no-untyped-call]
    benchmark.extra_info["import_us"] = statistics.median(imports_us)
