"""Backends of the user's own, of today's kind and of 0.12's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from mangum import backends
from mangum.backends import Record, WebSocketBackend, make_backend, register
from mangum.exceptions import ConfigurationError, UnknownConnection


class Old:
    """A backend as 0.12's users wrote it: no base class, and all is done in `__aenter__`."""

    opened: ClassVar[list[Any]] = []
    records: ClassVar[dict[str, str]] = {}

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    async def __aenter__(self) -> Old:
        self.opened.append(asyncio.get_running_loop())
        return self

    async def __aexit__(self, *exc_info: Any) -> None:
        self.opened.remove(asyncio.get_running_loop())

    async def save(self, connection_id: str, *, json_scope: str) -> None:
        assert asyncio.get_running_loop() in self.opened
        self.records[connection_id] = json_scope

    async def retrieve(self, connection_id: str) -> str:
        assert asyncio.get_running_loop() in self.opened
        try:
            return self.records[connection_id]
        except KeyError:
            raise UnknownConnection("no") from None

    async def delete(self, connection_id: str) -> None:
        self.records.pop(connection_id, None)


class OldDerived(Old, WebSocketBackend):  # type: ignore[misc]  # it returned its own class
    """The same, derived from the base class of that time."""


class New(WebSocketBackend):
    async def save(self, connection_id: str, *, json_scope: str) -> None: ...

    async def retrieve(self, connection_id: str) -> str:
        return "{}"

    async def delete(self, connection_id: str) -> None: ...


class NewWithSessions(New):
    async def advance(self, connection_id: str) -> Record:
        return Record("{}", 1)

    async def take(self, connection_id: str) -> Record | None:
        return None


class OldWithSessions(Old):
    async def advance(self, connection_id: str) -> Record:
        return Record("{}", 7)

    async def take(self, connection_id: str) -> Record | None:
        return None


@pytest.fixture(autouse=True)
def _registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(backends, "BACKENDS", dict(backends.BACKENDS))
    yield
    Old.opened.clear()
    Old.records.clear()


@pytest.mark.parametrize("backend_class", [Old, OldDerived])
def test_class_of_an_older_version_serves(backend_class: type) -> None:
    register("mine", backend_class)
    backend = make_backend("mine://somewhere/there")
    assert Old.opened == []

    async def first() -> None:
        await backend.save("one", json_scope="{}")
        assert await backend.retrieve("one") == "{}"
        assert len(Old.opened) == 1

    async def second() -> None:
        async with backend:
            assert await backend.retrieve("one") == "{}"
            await backend.delete("one")
            with pytest.raises(UnknownConnection):
                await backend.retrieve("one")
            assert len(Old.opened) == 2  # the first loop was closed, and the backend never
        await backend.close()
        assert len(Old.opened) == 1

    asyncio.run(first())
    asyncio.run(second())


def test_class_of_today_serves_as_it_is() -> None:
    register("MINE", New)
    backend = make_backend("mine://somewhere")
    assert type(backend) is New
    assert backend.dsn == "mine://somewhere"


def test_scheme_of_ours_can_be_taken() -> None:
    register("redis", New)
    assert type(make_backend("redis://host")) is New


@pytest.mark.parametrize("backend_class", [Old, OldDerived, New])
def test_session_mode_is_refused_to_a_class_that_cannot(backend_class: type) -> None:
    register("mine", backend_class)
    reason = f'{backend_class.__name__} lacks advance and take.* websocket_mode="message"'
    with pytest.raises(ConfigurationError, match=reason):
        make_backend("mine://somewhere", sessions=True)


@pytest.mark.parametrize("backend_class", [NewWithSessions, OldWithSessions])
def test_session_mode_is_for_classes_that_can(backend_class: type) -> None:
    register("mine", backend_class)

    async def main() -> None:
        async with make_backend("mine://somewhere", sessions=True) as backend:
            assert (await backend.advance("one")).json_scope == "{}"
            assert await backend.take("one") is None

    asyncio.run(main())


def test_class_of_an_older_version_says_what_it_lacks() -> None:
    register("mine", Old)

    async def main() -> None:
        async with make_backend("mine://somewhere") as backend:
            for call in (
                backend.group_add("room", "one"),
                backend.group_discard("room", ["one"]),
                backend.group_members("room"),
                backend.advance("one"),
            ):
                with pytest.raises(NotImplementedError, match="Old has no "):
                    await call

    asyncio.run(main())


def test_class_of_an_older_version_may_have_groups() -> None:
    class WithGroups(Old):
        groups: ClassVar[list[Any]] = []

        async def group_add(self, group: str, connection_id: str) -> None:
            self.groups.append((group, connection_id))

        async def group_discard(self, group: str, connection_ids: Any) -> None:
            self.groups.clear()

        async def group_members(self, group: str) -> list[str]:
            return [connection_id for _, connection_id in self.groups]

    register("mine", WithGroups)

    async def main() -> None:
        async with make_backend("mine://somewhere") as backend:
            await backend.group_add("room", "one")
            assert await backend.group_members("room") == ["one"]
            await backend.group_discard("room", ["one"])
            assert await backend.group_members("room") == []

    asyncio.run(main())


@pytest.mark.parametrize("name", ["dynamodb", "s3", "postgresql", "redis", "sqlite"])
def test_session_mode_is_for_every_backend_of_ours(name: str) -> None:
    make_backend(f"{name}://host", sessions=True)


@pytest.mark.parametrize(
    ("scheme", "backend_class", "reason"),
    [
        ("", Old, "no scheme"),
        ("my scheme", Old, "no scheme"),
        (None, Old, "no scheme"),
        ("mine", object, "lacks __aenter__, __aexit__, save, retrieve, delete"),
        ("mine", Old("mine://x"), "is no class of a backend"),
        ("mine", "module:Class", "is no class of a backend"),
    ],
)
def test_what_is_no_backend_is_refused(scheme: Any, backend_class: Any, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        register(scheme, backend_class)
