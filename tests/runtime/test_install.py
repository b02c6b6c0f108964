"""How the marshaller gets into the runtime client, and what is said where it can't."""

from __future__ import annotations

import copy
import logging
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mangum.exceptions import ConfigurationError
from mangum.runtime import install_marshaller, marshaller
from mangum.runtime.marshaller import (
    ORJSON,
    RUNTIME_CLIENT,
    VARIABLE,
    OrjsonMarshaller,
    UnknownRuntime,
    install_from_environment,
)
from tests.processes import output_of, run_python


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marshaller, "_told", False)
    monkeypatch.delenv(VARIABLE, raising=False)


class Theirs:
    """A marshaller that an author has put in place."""

    def unmarshal_request(self, request: Any, content_type: Any = None) -> Any:
        return request

    def marshal_response(self, response: Any) -> Any:
        return response, "text/plain"


def test_every_runtime_client_gets_it_also_one_that_is_made_already(
    as_published: Any, runtime_client: Any
) -> None:
    client = runtime_client.LambdaRuntimeClient("127.0.0.1:9")
    original = client.marshaller
    install_marshaller()
    assert type(client.marshaller) is OrjsonMarshaller
    assert client.marshaller.original is original
    for other in vars(runtime_client).values():
        if isinstance(other, type) and issubclass(other, as_published):
            assert other.marshaller is client.marshaller  # type: ignore[attr-defined]


def test_a_second_call_changes_nothing(as_published: Any) -> None:
    install_marshaller()
    first = as_published.marshaller
    install_marshaller()
    assert as_published.marshaller is first


def test_attributes_of_the_original_are_still_there(as_published: Any) -> None:
    original = as_published.marshaller
    install_marshaller()
    assert as_published.marshaller.jsonEncoder is original.jsonEncoder
    assert copy.copy(as_published.marshaller).original is original
    with pytest.raises(AttributeError, match="'LambdaMarshaller' object has no attribute 'x'"):
        _ = as_published.marshaller.x


def test_what_an_author_teaches_the_original_encoder_is_heeded(
    as_published: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = type(as_published.marshaller.jsonEncoder)
    monkeypatch.setattr(encoder, "default", lambda self, value: sorted(value))
    install_marshaller()
    assert as_published.marshaller.marshal_response({"a": {2, 1}})[0] == '{"a": [1, 2]}'


def test_another_marshaller_is_not_put_aside(as_published: Any) -> None:
    theirs = as_published.marshaller = Theirs()
    with pytest.raises(
        ConfigurationError, match=r"Another .* tests\.runtime\.test_install\.Theirs"
    ):
        install_marshaller()
    assert as_published.marshaller is theirs


def test_orjson_that_is_missing_is_named_with_its_extra(
    as_published: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = as_published.marshaller
    monkeypatch.setitem(sys.modules, ORJSON, None)
    with pytest.raises(ConfigurationError, match=r'pip install "mangum\[orjson\]"'):
        install_marshaller()
    assert as_published.marshaller is original


def test_orjson_for_another_machine_is_told_from_one_that_is_missing(tmp_path: Path) -> None:
    package = tmp_path / ORJSON
    package.mkdir()
    (package / "__init__.py").write_text("from .orjson import *\n")
    done = run_python(
        f"""
        import sys
        sys.path.insert(0, {str(tmp_path)!r})
        from mangum.runtime import install_marshaller
        install_marshaller()
        """
    )
    assert done.stderr.splitlines()[-1] == (
        "mangum.exceptions.ConfigurationError: orjson is installed but can't be loaded (No module "
        "named 'orjson.orjson'): it has to be the one for the function's Python version and "
        "architecture."
    )


def test_awslambdaric_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, RUNTIME_CLIENT, None)
    with pytest.raises(ConfigurationError, match="awslambdaric, which is not installed"):
        install_marshaller()


def test_an_error_inside_awslambdaric_is_left_as_it_is(tmp_path: Path) -> None:
    package = tmp_path / "awslambdaric"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "lambda_runtime_client.py").write_text("import a_module_that_is_missing\n")
    done = run_python(
        f"""
        import sys
        sys.path.insert(0, {str(tmp_path)!r})
        from mangum.runtime import install_marshaller
        install_marshaller()
        """
    )
    assert "ModuleNotFoundError: No module named 'a_module_that_is_missing'" in done.stderr


# --- other shapes of awslambdaric -----------------------------------------------------------------


def client_module(**classes: Any) -> ModuleType:
    module = ModuleType(RUNTIME_CLIENT)
    vars(module).update(classes)
    return module


