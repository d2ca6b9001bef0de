"""JSON as Lambda's runtime reads and writes it, by the interpreter's own scanner and encoder.

Loading the package `json` was a third of what starting Python cost, mostly for regular expressions that its errors and options need.
So it is loaded by functions that want it, where those two parts are not what they were in known versions, and to say what is wrong.
"""

import marshal

try:
    from _json import encode_basestring, encode_basestring_ascii, make_encoder, make_scanner
except ImportError:
    make_encoder = make_scanner = None


class Reading:
    """What the scanner wants to know: nothing out of the ordinary."""

    strict = True
    object_hook = object_pairs_hook = array_hook = None
    parse_float, parse_int = float, int
    parse_constant = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}.__getitem__


try:
    scan = make_scanner and make_scanner(Reading)
except (AttributeError, TypeError):
    scan = None


def loads(data):
    """A value of bytes."""
    if scan is not None:
        try:
            text = data.decode().strip(" \t\n\r")
            value, end = scan(text, 0)
            if end == len(text):
                return value
        except (StopIteration, ValueError):
            pass
    import json

    return json.loads(data)


def dumps(value, ascii_only, allow_nan, default):
    """The text of a value. `default` gives what can be written in the place of what cannot."""
    if make_encoder is not None:
        strings = encode_basestring_ascii if ascii_only else encode_basestring
        try:
            encoder = make_encoder({}, default, strings, None, ": ", ", ", False, False, allow_nan)
        except TypeError:
            pass
        else:
            return "".join(encoder(value, 0))
    import json

    return json.dumps(value, ensure_ascii=ascii_only, allow_nan=allow_nan, default=default)


def dumps_as_lambda(value, *rules, **options):
    """The text of a value as Lambda's encoder has it, which knows two things more: what has names is an object, and keys may be bytes."""
    try:
        # Marshal takes exact types only, so what passes has no names; it looks in a tenth of the time that encoding takes.
        marshal.dumps(value, 4)
        return dumps(value, *rules, **options)
    except (TypeError, ValueError):
        return dumps(simplified(value, set()), *rules, **options)


def simplified(value, around):
    """A value with objects in the place of what has names, and text in the place of keys that are bytes. `around` are the ids of what
    it lies in."""
    if value is None or isinstance(value, (str, int, float, bytes)):
        return value
    names = not isinstance(value, list) and callable(getattr(value, "_asdict", None))
    if not names and not isinstance(value, (list, tuple, dict)):
        return value
    if id(value) in around:
        raise ValueError("Circular reference detected")
    around.add(id(value))
    plain = value._asdict() if names else value
    if names and not isinstance(plain, dict):
        raise TypeError(f"_asdict() must return a dict, not {type(plain).__name__}")
    if isinstance(plain, dict):
        plain = {
            key.decode() if isinstance(key, bytes) else key: simplified(held, around) for key, held in plain.items()
        }
    else:
        plain = [simplified(held, around) for held in plain]
    around.discard(id(value))
    return plain
