"""Finding the function that a command line names, `module:handler` or Lambda's `module.handler`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from mangum import Mangum
from mangum.cli.usage import WrongUse
from mangum.local.environment import Function

EXAMPLE = "app:handler"


def load(target: str, folder: str) -> Any:
    """The function that `target` names, from a module in `folder` or installed.

    Raises `WrongUse` if there is none or Lambda could not call it, and whatever the module raises
    when it is imported.
    """
    module_name, attribute = split_target(target)
    path = Path(folder)
    if not path.is_dir():
        raise WrongUse(f"--app-dir {folder} is no folder: name the one that holds the module")
    sys.path.insert(0, str(path.resolve()))
    module = _import(module_name, path)
    function: Any = module
    for name in attribute.split("."):
        if not hasattr(function, name):
            raise WrongUse(_no_attribute(module, module_name, attribute))
        function = getattr(function, name)
    fault = _fault(function, module, module_name)
    if fault:
        raise WrongUse(f"{module_name}:{attribute} {fault}")
    return function


def locate(target: str, folder: str, option: str = "--app-dir ") -> Function:
    """The function that `target` names, without importing it. Raises `WrongUse`.

    `option` is what the folder was given with, for the message.
    """
    path = Path(folder)
    if not path.is_dir():
        raise WrongUse(f"{option}{folder} is no folder: name the one that holds the module")
    module, attribute = split_target(target)
    if "." in attribute:
        raise WrongUse(f"Lambda takes no {attribute}: the handler is to be a name in {module}")
    return Function(f"{module}.{attribute}", path.resolve(), module.rpartition(".")[2])


def split_target(target: str) -> tuple[str, str]:
    """`"pkg.app:handler"`, `"pkg/app.handler"` → `("pkg.app", "handler")`. Raises `WrongUse`."""
    module, colon, attribute = target.removeprefix("./").partition(":")
    if not colon and not module.endswith(".py"):
        module, _, attribute = module.rpartition(".")
    name = module.removesuffix(".py").replace("/", ".").strip(".")
    if module.endswith(".py"):
        raise WrongUse(
            f"{target} names a file: name its module and the function in it,"
            f" {name}:{attribute or 'handler'}"
        )
    if not (name and attribute) or not all((name + "." + attribute).split(".")):
        raise WrongUse(
            f"{target!r} names no function: write module:handler or module.handler,"
            f" for example {name or 'app'}:handler"
        )
    return name, attribute


def _import(name: str, folder: Path) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name != missing and not name.startswith(missing + "."):
            raise  # a module that the function's own code looks for
    found = get_close_matches(name, [path.stem for path in folder.glob("*.py")], 1)
    advice = f"did you mean {found[0]}?" if found else "name its folder with --app-dir"
    raise WrongUse(f"no module {missing!r} in {folder.resolve()} or installed: {advice}")


def _no_attribute(module: ModuleType, module_name: str, attribute: str) -> str:
    if "." not in attribute and _is_module(f"{module_name}.{attribute}"):
        return (
            f"{module_name}.{attribute} is a module: name the function in it,"
            f" {module_name}.{attribute}:handler"
        )
    public = [name for name, value in vars(module).items() if _is_candidate(name, value, module)]
    adapters = _adapters(module)
    names = get_close_matches(attribute, public, 1) or adapters or public[:5]
    advice = f"did you mean {' or '.join(names)}?" if names else "it has no function at all"
    return f"{module_name} has no {attribute!r}: {advice}"


def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _is_candidate(name: str, value: object, module: ModuleType) -> bool:
    """Whether it could be meant: an adapter, or a function that the module itself defines."""
    if isinstance(value, Mangum):
        return True
    return inspect.isfunction(value) and value.__module__ == module.__name__ and name[0] != "_"


def _adapters(module: ModuleType) -> list[str]:
    return [name for name, value in vars(module).items() if isinstance(value, Mangum)]


def _fault(function: Any, module: ModuleType, module_name: str) -> str | None:
    """Why Lambda could not call it, and what to do; `None` if it can."""
    if inspect.ismodule(function):
        return "is a module: name the function in it"
    if inspect.isclass(function):
        return f"is a class: name an instance or a function, for example {EXAMPLE}"
    if not callable(function):
        kind = type(function).__name__
        article = "an" if kind[0] in "aeiou" else "a"
        return f"is {article} {kind}, not a function: name the Lambda handler"
    if isinstance(function, Mangum):
        return None
    if _is_asgi(function):
        kind = type(function).__name__
        named = "an ASGI application" if kind == "function" else f"an ASGI application ({kind})"
        adapters = _adapters(module)
        if adapters:
            return f"is {named}: name its Lambda handler, {module_name}:{adapters[0]}"
        return f"is {named}: add `handler = Mangum(…)` and name that, {module_name}:handler"
    if inspect.iscoroutinefunction(_call_of(function)):
        return "is an `async def`, which Lambda does not await: name a plain function"
    if not _takes_event_and_context(function):
        return "takes other arguments than Lambda's: give it the parameters (event, context)"
    return None


def _call_of(function: Any) -> Any:
    return function if inspect.isroutine(function) else type(function).__call__


def _is_asgi(function: Any) -> bool:
    """Whether it must be called with a scope, `receive` and `send`."""
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    required = [
        name
        for name, it in _parameters(function).items()
        if it.kind in positional and it.default is it.empty
    ]
    if len(required) != 3:
        return False
    return inspect.iscoroutinefunction(_call_of(function)) or required[0] == "scope"


def _takes_event_and_context(function: Any) -> bool:
    try:
        inspect.Signature([*_parameters(function).values()]).bind(None, None)
    except TypeError:
        return False
    return True


def _parameters(function: Any) -> Mapping[str, inspect.Parameter]:
    """Those of the signature; any two where there is none to see, as with some built-ins."""
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return inspect.signature(lambda event, context: None).parameters
