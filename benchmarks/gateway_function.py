"""The function behind the gateways that are measured: the least that an application does. Below
`/log` it prints a line, too."""

from benchmarks.apps import bare
from mangum import Mangum
from mangum.types import Receive, Scope, Send

answer = bare()


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"].endswith("/log"):
        print("A line for the log.")
    await answer(scope, receive, send)


handler = Mangum(app, edition="2026", lifespan="off")
