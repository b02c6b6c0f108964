"""The real marshaller of awslambdaric beside the one that replaces it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from mangum.runtime.marshaller import ORJSON, RUNTIME_CLIENT, install_marshaller
from tests.runtime.needed import needed

EXECUTION_ENVS = ("AWS_Lambda_python3.11", "AWS_Lambda_python3.13")
"""The original escapes what is not ASCII in the first, and not in the second."""


class Marshallers(NamedTuple):
    original: Any
    ours: Any


@pytest.fixture(scope="session")
def runtime_client() -> Any:
    needed(ORJSON)
    return needed(RUNTIME_CLIENT)


@pytest.fixture(scope="session")
def client_class(runtime_client: Any) -> Any:
    """The one that holds the marshaller."""
    client = runtime_client.LambdaRuntimeClient
    return getattr(runtime_client, "BaseLambdaRuntimeClient", client)


@pytest.fixture(scope="session")
def marshallers_in(runtime_client: Any, client_class: Any) -> Callable[[str], Marshallers]:
    """The two of them, as they are made in an execution environment."""

    def make(execution_env: str) -> Marshallers:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_EXECUTION_ENV", execution_env)
            original = runtime_client.LambdaMarshaller()
            patch.setattr(client_class, "marshaller", original)
            install_marshaller()
            return Marshallers(original, runtime_client.LambdaRuntimeClient.marshaller)

    return make


@pytest.fixture(scope="session", params=EXECUTION_ENVS)
def marshallers(
    request: pytest.FixtureRequest, marshallers_in: Callable[[str], Marshallers]
) -> Marshallers:
    return marshallers_in(request.param)


@pytest.fixture
def as_published(client_class: Any) -> Iterator[Any]:
    """The class that holds the marshaller, which is the original before and after the test."""
    before = client_class.marshaller
    assert type(before).__module__ == "awslambdaric.lambda_runtime_marshaller"
    try:
        yield client_class
    finally:
        client_class.marshaller = before
