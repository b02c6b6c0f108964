"""A worker: the messages of an SQS queue and a schedule reach routes of a FastAPI application.

Events that are no requests come as `POST` to `events_path`; nobody else gets there.
"""

from __future__ import annotations

import logging
from typing import Annotated, Any

from fastapi import FastAPI, Request
from pydantic import BaseModel, Field, ValidationError

from mangum import Mangum

logging.getLogger().setLevel(logging.INFO)
logger = logging.getLogger("worker")
app = FastAPI(title="Worker")


class Order(BaseModel):
    order: Annotated[str, Field(pattern=r"^[A-Z]-\d+$")]
    cents: Annotated[int, Field(gt=0)]


@app.post("/events", include_in_schema=False)
async def on_event(event: dict[str, Any], request: Request) -> dict[str, Any]:
    """An answer that is no 2xx makes the function fail, and the service tries again."""
    match request.scope["aws.event_source"]:
        case "aws:sqs":
            return take_messages(event["Records"])
        case "aws.events":
            return report(event["time"])
        case source:
            raise ValueError(f"Nobody expects events of {source}.")


def take_messages(records: list[dict[str, Any]]) -> dict[str, Any]:
    """What fails is named, and the queue delivers that alone again, at last to the dead-letter
    queue. The others are done, so one bad message does not repeat a whole batch."""
    failures = []
    for record in records:
        try:
            bill(Order.model_validate_json(record["body"]))
        except ValidationError as error:
            problems = [f"{it['loc']}: {it['msg']}" for it in error.errors()]
            logger.error("Message %s: %s", record["messageId"], problems)
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}


def bill(order: Order) -> None:
    """A queue delivers at least once: what is done here must do no harm if it is done twice."""
    logger.info("Order %s: %d.%02d", order.order, *divmod(order.cents, 100))


def report(time: str) -> dict[str, Any]:
    logger.info("The report of %s.", time)
    return {"reported": time}


@app.get("/health")
def health() -> dict[str, str]:
    """What a request gets, where the function has a URL."""
    return {"worker": "ready"}


handler = Mangum(app, edition="2026", events_path="/events")
