"""The frameworks, the real ones: each feature, behind each event source, in both editions.

The table of frameworks and features is printed at the end of the run.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mangum import Mangum

from .apps import common
from .features import FEATURES
from .matrix import CANNOT, EDITIONS, FRAMEWORKS, REMARKS
from .visits import SOURCES, STAGED_SOURCES, Visit, edition_options

CASES = [
    (framework, feature, source, edition)
    for framework in FRAMEWORKS
    for feature in FEATURES
    for edition in EDITIONS
    for source in (STAGED_SOURCES if feature == "stage prefix" else SOURCES)
]


class Environments:
    """Warm environments: one for each framework and edition."""

    def __init__(self) -> None:
        self.handlers: dict[tuple[str, str], Mangum] = {}

    def get(self, framework: str, edition: str) -> Mangum:
        key = framework, edition
        if key not in self.handlers:
            app = FRAMEWORKS[framework].make_app()
            self.handlers[key] = Mangum(app, **edition_options(edition))
        return self.handlers[key]

    def shut_down(self) -> None:
        for handler in self.handlers.values():
            handler.shutdown()


@pytest.fixture(scope="module")
def environments() -> Iterator[Environments]:
    environments = Environments()
    yield environments
    environments.shut_down()


@pytest.mark.parametrize(("framework", "feature", "source", "edition"), CASES)
def test_every_framework_does_what_it_can_behind_every_source(
    environments: Environments, framework: str, feature: str, source: str, edition: str
) -> None:
    common.happened.clear()
    visit = Visit(FRAMEWORKS[framework], environments.get(framework, edition), source, edition)
    limit = CANNOT.get((framework, feature))
    if limit and edition in limit.editions:
        limit.proof(visit)
    else:
        FEATURES[feature](visit)


@pytest.mark.parametrize("cell", [*CANNOT, *REMARKS], ids="-".join)
def test_every_limit_and_remark_is_about_a_cell_of_the_table(cell: tuple[str, str]) -> None:
    framework, feature = cell
    assert framework in FRAMEWORKS
    assert feature in FEATURES
