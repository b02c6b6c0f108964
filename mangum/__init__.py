"""Mangum runs any ASGI application on AWS Lambda."""

from mangum.adapter import Mangum

__version__ = "1.0.0.dev0"

__all__ = ["Mangum", "__version__"]
