"""What the functions have in common: options, and a log and a diary that a test can read."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from typing import Any

from mangum import Mangum
from mangum.types import ASGI, LambdaContext, LambdaEvent

Handler = Callable[[LambdaEvent, LambdaContext], Any]


def adapt(app: ASGI) -> Mangum:
    """The adapter with the options of the variable `OPTIONS`, as JSON."""
    # The service gives a function its credentials; no function can be deployed with wrong ones.
    os.environ["AWS_SECRET_ACCESS_KEY"] = os.environ.get(
        "WRONG_SECRET", os.environ["AWS_SECRET_ACCESS_KEY"]
    )
    return Mangum(app, lifespan="off", **json.loads(os.environ["OPTIONS"]))


def serve(adapter: Mangum) -> Handler:
    """The adapter, writing into the file that the variable `LOG` names what goes wrong."""
    logging.basicConfig(filename=os.environ["LOG"])
    logger = logging.getLogger("function")

    def handler(event: LambdaEvent, context: LambdaContext) -> Any:
        try:
            return adapter(event, context)
        except Exception:
            logger.exception("The function failed.")
            raise

    return handler


def note(*words: object) -> None:
    """Write a line into the file that the variable `DIARY` names."""
    with open(os.environ["DIARY"], "a", encoding="utf-8") as diary:
        diary.write(json.dumps(words) + "\n")
