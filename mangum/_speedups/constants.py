"""The constants that both halves of the hot path share."""

from __future__ import annotations

import sys

EAGER = sys.version_info >= (3, 12)
"""Whether a task can take its first step when it is made."""

# Below this size the call into pybase64 costs more than it saves (benchmarks/test_base64.py).
MIN_SIMD_BASE64_BYTES = 2048

NOT_TAKEN, TAKEN, COMPLETE, AWAITED = range(4)
"""What `Exchange.take` says of a message: none of the usual shape in its turn, taken, the last one,
or the last one while somebody waits for the disconnect."""

UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~"
PATH_SAFE = UNRESERVED + b"/!$&'()*+,;=:@"

HTTP_VERSIONS = {
    "HTTP/1.0": "1.0",
    "HTTP/1.1": "1.1",
    "HTTP/2": "2",
    "HTTP/2.0": "2",
    "HTTP/3": "3",
    "HTTP/3.0": "3",
}
"""`scope["http_version"]` by what events call it."""

LIMITS: dict[str, tuple[int, int | None]] = {
    "APIGateway": (6_291_556, None),
    "HTTPGateway": (6_291_556, 10_240),
    "ALB": (1_048_576, None),
}
"""How many bytes a result may have as JSON, and the names and values of its headers, by handler; a
function URL has no limit for the latter.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html,
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html,
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
"""

# What JSON makes of an answer at most: six bytes of one (`\u0001`), but two of one that is ASCII
# and no control character, three of one in a longer character; a header's name twice, and the marks
# around each header and around it all. Only what may be too large is measured exactly.
MAX_EXPANSION = 6
MAX_ASCII_EXPANSION = 2
MAX_TEXT_EXPANSION = 3
LONG_ESCAPES = bytes({*range(0x20), 0x7F} - {*b"\b\t\n\f\r"})  # the control characters
MAX_NAMES = 2
HEADER_BYTES = 8
ENVELOPE_BYTES = 100

MAX_JSON_DEPTH = 100  # below both orjson's own limits and Python's recursion limit, which differ
