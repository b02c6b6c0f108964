"""Events of a WebSocket API, which this version does not serve."""

from __future__ import annotations

import pytest

from mangum import Mangum
from mangum.exceptions import InferenceError
from tests.apps import Recorder
from tests.builders import lambda_context, websocket_event


@pytest.mark.parametrize("event_type", ["CONNECT", "MESSAGE", "DISCONNECT"])
def test_websocket_event_is_refused_with_its_reason(event_type: str) -> None:
    with pytest.raises(InferenceError, match=r"WebSocket API.*does not serve"):
        Mangum(Recorder()).infer(websocket_event(event_type=event_type), lambda_context())


def test_unknown_websocket_event_type_is_no_websocket_event() -> None:
    event = websocket_event(event_type="PING")
    with pytest.raises(InferenceError, match="unable to infer"):
        Mangum(Recorder()).infer(event, lambda_context())
