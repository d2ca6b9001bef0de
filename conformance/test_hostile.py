"""Malformed requests: each gets an answer or a closed connection in good time, and the node goes on."""

import os
import random
import socket
import time

import pytest

SIGV4 = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=00"


def exchange(node, sent, patience=60, is_whole=False):
    """Sends bytes and reads until the other side closes. If nothing comes for a moment, the request is taken to be incomplete unless
    it is known to be whole, and the sending side is shut, as a client does that gives up."""
    host, port = node.endpoint.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=patience) as connection:
        try:
            connection.sendall(sent)
        except OSError:
            pass  # refused in the middle: an answer too
        received = b""
        until = time.monotonic() + patience
        is_open = not is_whole
        while time.monotonic() < until:
            connection.settimeout(0.1 if is_open else patience)
            try:
                part = connection.recv(65536)
            except TimeoutError:
                if not is_open:
                    break
                is_open = False
                try:
                    connection.shutdown(socket.SHUT_WR)
                except OSError:
                    return received
                continue
            except ConnectionResetError:
                return received
            if not part:
                return received
            received += part
        raise AssertionError(f"no end after {patience} s; sent {sent[:200]!r}, received {received[:200]!r}")


def request(method, path, headers=(), body=b""):
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape") + body


CASES = {
    "nothing": b"",
    "noise": bytes(range(256)) * 8,
    "a long line": b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\n" + b"".join(b"x-%d: y\r\n" % n for n in range(10_000)) + b"\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length and chunks": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a bad chunk": b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "an absolute target": b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    "percent nonsense": request("GET", "/2015-03-31/functions/%zz%00%ff/../..%2f?%=%&&&=="),
    "deep JSON": request("POST", "/2015-03-31/functions", [], b'{"Environment":' + b'{"a":' * 100_000),
    "a wrong type": request("POST", "/2015-03-31/functions", [], b'{"FunctionName": {"a": []}, "MemorySize": "x"}'),
    "a lone surrogate": request("POST", "/2015-03-31/functions", [], b'{"FunctionName": "\\ud800"}'),
    "bytes that are no text": request("POST", "/2015-03-31/functions", [], b'{"FunctionName": "\xff\xfe"}'),
    "huge numbers": request("POST", "/2015-03-31/functions", [], b'{"MemorySize": 1e999999, "Timeout": 99999999999999999999}'),
    "an unknown target": request("POST", "/", [("X-Amz-Target", "Nothing_20000101.Do")], b"{}"),
    "an empty target": request("POST", "/", [("X-Amz-Target", "")], b"{}"),
    "a query without an action": request("POST", "/", [("Authorization", SIGV4.format("sts"))], b"Version=2011-06-15"),
    "a query of noise": request("POST", "/", [("Authorization", SIGV4.format("sts"))], b"&&=&%%%&Action=%ff&Action=GetCallerIdentity&a.b.c.1=2"),
    "a malformed signature": request("GET", "/2015-03-31/functions", [("Authorization", "AWS4-HMAC-SHA256 Credential=/////,,,=")]),
    "a broken upgrade": request("GET", "/", [("Upgrade", "h2c"), ("HTTP2-Settings", "!!!")]),
    "half an HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 100,
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_malformed_request_is_answered(node, name):
    answer = exchange(node, CASES[name])
    status = int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else None
    # 500 would be a bug of ours; nobody's nonsense is one.
    assert status is None or status in (200, 400, 403, 404, 405, 408, 413, 414, 421, 431, 501, 505), answer[:500]
    node.await_health()


def test_mutated_requests_never_hurt(node):
    seed = int(os.environ.get("FREEHOLD_SEED", time.time_ns() % 10**9))
    print(f"replay with FREEHOLD_SEED={seed}")
    chance = random.Random(seed)
    corpus = list(CASES.values()) + [
        request("POST", "/2015-03-31/functions", [("Content-Type", "application/json")], b'{"FunctionName":"f","Role":"arn:aws:iam::000000000000:role/r","Runtime":"python3.13","Handler":"a.b","Code":{"ZipFile":"UEsFBg=="},"Environment":{"Variables":{"A":"b"}}}'),
        request("POST", "/", [("X-Amz-Target", "Logs_20140328.PutLogEvents"), ("Content-Type", "application/x-amz-json-1.1")], b'{"logGroupName":"g","logStreamName":"s","logEvents":[{"timestamp":1,"message":"m"}]}'),
        request("POST", "/", [("X-Amz-Target", "Logs_20140328.FilterLogEvents")], b'{"logGroupName":"g","filterPattern":"{ $.a = 1 && ($.b > 2 || $.c IS NULL) }"}'),
        request("POST", "/", [("Authorization", SIGV4.format("sts"))], b"Action=GetCallerIdentity&Version=2011-06-15"),
        request("POST", "/_fn/nobody/a/b?c=d&c=e", [("Cookie", "a=b; c=d")], b"body"),
    ]
    corpus = [case for case in corpus if 0 < len(case) < 10_000]
    for _ in range(500):
        case = bytearray(chance.choice(corpus))
        for _ in range(chance.randrange(1, 8)):
            place = chance.randrange(len(case))
            kind = chance.randrange(4)
            if kind == 0:
                case[place] = chance.randrange(256)
            elif kind == 1:
                del case[place : place + chance.randrange(1, 20)]
            elif kind == 2:
                case[place:place] = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 20)))
            else:
                other = chance.choice(corpus)
                case[place:] = other[chance.randrange(len(other)) :]
            if not case:
                break
        answer = exchange(node, bytes(case))
        assert not answer.startswith(b"HTTP/1.1 500"), (bytes(case), answer[:1000])
    node.await_health()


@pytest.mark.parametrize(
    "headers, allowed",
    [
        ([], True),
        ([("Origin", "http://localhost:4566")], None),
        ([("Origin", "https://evil.example")], False),
        ([("Origin", "null")], False),
    ],
)
def test_a_web_page_cannot_drive_the_node(node, headers, allowed):
    answer = exchange(node, request("GET", "/2015-03-31/functions/", headers), is_whole=True)
    if allowed is True:
        assert answer.startswith(b"HTTP/1.1 200"), answer[:300]
    elif allowed is False:
        assert answer.startswith(b"HTTP/1.1 403"), answer[:300]
    assert b"access-control-allow-origin" not in answer.lower()


def test_an_unknown_host_is_refused(node):
    sent = b"GET /2015-03-31/functions/ HTTP/1.1\r\nHost: rebound.example\r\nConnection: close\r\n\r\n"
    assert exchange(node, sent, is_whole=True).startswith((b"HTTP/1.1 403", b"HTTP/1.1 421"))
