"""What replaces parts of AWS's runtime client, each by one call. No handler needs any of it."""

from __future__ import annotations

from mangum.runtime.marshaller import install_marshaller

__all__ = ["install_marshaller"]
