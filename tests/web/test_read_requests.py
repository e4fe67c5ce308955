"""A request reaches Django as granian's own WSGI interface would hand it over, but for what the front mends."""

from __future__ import annotations

import hashlib
import json
import socket
from typing import Any

import pytest

from tests.web.servers import ask, connect, head, in_chunks, read_answer

# What differs between two servers, whatever they are asked.
_OF_THE_SERVER = {"SERVER_PORT", "wsgi.multiprocess", "calls"}

SAME: dict[str, bytes] = {
    "nothing special": head("GET /"),
    "path and query": head("GET /a%20b/%2F/%C3%BC?x=%20&y=%C3%BC&z=+"),
    "path of raw UTF-8": b"GET /\xc3\xbc HTTP/1.1\r\nHost: h\r\n\r\n",
    "NUL in the path": head("GET /a%00b"),
    "empty query": head("GET /a?"),
    "double slash": head("GET //a/../b"),
    "HTTP/1.0 without a host": b"GET /old HTTP/1.0\r\n\r\n",
    "absolute address": b"GET http://other:81/path?q HTTP/1.1\r\nHost: h\r\n\r\n",
    "every resource": b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
    "another method": head("PROPFIND /dav"),
    "headers sent twice": b"GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nX-B: 0\r\nX-A: 2\r\nAccept: a\r\nAccept: b\r\n\r\n",
    "cookies sent twice": b"GET / HTTP/1.1\r\nHost: h\r\nCookie: a=1\r\nCookie: b=2; c=3\r\n\r\n",
    "forwarding headers": head("GET /", X_Forwarded_For="1.2.3.4", X_Forwarded_Proto="https", Forwarded="for=1.2.3.4"),
    "capitals and spaces": b"GET / HTTP/1.1\r\nHOST:   h  \r\nx-CamelCase:\t v  \r\n\r\n",
    "a header without value": b"GET / HTTP/1.1\r\nHost: h\r\nX-Empty:\r\n\r\n",
    "content type without body": head("GET /", Content_Type="application/json"),
    "a body": head("POST /", Content_Length="5", Content_Type="text/plain") + b"hello",
    "a body of nothing": head("POST /", Content_Length="0"),
    "no body at all": head("POST /"),
    "a body of a GET": head("GET /", Content_Length="5") + b"hello",
    "a large body": head("POST /", Content_Length="300000") + b"0123456789" * 30_000,
    "a header of 40,000 bytes": head("GET /", X_Long="x" * 40_000),
    "90 headers": head("GET /", **{f"X_{number}": str(number) for number in range(90)}),
}


def environ(port: int, request: bytes) -> dict[str, Any]:
    answer = ask(port, request)
    assert answer.status == 200, answer
    return {name: value for name, value in json.loads(answer.body).items() if name not in _OF_THE_SERVER}


@pytest.mark.parametrize("name", SAME)
@pytest.mark.slow
def test_the_environ_is_that_of_the_wsgi_interface(port: int, plain_port: int, name: str) -> None:
    assert environ(port, SAME[name]) == environ(plain_port, SAME[name])


