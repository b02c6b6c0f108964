"""The bare application in the two steps of ASGI 2: `await app(scope)(receive, send)`."""

from __future__ import annotations

from asgiref.compatibility import guarantee_single_callable

from mangum.types import ASGI, Receive, Scope, Send

from . import bare_app


def make_app() -> ASGI:
    single: ASGI = guarantee_single_callable(Application)
    return single


class Application:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self, receive: Receive, send: Send) -> None:
        await bare_app.app(self.scope, receive, send)
