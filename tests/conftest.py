"""Keeps every test away from AWS, and says which half of the hot path runs."""

import os
from pathlib import Path

# Before an AWS client is imported: it must find no real credentials and reach no real endpoint.
for line in Path(__file__).with_name("aws.env").read_text(encoding="utf-8").split():
    name, value = line.split("=", 1)
    os.environ[name] = value


def pytest_report_header() -> str:
    from mangum._speedups import COMPILED

    half = "compiled" if COMPILED else "in pure Python"
    return f"mangum: running {half}"