REFUSED: dict[str, tuple[int, bytes]] = {
    "two lengths": (400, b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
    "a negative length": (400, head("POST /", Content_Length="-5")),
    "a length that is no number": (400, head("POST /", Content_Length="0x5")),
    "an unknown coding": (400, head("POST /", Transfer_Encoding="gzip")),
    "an address of 70,000 bytes": (414, head("GET /" + "x" * 70_000)),
    "200 headers": (431, head("GET /", **{f"X_{number}": "x" for number in range(200)})),
    "headers of a megabyte": (431, head("GET /", **{f"X_{number}": "x" * 20_000 for number in range(50)})),
    "a cookie of a megabyte": (431, head("GET /", Cookie="a=" + "x" * 1_000_000)),
    "no HTTP": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_request_is_refused(port: int, name: str) -> None:
    status, request = REFUSED[name]
    assert ask(port, request).status == status


def test_a_header_cannot_pass_for_another_by_an_underscore(port: int, plain_port: int) -> None:
    spoof = b"X-Forwarded-Proto: http\r\nX_Forwarded_Proto: https\r\nX_Real-IP: 1.1.1.1\r\n"
    request = b"GET / HTTP/1.1\r\nHost: h\r\n" + spoof + b"\r\n"
    seen = environ(port, request)
    assert seen["HTTP_X_FORWARDED_PROTO"] == "http"
    assert "HTTP_X_REAL_IP" not in seen
    # The control: the WSGI interface lets them through.
    assert environ(plain_port, request)["HTTP_X_REAL_IP"] == "1.1.1.1"


def test_values_that_are_no_text_are_dropped(port: int) -> None:
    seen = environ(port, b"GET / HTTP/1.1\r\nHost: h\r\nX-A: \xff\xfe\r\nX-B: b\r\n\r\n")
    assert seen.get("HTTP_X_A", "") == ""
    assert seen["HTTP_X_B"] == "b"


def test_a_path_that_is_not_utf_8_arrives_as_one_that_names_nothing(port: int) -> None:
    path = environ(port, head("GET /a%FFb"))["PATH_INFO"]
    assert path.encode("latin-1").decode() == "/a\N{REPLACEMENT CHARACTER}b"


BODIES = [0, 1, 1_000, 128 * 1024 - 1, 128 * 1024, 128 * 1024 + 1, 2 * 1024 * 1024]


@pytest.mark.parametrize("size", BODIES)
@pytest.mark.parametrize("chunk", [None, 1_000, 100_000])
def test_a_body_arrives_whole_and_with_its_length(port: int, size: int, chunk: int | None) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    if chunk is None:
        request = head("POST /", Content_Length=str(size)) + body
    else:
        request = head("POST /", Transfer_Encoding="chunked") + in_chunks(body, chunk)
    seen = environ(port, request)
    assert (seen["size"], seen["body"]) == (size, hashlib.sha256(body).hexdigest())
    assert seen["CONTENT_LENGTH"] == str(size)
    assert "HTTP_TRANSFER_ENCODING" not in seen


TOO_LARGE = 2 * 1024 * 1024 + 1


@pytest.mark.parametrize(
    "request_",
    [
        head("POST /api/x", Content_Length=str(TOO_LARGE)),
        head("POST /api/x", Content_Length=str(10**30)),
        head("POST /api/x", Content_Length=str(TOO_LARGE), Expect="100-continue"),
        head("POST /api/x", Content_Length=str(TOO_LARGE)) + b"x" * TOO_LARGE,
        head("POST /api/x", Transfer_Encoding="chunked") + in_chunks(b"x" * TOO_LARGE, 50_000),
        head("POST /api/x", Transfer_Encoding="chunked") + b"7fffffff\r\n" + b"x" * TOO_LARGE,
    ],
    ids=["announced", "announced absurdly", "asked first", "sent", "sent in chunks", "sent in one chunk"],
)
def test_a_body_over_the_limit_is_refused_before_its_end(port: int, request_: bytes) -> None:
    answer = ask(port, request_)
    if answer.status != 400:  # a length beyond any number is no length
        assert (answer.status, json.loads(answer.body)["code"]) == (413, "too_large")


BROKEN = {
    "a chunk without its end": b"5\r\nhel",
    "no last chunk": b"5\r\nhello\r\n",
    "a size that is no number": b"5\r\nhello\r\nZZ\r\nhello",
    "trailers": b"5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_chunked_body_that_breaks_off_is_not_taken_for_a_shorter_one(port: int, name: str) -> None:
    before = json.loads(ask(port, head("GET /")).body)["calls"]
    with connect(port) as connection, connection.makefile("rb") as reader:
        connection.sendall(head("POST /api/x", Transfer_Encoding="chunked") + BROKEN[name])
        connection.shutdown(socket.SHUT_WR)  # nothing more comes, while an answer could still be read
        text = reader.read()
    assert not text or (text.startswith(b"HTTP/1.1 400 ") and b"broke off" in text)
    assert json.loads(ask(port, head("GET /")).body)["calls"] == before + 1


def test_a_body_may_be_asked_for_first(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(head("POST /", Content_Length="5", Expect="100-continue"))
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"hello")
        assert json.loads(read_answer(connection).body)["size"] == 5


def test_requests_in_a_row_are_answered_in_their_order(port: int) -> None:
    with connect(port) as connection, connection.makefile("rb") as reader:
        connection.sendall(
            head("GET /first")
            + head("POST /second", Content_Length="2")
            + b"hi"
            + head("POST /third", Transfer_Encoding="chunked")
            + in_chunks(b"hello", 2)
            + head("GET /last", Connection="close")
        )
        text = reader.read()
    assert [text.count(f'"PATH_INFO": "/{name}"'.encode()) for name in ("first", "second", "third", "last")] == [1] * 4
    assert text.index(b"/first") < text.index(b"/second") < text.index(b"/third") < text.index(b"/last")


def test_a_body_that_nobody_reads_leaves_the_connection_in_order(port: int) -> None:
    with connect(port) as connection:
        for size in (1, 9_000, 300_000):
            connection.sendall(head("POST /?pieces=1", Content_Length=str(size)) + b"f" * size)
            assert read_answer(connection).status == 200
        connection.sendall(head("GET /after"))
        assert b"/after" in read_answer(connection).body


def test_head_is_answered_without_a_body(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(head("HEAD /"))
        answer = read_answer(connection, "HEAD")
        assert (answer.status, answer.body) == (200, b"")
        assert int(answer.headers["Content-Length"]) > 0
        connection.sendall(head("GET /after"))
        assert b"/after" in read_answer(connection).body


@pytest.mark.parametrize("query", ["pieces=1", "pieces=20", "pieces=5000", "file=0", "file=10", "file=5000000"])
@pytest.mark.slow
def test_an_answer_arrives_whole(port: int, plain_port: int, query: str) -> None:
    answers = [ask(each, head(f"GET /?{query}")) for each in (port, plain_port)]
    assert [answer.status for answer in answers] == [200, 200]
    assert answers[0].body == answers[1].body


@pytest.mark.parametrize("how", ["error", "exit"])
def test_a_request_that_fails_takes_no_thread_with_it(port: int, how: str) -> None:
    for _ in range(5):
        assert ask(port, head(f"GET /?break={how}")).status == 500
    assert ask(port, head("GET /")).status == 200
