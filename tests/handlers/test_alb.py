"""Application Load Balancers: their two modes, encoded queries, and the client behind proxies."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apps import TEXT, result_of, scope_of
from tests.builders import (
    ALB_HOST,
    CLIENT_IP,
    TRACE_ID,
    USER_AGENT,
    Event,
    alb_event,
    decode_result,
    http_scope,
    without,
)

EDITIONS = ("classic", "2026")
every_edition = pytest.mark.parametrize("edition", EDITIONS)


@pytest.mark.parametrize(
    ("multi_value", "many", "query_string"),
    [
        (False, [[b"x-many", b"b"]], b"q=3"),
        (True, [[b"x-many", b"a"], [b"x-many", b"b"]], b"q=1+2&q=3"),
    ],
    ids=["single-value", "multi-value"],
)
def test_whole_scope(multi_value: bool, many: list[list[bytes]], query_string: bytes) -> None:
    event = alb_event(
        method="POST",
        path="/a%20b",
        query=[("q", "1 2"), ("q", "3")],
        headers=[("X-Many", "a"), ("X-Many", "b")],
        cookies=["c=1", "d=2"],
        body=b"hi",
        multi_value=multi_value,
    )
    seen: dict[str, Any] = {
        "method": "POST",
        "path": "/a b",
        "query_string": query_string,
        "server": (ALB_HOST, 443),
        "headers": [
            [b"host", ALB_HOST.encode()],
            [b"user-agent", USER_AGENT.encode()],
            [b"x-amzn-trace-id", TRACE_ID.encode()],
            [b"x-forwarded-for", CLIENT_IP.encode()],
            [b"x-forwarded-port", b"443"],
            [b"x-forwarded-proto", b"https"],
            [b"accept", b"*/*"],
            [b"content-length", b"2"],
            *many,
            [b"cookie", b"c=1; d=2"],
        ],
    }
    assert scope_of(event) == http_scope(event, **seen)
    modern = http_scope(event, edition="2026", raw_path=b"/a%20b", **seen)
    assert scope_of(event, edition="2026") == modern


# parameters as they arrive: the query string in classic, and in 2026
QUERIES: dict[str, tuple[dict[str, list[str]], bytes, bytes]] = {
    "a space as plus": ({"q": ["a+b"]}, b"q=a+b", b"q=a+b"),
    "a space as escape": ({"q": ["a%20b"]}, b"q=a+b", b"q=a%20b"),
    "a plus": ({"q": ["a%2Bb"]}, b"q=a%2Bb", b"q=a%2Bb"),
    "what is not UTF-8": ({"q": ["%FF"]}, b"q=%FF", b"q=%FF"),
    "what is not UTF-8 in a key": ({"%ff": ["1"]}, b"%FF=1", b"%ff=1"),
    "lower-case escapes": ({"q": ["%c3%a9"]}, b"q=%C3%A9", b"q=%c3%a9"),
    "an encoded percent sign": ({"q": ["100%25"]}, b"q=100%25", b"q=100%25"),
    "a bare percent sign": ({"q": ["100%"]}, b"q=100%25", b"q=100%"),
    "needless escapes": ({"%61": ["%7E"]}, b"a=~", b"%61=%7E"),
    "missing escapes": ({"q": ["/x:y"]}, b"q=%2Fx%3Ay", b"q=/x:y"),
    "an encoded separator": ({"q": ["a%26b%3Dc"]}, b"q=a%26b%3Dc", b"q=a%26b%3Dc"),
    "several values": ({"q": ["1", "%20", ""]}, b"q=1&q=+&q=", b"q=1&q=%20&q="),
    "an encoded key": ({"a%5B%5D": ["1"]}, b"a%5B%5D=1", b"a%5B%5D=1"),
}


@pytest.mark.parametrize(("parameters", "classic", "modern"), QUERIES.values(), ids=QUERIES)
def test_query_is_normalised_in_classic_and_as_sent_in_2026(
    parameters: dict[str, list[str]], classic: bytes, modern: bytes
) -> None:
    event = {**alb_event(multi_value=True), "multiValueQueryStringParameters": parameters}
    assert [scope_of(event, edition=it)["query_string"] for it in EDITIONS] == [classic, modern]


@pytest.mark.parametrize(
    ("parameters", "classic", "modern"),
    [row for row in QUERIES.values() if all(len(values) == 1 for values in row[0].values())],
)
def test_query_of_single_values_is_treated_alike(
    parameters: dict[str, list[str]], classic: bytes, modern: bytes
) -> None:
    single = {name: values[0] for name, values in parameters.items()}
    event = {**alb_event(), "queryStringParameters": single}
    assert [scope_of(event, edition=it)["query_string"] for it in EDITIONS] == [classic, modern]


@pytest.mark.parametrize("multi_value", [False, True])
@pytest.mark.parametrize(
    ("sent", "client"),
    [
        (CLIENT_IP, CLIENT_IP),
        (f"192.0.2.1, {CLIENT_IP}", CLIENT_IP),
        (f"192.0.2.1,192.0.2.2,{CLIENT_IP}", CLIENT_IP),
        (f"unknown, {CLIENT_IP}", CLIENT_IP),
        ("192.0.2.1, 2001:db8::1", "2001:db8::1"),
        (f"192.0.2.1, {CLIENT_IP}:51234", CLIENT_IP),
        ("192.0.2.1, [2001:db8::1]:51234", "2001:db8::1"),
    ],
)
@every_edition
def test_client_is_the_last_entry_of_x_forwarded_for(
    sent: str, client: str, multi_value: bool, edition: str
) -> None:
    event = alb_event(headers=[("X-Forwarded-For", sent)], multi_value=multi_value)
    assert scope_of(event, edition=edition)["client"] == (client, 0)


@every_edition
def test_client_is_the_last_entry_of_several_headers(edition: str) -> None:
    forwarded = [("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-For", CLIENT_IP)]
    event = alb_event(headers=forwarded, multi_value=True)
    assert scope_of(event, edition=edition)["client"] == (CLIENT_IP, 0)


@pytest.mark.parametrize("multi_value", [False, True])
def test_client_is_unknown_without_x_forwarded_for(multi_value: bool) -> None:
    event = alb_event(multi_value=multi_value)
    event = without(event, ("multiValueHeaders" if multi_value else "headers", "x-forwarded-for"))
    assert [scope_of(event, edition=it)["client"] for it in EDITIONS] == [(None, 0), None]


# --- the answer -------------------------------------------------------------------------------

ANSWER = [
    *TEXT,
    (b"Vary", b"Accept"),
    (b"vary", b"Origin"),
    (b"x-one", b"1"),
    (b"set-cookie", b"a=1"),
]


def _described(result: dict[str, Any], edition: str) -> dict[str, Any]:
    return result if edition == "classic" else {**result, "statusDescription": "200 OK"}


@every_edition
def test_single_value_answer_joins_all_but_cookies(edition: str) -> None:
    result = result_of(alb_event(), headers=ANSWER, edition=edition)
    assert result == _described(
        {
            "statusCode": 200,
            "headers": {
                "content-type": "text/plain",
                "vary": "Accept,Origin",
                "x-one": "1",
                "set-cookie": "a=1",
            },
            "body": "ok",
            "isBase64Encoded": False,
        },
        edition,
    )


@every_edition
def test_multi_value_answer_keeps_every_value(edition: str) -> None:
    result = result_of(alb_event(multi_value=True), headers=ANSWER, edition=edition)
    assert result == _described(
        {
            "statusCode": 200,
            "multiValueHeaders": {
                "content-type": ["text/plain"],
                "vary": ["Accept", "Origin"],
                "x-one": ["1"],
                "set-cookie": ["a=1"],
            },
            "body": "ok",
            "isBase64Encoded": False,
        },
        edition,
    )


def _modes() -> dict[str, tuple[Event, str]]:
    single, multiple = alb_event(), alb_event(multi_value=True)
    return {
        "headers alone": (single, "headers"),
        "multiValueHeaders alone": (multiple, "multiValueHeaders"),
        "empty multiValueHeaders": ({**multiple, "multiValueHeaders": {}}, "multiValueHeaders"),
        "null multiValueHeaders": ({**single, "multiValueHeaders": None}, "headers"),
        "null headers": ({**multiple, "headers": None}, "multiValueHeaders"),
        "both": ({**multiple, "headers": single["headers"]}, "multiValueHeaders"),
        "neither": (without(single, ("headers",)), "headers"),
    }


@every_edition
@pytest.mark.parametrize(("event", "key"), _modes().values(), ids=_modes())
def test_answer_mirrors_the_mode_of_the_event(event: Event, key: str, edition: str) -> None:
    result = result_of(event, headers=ANSWER, edition=edition)
    assert {"headers", "multiValueHeaders"} & set(result) == {key}


@every_edition
@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 100, 512])
def test_every_cookie_has_its_own_spelling_of_the_name(number: int, edition: str) -> None:
    cookies = [f"c{index}=v" for index in range(number)]
    headers = [*TEXT, *((b"Set-Cookie", cookie.encode()) for cookie in cookies)]
    result = result_of(alb_event(), headers=headers, edition=edition)
    assert [
        value for name, value in result["headers"].items() if name.lower() == "set-cookie"
    ] == cookies
    assert len(result["headers"]) == number + 1
    assert "set-cookie" in result["headers"]


@every_edition
def test_more_cookies_than_spellings_are_not_cut_silently(
    edition: str, caplog: pytest.LogCaptureFixture
) -> None:
    headers = [*TEXT, *((b"set-cookie", b"c%d=v" % index) for index in range(513))]
    answer = decode_result(result_of(alb_event(), headers=headers, edition=edition))
    assert (answer.status, answer.cookies) == (500, [])
    assert answer.header("content-type").startswith("text/plain")
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "513" in record.getMessage()
    assert "512" in record.getMessage()


@every_edition
def test_multi_value_answer_takes_any_number_of_cookies(edition: str) -> None:
    headers = [*TEXT, *((b"set-cookie", b"c%d=v" % index) for index in range(600))]
    result = result_of(alb_event(multi_value=True), headers=headers, edition=edition)
    assert len(result["multiValueHeaders"]["set-cookie"]) == 600


@every_edition
def test_no_other_name_is_spelled_in_two_ways(edition: str) -> None:
    headers = [(b"X-A", b"1"), (b"x-a", b"2"), (b"LINK", b"3"), (b"link", b"4")]
    result = result_of(alb_event(), headers=headers, body=b"", edition=edition)
    assert result["headers"] == {"x-a": "1,2", "link": "3,4"}
