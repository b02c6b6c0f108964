"""What orjson serves by itself: the original would be right too, and slow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mangum.runtime.marshaller import OrjsonMarshaller
from tests.apps import result_of
from tests.builders import http_v2_event
from tests.runtime.needed import needed

orjson = needed("orjson")

EVENTS = sorted((Path(__file__).parent.parent / "events").glob("*/*.json"))


class Unasked:
    """Stands where the original does, and must not be needed."""

    def unmarshal_request(self, *request: Any) -> Any:
        raise AssertionError("the original was asked")

    marshal_response = unmarshal_request


alone = OrjsonMarshaller(Unasked(), orjson.loads, orjson.dumps)


@pytest.mark.parametrize("path", EVENTS, ids=lambda it: f"{it.parent.name}/{it.name}")
def test_recorded_events_are_read_by_orjson(path: Path) -> None:
    event = path.read_bytes()
    assert alone.unmarshal_request(event) == json.loads(event)


def test_results_of_the_adapter_are_written_by_orjson() -> None:
    result = result_of(http_v2_event(), body="ü".encode())
    assert alone.marshal_response(result) == (orjson.dumps(result), "application/json")


@pytest.mark.parametrize(
    "response",
    [
        None,
        True,
        -(2**63),
        2**64 - 1,
        0.5,
        "ü\0\u2028",
        [],
        {},
        [(), ({"a": [None, False, 1.5, "x"]},)],
        {"vector": [9e-06, 0.0001, 1e17, -0.0]},
    ],
    ids=ascii,
)
def test_plain_values_are_written_and_read_by_orjson(response: Any) -> None:
    written, content_type = alone.marshal_response(response)
    assert (type(written), content_type) == (bytes, "application/json")
    assert alone.unmarshal_request(written) == orjson.loads(written)
