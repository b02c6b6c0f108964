"""The frameworks, the real ones: what each can do on a WebSocket API, in every mode.

The table of frameworks and features is printed at the end of the run.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator

import pytest

pytest.register_assert_rewrite("tests.websockets.framework_matrix")

from tests.websockets import framework_apps as apps  # noqa: E402
from tests.websockets import framework_table as table  # noqa: E402
from tests.websockets.connections import Connections  # noqa: E402
from tests.websockets.framework_matrix import (  # noqa: E402
    BY_NATURE,
    CANNOT,
    FEATURES,
    MODES,
    REMARKS,
    STYLES,
    Place,
    limit_of,
)

CASES = [(style, feature, mode) for style in STYLES for feature in FEATURES for mode in MODES]


@pytest.fixture(scope="module")
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    plugins = request.config.pluginmanager
    if not plugins.has_plugin(table.NAME):
        plugins.register(table.Summary(), table.NAME)
    with Connections() as service:
        place = Place(tmp_path_factory.mktemp("frameworks"), service)
        yield place
        place.api.close()
        gc.collect()


@pytest.mark.parametrize(("style", "feature", "mode"), CASES)
def test_every_framework_does_what_it_can_in_every_mode(
    place: Place,
    caplog: pytest.LogCaptureFixture,
    record_property: Callable[[str, object], None],
    style: str,
    feature: str,
    mode: str,
) -> None:
    record_property(table.CELL, [style, feature])
    package = STYLES[style][0]
    if package:
        pytest.importorskip(package)
    apps.happened.clear()
    visit = place.visit(style, mode)
    limit = limit_of(style, feature, mode)
    if limit:
        limit.proof(visit)
    else:
        FEATURES[feature](visit)
    said = [
        record.getMessage()
        for record in caplog.records
        if (record.name == "asyncio" and record.levelno >= logging.ERROR)
        or (record.name == "mangum.websocket" and "at work" in record.getMessage())
    ]
    assert said == []


def test_every_limit_and_remark_is_about_a_cell_of_the_table() -> None:
    assert {style for style, _ in [*CANNOT, *REMARKS]} <= STYLES.keys()
    assert {feature for _, feature in [*CANNOT, *REMARKS]} | {*BY_NATURE} <= FEATURES.keys()