def test_awslambdaric_before_the_base_class_is_served(
    as_published: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until 3.1.1 there is one class, which holds the marshaller itself."""
    client = type("LambdaRuntimeClient", (), {"marshaller": as_published.marshaller})
    monkeypatch.setitem(sys.modules, RUNTIME_CLIENT, client_module(LambdaRuntimeClient=client))
    install_marshaller()
    assert type(client.marshaller) is OrjsonMarshaller  # type: ignore[attr-defined]


def made_by_instances() -> ModuleType:
    return client_module(LambdaRuntimeClient=type("LambdaRuntimeClient", (), {}))


def without_a_client() -> ModuleType:
    return client_module()


def with_one_for_each_client() -> ModuleType:
    base = type("BaseLambdaRuntimeClient", (), {"marshaller": Theirs()})
    client = type("LambdaRuntimeClient", (base,), {"marshaller": Theirs()})
    return client_module(BaseLambdaRuntimeClient=base, LambdaRuntimeClient=client)


def with_a_marshaller(**methods: Any) -> ModuleType:
    original = import_module("awslambdaric.lambda_runtime_marshaller").LambdaMarshaller
    changed = type("NewMarshaller", (original,), {**methods, "__module__": original.__module__})
    client = type("LambdaRuntimeClient", (), {"marshaller": changed()})
    return client_module(LambdaRuntimeClient=client)


SHAPES = {
    "instances make it": (made_by_instances, "its runtime client has no marshaller"),
    "no client": (without_a_client, "its runtime client has no marshaller"),
    "one for each": (with_one_for_each_client, "LambdaRuntimeClient has a marshaller of its own"),
    "more parameters": (
        lambda: with_a_marshaller(unmarshal_request=lambda self, request, kind, encoding: {}),
        "its marshaller raises TypeError",
    ),
    "one value": (
        lambda: with_a_marshaller(marshal_response=lambda self, response: "null"),
        "its marshaller raises ValueError",
    ),
    "another content type": (
        lambda: with_a_marshaller(marshal_response=lambda self, response: ("{}", "text/plain")),
        "reads or writes JSON in another way",
    ),
    "other numbers": (
        lambda: with_a_marshaller(
            unmarshal_request=lambda self, request, kind: __import__("json").loads(
                request, parse_int=float
            )
        ),
        "reads or writes JSON in another way",
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.usefixtures("runtime_client")
def test_another_shape_is_refused_and_left_alone(
    shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, reason = SHAPES[shape]
    module = make()
    before = getattr(getattr(module, "LambdaRuntimeClient", None), "marshaller", None)
    monkeypatch.setitem(sys.modules, RUNTIME_CLIENT, module)
    with pytest.raises(UnknownRuntime, match=reason):
        install_marshaller()
    assert getattr(getattr(module, "LambdaRuntimeClient", None), "marshaller", None) is before


# --- the environment variable ---------------------------------------------------------------------


def test_the_variable_installs_it(as_published: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "orjson")
    install_from_environment()
    assert type(as_published.marshaller) is OrjsonMarshaller


@pytest.mark.parametrize("value", [None, ""])
def test_without_the_variable_nothing_is_installed(
    as_published: Any, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is not None:
        monkeypatch.setenv(VARIABLE, value)
    install_from_environment()
    assert type(as_published.marshaller) is not OrjsonMarshaller


@pytest.mark.parametrize("value", ["ORJSON", "ujson", "1", " orjson"])
def test_an_unknown_name_is_an_error_wherever_the_function_runs(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(VARIABLE, value)
    monkeypatch.delitem(sys.modules, RUNTIME_CLIENT, raising=False)
    with pytest.raises(ConfigurationError, match=f"{VARIABLE}: '{value}'.* one of: orjson"):
        install_from_environment()


def test_the_variable_without_orjson_is_an_error(
    as_published: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "orjson")
    monkeypatch.setitem(sys.modules, ORJSON, None)
    with pytest.raises(ConfigurationError, match="pip install"):
        install_from_environment()


def test_where_awslambdaric_does_not_run_the_variable_is_said_to_have_no_effect(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(VARIABLE, "orjson")
    monkeypatch.delitem(sys.modules, RUNTIME_CLIENT, raising=False)
    monkeypatch.setitem(sys.modules, ORJSON, None)
    install_from_environment()
    install_from_environment()
    message = "MANGUM_MARSHALLER=orjson has no effect: awslambdaric does not run in this process."
    assert caplog.record_tuples == [("mangum.runtime", logging.WARNING, message)]
    assert RUNTIME_CLIENT not in sys.modules


def test_the_variable_leaves_a_runtime_of_another_shape_running(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(VARIABLE, "orjson")
    monkeypatch.setitem(sys.modules, RUNTIME_CLIENT, without_a_client())
    install_from_environment()
    [record] = caplog.records
    assert record.getMessage().startswith("MANGUM_MARSHALLER=orjson has no effect: awslambdaric ")
    assert record.getMessage().endswith("Its own marshaller stays in place.")


@pytest.mark.usefixtures("runtime_client")
def test_orjson_is_not_imported_before_it_is_asked_for() -> None:
    source = """
        import sys, mangum
        async def app(scope, receive, send): ...
        mangum.Mangum(app)
        print("mangum.runtime" in sys.modules, "orjson" in sys.modules)
        from mangum.runtime import install_marshaller
        print("awslambdaric" in sys.modules, "orjson" in sys.modules)
        install_marshaller()
        print("awslambdaric" in sys.modules, "orjson" in sys.modules)
    """
    assert output_of(source) == ["False False", "False False", "True True"]


CONSTRUCTED = f"""
    import {RUNTIME_CLIENT} as runtime, sys, mangum
    async def app(scope, receive, send): ...
    mangum.Mangum(app)
    print(type(runtime.LambdaRuntimeClient.marshaller).__name__, "orjson" in sys.modules)
"""


@pytest.mark.usefixtures("runtime_client")
def test_the_constructor_reads_the_variable() -> None:
    assert output_of(CONSTRUCTED, env={VARIABLE: "orjson"}) == ["OrjsonMarshaller True"]
    assert output_of(CONSTRUCTED, env={VARIABLE: ""}) == ["LambdaMarshaller False"]
    refused = run_python(CONSTRUCTED, env={VARIABLE: "simplejson"})
    assert "ConfigurationError: Invalid value for the environment variable" in refused.stderr


def test_the_constructor_says_that_awslambdaric_does_not_run() -> None:
    source = """
        import sys, mangum
        async def app(scope, receive, send): ...
        mangum.Mangum(app), mangum.Mangum(app)
        print("orjson" in sys.modules, "awslambdaric" in sys.modules)
    """
    done = run_python(source, env={VARIABLE: "orjson"})
    assert done.stdout.split() == ["False", "False"]
    assert done.stderr.count("does not run in this process") == 1
