"""Compares the bootstrap's JSON with the package's, where both must do the same, and with simplejson's answers, which Lambda gives."""

import collections
import decimal
import enum
import itertools
import json

import freehold_json
import freehold_life


class Colour(enum.IntEnum):
    RED = 1


class Text(str):
    pass


VALUES = [
    None, True, False, 0, -1, 2**70, 1.5, -0.0, 1e300, 5e-324, float("nan"), float("inf"), float("-inf"),
    "", "plain", "quote\" back\\ line\n tab\t nul\0 del\x7f", "é€😀", "\u2028", "\ud800", Text("own"), Colour.RED,
    [], (), {}, [[]], [1, [2, [3]]], (1, 2), {"a": {"b": [None]}}, {1: "int", 2.5: "float", None: "none", True: "bool"},
    collections.OrderedDict(b=1, a=2), collections.namedtuple("Pair", "a b")(1, 2),
    {1, 2}, object, b"bytes", [1j], {(1, 2): "tuple"}, {"a": lambda: 1}, [[[]], {"deep": [set()]}],
]
TEXTS = [
    b"null", b" [1, 2.5, -3e2] ", b'{"a": {"b": "c"}}', b'"\\u00e9\\ud83d\\ude00"', "\"é😀\"".encode(), b"NaN", b"[Infinity, -Infinity]", b"1E400",
    b"123456789012345678901234567890", b'{"a": 1, "a": 2}', b"\t\r\n1\n", "\ufeff1".encode(), '{"a": 1}'.encode("utf-16"),
    b"", b" ", b"nul", b"[1,]", b'{"a" 1}', b'{a: 1}', b"1 2", b'"open', b'"tab\t"', b'"\\x"', b"[1] x", b"01", b"\xff", b'"\xed\xa0\x80"', b"-", b"[" * 50,
    "\u00a01".encode(),
]


Pair = collections.namedtuple("Pair", "x y")


class Named:
    def __init__(self, value):
        self.value = value

    def _asdict(self):
        return {"value": self.value}


class Failing(dict):
    def items(self):
        raise KeyError("none")


class Own(list):
    pass


def circle_of(make):
    circle = []
    circle.append(make(circle))
    return circle


# What simplejson writes where the package does otherwise.
SIMPLEJSON = [
    (Pair(1, 2), '{"x": 1, "y": 2}'),
    ([Pair(1, {"deep": (Pair(None, []),)})], '[{"x": 1, "y": {"deep": [{"x": null, "y": []}]}}]'),
    ({b"k": 1, "t": (1, 2), 2: b"v"}, '{"k": 1, "t": [1, 2], "2": "v"}'),
    (Pair({b"k": Pair(1.5, b"bytes")}, Own([Colour.RED, Text("own")])), '{"x": {"k": {"x": 1.5, "y": "bytes"}}, "y": [1, "own"]}'),
    (Named([Named(1)]), '{"value": [{"value": 1}]}'),
    ([Pair(decimal.Decimal("1.10"), "1")], '[{"x": 1.10, "y": "1"}]'),
    ([Pair(1, 2)] * 3, '[{"x": 1, "y": 2}, {"x": 1, "y": 2}, {"x": 1, "y": 2}]'),
    ([(1, 2), {"a": None}], '[[1, 2], {"a": null}]'),
    (circle_of(lambda circle: circle), "ValueError: Circular reference detected"),
    (circle_of(lambda circle: Pair(1, circle)), "ValueError: Circular reference detected"),
    (circle_of(lambda circle: {b"k": circle}), "ValueError: Circular reference detected"),
    (circle_of(Named), "ValueError: Circular reference detected"),
    ({(1, 2): 1}, "TypeError: keys must be str, int, float, bool or None, not tuple"),
    ([Pair(1, {1, 2})], "TypeError: Object of type set is not JSON serializable"),
    ({b"\xff": 1}, "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    (Failing(a=1), "KeyError: 'none'"),
    ("half \ud800 \u00e9", '"half \\ud800 \u00e9"'),
]


def differences_from_simplejson():
    def written(value):
        try:
            return freehold_life.dump(value).decode()
        except Exception as error:
            return type(error).__name__ + ": " + str(error)

    return [[written(value), expected] for value, expected in SIMPLEJSON if written(value) != expected]


def outcome(work):
    try:
        return repr(work())
    except Exception as error:
        return type(error).__name__ + ": " + str(error)


def plain(value):
    if isinstance(value, set):
        return sorted(value)
    raise TypeError("no " + type(value).__name__)


def differences():
    found = []
    for value, ascii_only, allow_nan in itertools.product(VALUES, (True, False), (True, False)):
        options = {"allow_nan": allow_nan, "default": plain}
        ours = outcome(lambda: freehold_json.dumps(value, ascii_only, **options))
        theirs = outcome(lambda: json.dumps(value, ensure_ascii=ascii_only, **options))
        if ours != theirs:
            found.append([ours, theirs])
    for text in TEXTS:
        ours, theirs = outcome(lambda: freehold_json.loads(text)), outcome(lambda: json.loads(text))
        if ours != theirs:
            found.append([ours, theirs])
    return found


def handler(event, context):
    if event == "circle":
        circle = []
        circle.append(circle)
        return circle
    if event == "deep":
        deep = []
        for _ in range(100_000):
            deep = [deep]
        return deep
    if event == "simplejson":
        return differences_from_simplejson()
    return differences() if event.get("cases") else event
