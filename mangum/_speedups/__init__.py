"""The one switch between the two halves of the hot path. `COMPILED` says which of them runs.

The compiled half runs where there is one. In the environment, MANGUM_PURE_PYTHON=1 forces the pure
half, and MANGUM_REQUIRE_COMPILED=1 makes a compiled half that is missing or broken an error.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from mangum._speedups.pure import *

__all__ = [
    "Exchange",
    "alb_result",
    "alb_scope",
    "copy_headers",
    "decode_body",
    "decode_headers",
    "decode_path",
    "decode_response",
    "drive",
    "encode_alb_query_string",
    "encode_body",
    "encode_edge_headers",
    "encode_headers",
    "encode_multi_value_headers",
    "encode_path",
    "encode_query_string",
    "find_floats",
    "fold_headers",
    "group_headers",
    "http_result",
    "http_scope",
    "may_exceed",
    "read_request",
    "recognise",
    "rest_result",
    "rest_scope",
    "split_headers",
    "split_host",
    "write_result",
]  # what either half has

_REMEDY = (
    "MANGUM_REQUIRE_COMPILED is set. Install mangum on the Python version and the architecture that"
    " it runs on; to compile it, a C compiler and Python's headers are needed."
)


def _is_set(name: str) -> bool:
    """Read as setup.py reads it."""
    return os.environ.get(name, "").strip().lower() not in ("", "0", "false", "no", "off")


def _choose() -> tuple[ModuleType, bool]:
    """The half that runs, and whether it is the compiled one."""
    required = _is_set("MANGUM_REQUIRE_COMPILED")
    if _is_set("MANGUM_PURE_PYTHON"):
        if required:
            raise ImportError("MANGUM_PURE_PYTHON and MANGUM_REQUIRE_COMPILED exclude each other")
        return _load_pure(), False
    try:
        import mangum._speedups.compiled as compiled

        for name in __all__:
            getattr(compiled, name)  # one of another version may lack some
    except Exception as error:
        is_missing = getattr(error, "name", "") == f"{__name__}.compiled" and (
            type(error) is ModuleNotFoundError
        )
        reason = "is missing" if is_missing else f"is broken ({type(error).__name__}: {error})"
        if required:
            raise ImportError(f"mangum's compiled half {reason}, and {_REMEDY}") from error
        if not is_missing:
            import warnings

            message = f"mangum's compiled half {reason}; the pure one runs"
            warnings.warn(message, RuntimeWarning, stacklevel=2)
        return _load_pure(), False
    return compiled, True


def _load_pure() -> ModuleType:
    import mangum._speedups.pure as pure

    return pure


_half, COMPILED = _choose()
globals().update({name: getattr(_half, name) for name in __all__})
