"""The life of a Python guest: take who you are, load the handler, then one invocation after the other.

It reads events on descriptor 3 and answers on 4. Between invocations it blocks in a read; that is the freeze.

What only some functions need is loaded while nobody waits for this process, or else when it is needed: when a hundred are started at
once, a third of what starting costs would go into it.
"""

import _thread
import io
import os
import struct
import sys
import time

import freehold_json

EVENTS, ANSWERS = 3, 4
OUTPUT = 1
HEADER = struct.Struct("<III")
INIT_ERROR, READY, RESULT, ERROR, TOO_LARGE, LOG, TEXT = 17, 16, 18, 19, 21, 22, 23
# What the host sends at a time, at most. A read into less room would lose the rest.
PACKET_BYTES = 4096
RESPONSE_BYTES_MAX = 6291556
PIECE_BYTES_MAX = 256 * 1024
# What a pipe takes from several processes without mixing it up.
ATOMIC_BYTES = 4096 - HEADER.size


class RuntimeFault(Exception):
    """An error of the runtime's own making, with its AWS name."""

    def __init__(self, kind, message, stack=()):
        super().__init__(message)
        self.kind = kind
        self.stack = list(stack)


# Frames


def read_exactly(count):
    chunks = []
    while count > 0:
        chunk = os.read(EVENTS, max(PACKET_BYTES, min(count, 1 << 16)))
        if not chunk:
            # The host is gone.
            os._exit(0)
        chunks.append(chunk)
        count -= len(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


_ahead = b""


def read_frame():
    """The next frame: its text and its body. Usually one system call."""
    global _ahead
    data = _ahead or os.read(EVENTS, 1 << 16)
    if not data:
        os._exit(0)
    if len(data) < HEADER.size:
        data += read_exactly(HEADER.size - len(data))
    _, text_bytes, body_bytes = HEADER.unpack_from(data)
    whole = HEADER.size + text_bytes + body_bytes
    if len(data) < whole:
        data += read_exactly(whole - len(data))
    _ahead = data[whole:]
    body_at = HEADER.size + text_bytes
    return data[HEADER.size : body_at].decode(), data[body_at:whole]


# One frame at a time, whichever thread it comes from. A signal's handler that prints must not wait for what it interrupts.
_frames = _thread.RLock()


def write_frame(kind, body=b"", request_id=""):
    """One frame. An answer has the id of its request."""
    text = request_id.encode("latin-1", "replace")
    parts = [HEADER.pack(kind, len(text), len(body)) + text, body]
    with _frames:
        take_turn(True)
        try:
            while parts:
                written = os.writev(ANSWERS, parts)
                while parts and written >= len(parts[0]):
                    written -= len(parts.pop(0))
                if parts and written:
                    parts[0] = parts[0][written:]
        finally:
            take_turn(False)


# What processes that share the way lock while one writes a frame: answers are longer than what a pipe keeps whole.
_turns = None


def take_turn(mine):
    if _turns is not None:
        import fcntl

        try:
            fcntl.lockf(_turns, fcntl.LOCK_EX if mine else fcntl.LOCK_UN)
        except OSError:
            # The function closed it.
            pass


def before_fork():
    """No other thread is in the middle of a frame when there come to be two of us."""
    global _turns
    _frames.acquire()
    if _turns is None:
        try:
            import fcntl  # noqa: F401

            _turns = os.memfd_create("turns")
        except (AttributeError, ImportError, OSError):
            # Then only what is longer than a pipe keeps whole may be torn.
            pass


# The longest piece of what is printed and logged.
_piece_bytes = PIECE_BYTES_MAX


def share():
    """There is another process that prints by the same way."""
    global _piece_bytes
    _piece_bytes = ATOMIC_BYTES


def after_fork():
    share()
    _frames.release()


def renew_lock():
    """A child process has only the thread that forked: nobody would open what another one held."""
    global _frames
    _frames = _thread.RLock()
    share()


os.register_at_fork(before=before_fork, after_in_parent=after_fork, after_in_child=renew_lock)


def log_event(text):
    """One event of the log, whatever line ends are in it."""
    write_pieces(LOG, text.encode("utf-8", "replace"))


def write_pieces(kind, data):
    most = _piece_bytes
    for at in range(0, len(data), most):
        write_frame(kind, data[at : at + most])


class Printed(io.RawIOBase):
    """A standard stream that keeps its place among the answers."""

    def writable(self):
        return True

    def fileno(self):
        return OUTPUT

    def write(self, data):
        data = bytes(data)
        write_pieces(TEXT, data)
        return len(data)


def standard_stream():
    return io.TextIOWrapper(io.BufferedWriter(Printed()), encoding="utf-8", errors="replace", line_buffering=True)


# What handlers see


class Client:
    """The device that calls, as mobile SDKs tell it."""

    def __init__(self, facts):
        for name in ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name"):
            setattr(self, name, facts.get(name))


class ClientContext:
    """What the caller says of itself."""

    def __init__(self, facts):
        self.custom = facts.get("custom")
        self.env = facts.get("env")
        client = facts.get("client")
        self.client = Client(client) if client is not None else None


class CognitoIdentity:
    """Who the caller is to Cognito."""

    def __init__(self, facts):
        self.cognito_identity_id = facts.get("cognitoIdentityId")
        self.cognito_identity_pool_id = facts.get("cognitoIdentityPoolId")


class LambdaContext:
    """The second argument of handlers."""

    def __init__(self, facts):
        request_id, deadline, arn, _trace, client, identity = facts
        self.aws_request_id = request_id
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = arn
        self.client_context = ClientContext(freehold_json.loads(client.encode())) if client else None
        self.identity = CognitoIdentity(freehold_json.loads(identity.encode()) if identity else {})
        self._epoch_deadline_time_in_ms = int(deadline)

    def get_remaining_time_in_millis(self):
        return max(self._epoch_deadline_time_in_ms - int(time.time() * 1000), 0)

    def log(self, message):
        log_event(str(message))

    def __repr__(self):
        shown = ",".join(f"{name}={value}" for name, value in vars(self).items() if not name.startswith("_"))
        return f"LambdaContext([{shown}])"


# Logging


# Of the invocation that is under way.
request_id = ""


class StandardFinder:
    """Finds in the interpreter's own folders what Lambda, or this process, loads whatever modules of such names a function brings."""

    names = frozenset(
        "contextlib copy datetime decimal fcntl json linecache logging numbers re string textwrap threading token tokenize "
        "traceback warnings weakref".split()
    )
    # Without the bootstrap's own.
    path = sys.path[1:]
    find = sys.modules["_frozen_importlib_external"].PathFinder.find_spec

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return cls.find(name, cls.path) if name in cls.names else None


class LoggingFinder:
    """Sets logging up as soon as the function has imported it, where that was not done ahead."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name != "logging":
            return None
        sys.meta_path.remove(cls)
        spec = next(filter(None, (finder.find_spec(name, path, target) for finder in sys.meta_path)), None)
        if spec is not None:
            execute = spec.loader.exec_module

            def execute_and_set_up(module):
                execute(module)
                set_up_logging()

            spec.loader.exec_module = execute_and_set_up
        return spec


def set_up_logging():
    import freehold_logging

    freehold_logging.set_up()


def load_ahead():
    """Loads what functions may need, unless somebody waits for this process already."""
    global _ahead
    os.set_blocking(EVENTS, False)
    try:
        _ahead = os.read(EVENTS, 1 << 16)
    except BlockingIOError:
        import freehold_logging  # noqa: F401
    else:
        if not _ahead:
            os._exit(0)
    finally:
        os.set_blocking(EVENTS, True)


def timestamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".%03dZ" % (seconds % 1 * 1000)


def to_line(told):
    return freehold_json.dumps(told, ascii_only=False, allow_nan=True, default=str) + "\n"


def logs_json():
    return os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"


# Errors


def told_frames(tb):
    """The traceback's lines, without this file and the machinery of import."""
    import traceback

    frames = traceback.extract_tb(tb)
    # As tuples, because whole frames would be drawn with marks below the line, which Lambda does not have.
    return traceback.format_list(
        (frame.filename, frame.lineno, frame.name, frame.line)
        for frame in frames
        if frame.filename != __file__ and not frame.filename.startswith("<frozen")
    )


def describe(error, request_id):
    """The document for the caller, in the order that Lambda has."""
    if isinstance(error, RuntimeFault):
        kind, stack = error.kind, error.stack
    else:
        kind, stack = type(error).__name__, told_frames(error.__traceback__)
    return {"errorMessage": str(error), "errorType": kind, "requestId": request_id, "stackTrace": stack}


def log_error(document):
    if logs_json():
        log_event(to_line({"timestamp": timestamp(time.time()), "level": "ERROR", **document}))
        return
    lines = [f"[ERROR] {document['errorType']}: {document['errorMessage']}"]
    if document["stackTrace"]:
        lines.append("Traceback (most recent call last):")
        lines.extend(line.rstrip("\n") for line in document["stackTrace"])
    log_event("\n".join(lines) + "\n")


ASCII_IS_NOT_ALL = ("AWS_Lambda_python3.12", "AWS_Lambda_python3.13", "AWS_Lambda_python3.14")

# What stands around a number in an answer until that is text, if there is any that only its own type can spell. Nobody can guess it.
_mark = ""


def spell(value):
    """What Lambda takes beyond JSON's own: decimal numbers, digit by digit, and bytes that are text."""
    global _mark
    if isinstance(value, bytes):
        return value.decode()
    decimal = sys.modules.get("decimal")
    if decimal is None or not isinstance(value, decimal.Decimal):
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
    if not value.is_finite():
        raise ValueError(f"Out of range float values are not JSON compliant: {value}")
    _mark = _mark or os.urandom(16).hex()
    return f"{_mark}{value}{_mark}"


def dump(value):
    ascii_only = os.environ.get("AWS_EXECUTION_ENV", "") not in ASCII_IS_NOT_ALL
    # JSON has no word for what is no number.
    text = freehold_json.dumps_as_lambda(value, ascii_only, allow_nan=False, default=spell)
    if _mark:
        text = text.replace(f'"{_mark}', "").replace(f'{_mark}"', "")
    try:
        return text.encode()
    except UnicodeEncodeError:
        # Half a pair has no bytes in UTF-8, but JSON can spell it.
        return "".join(c if c < "\ud800" or c > "\udfff" else "\\u%04x" % ord(c) for c in text).encode()


# Life


def load(name):
    try:
        module_name, function_name = name.rsplit(".", 1)
    except ValueError as error:
        raise RuntimeFault("Runtime.MalformedHandlerName", f"Bad handler '{name}': {error}") from None
    import importlib

    module_name = module_name.replace("/", ".")
    try:
        if module_name.split(".")[0] in sys.builtin_module_names:
            message = f"Cannot use built-in module {module_name} as a handler module"
            raise RuntimeFault("Runtime.BuiltInModuleConflict", message)
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise RuntimeFault("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}") from None
    except SyntaxError as error:
        stack = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        raise RuntimeFault("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}", stack) from None
    try:
        return getattr(module, function_name)
    except AttributeError:
        message = f"Handler '{function_name}' missing on module '{module_name}'"
        raise RuntimeFault("Runtime.HandlerNotFound", message) from None


def invoke(handler, body, context):
    """The answer as bytes."""
    try:
        event = freehold_json.loads(body)
    except Exception as error:
        raise RuntimeFault("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from None
    result = handler(event, context)
    if isinstance(result, bytes):
        # Whatever it is, it is the answer.
        return result
    try:
        return dump(result)
    except Exception as error:
        raise RuntimeFault("Runtime.MarshalError", f"Unable to marshal response: {error}") from None


def set_trace(value):
    """Tells tracing libraries the trace, in `os.environ` and not in the C library's environment, which never frees a value that
    was set: a busy function would leak its memory away, a hundred bytes a call."""
    environ = os.environ
    try:
        environ._data[environ.encodekey("_X_AMZN_TRACE_ID")] = environ.encodevalue(value)
    except AttributeError:
        environ["_X_AMZN_TRACE_ID"] = value


def serve(handler):
    global request_id
    trace = None
    while True:
        text, body = read_frame()
        facts = text.split("\0")
        if facts[3] and facts[3] != trace:
            trace = facts[3]
            set_trace(trace)
        request_id = facts[0]
        kind = RESULT
        try:
            answer = invoke(handler, body, LambdaContext(facts))
            if len(answer) > RESPONSE_BYTES_MAX:
                kind, answer = TOO_LARGE, b""
        except Exception as error:
            document = describe(error, facts[0])
            log_error(document)
            kind, answer = ERROR, dump(document)
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                # The function closed it, or put something else in its place.
                pass
        write_frame(kind, answer, facts[0])


def main():
    for descriptor in (EVENTS, ANSWERS):
        os.set_inheritable(descriptor, False)
    load_ahead()
    name, environment = read_frame()
    os.environ.update(freehold_json.loads(environment))
    # The code was put there after this process had begun.
    os.chdir(os.environ["LAMBDA_TASK_ROOT"])
    if hasattr(time, "tzset"):
        time.tzset()
    sys.stdout, sys.stderr = standard_stream(), standard_stream()
    version = "python%d.%d" % sys.version_info[:2]
    sys.path[:0] = [os.environ["LAMBDA_TASK_ROOT"], "/opt/python/lib/%s/site-packages" % version, "/opt/python"]
    sys.meta_path.insert(0, StandardFinder)
    if "logging" in sys.modules:
        set_up_logging()
    else:
        sys.meta_path.insert(0, LoggingFinder)
    try:
        handler = load(name)
    except Exception as error:
        document = describe(error, "")
        log_error(document)
        write_frame(INIT_ERROR, dump(document))
        sys.exit(1)
    write_frame(READY)
    serve(handler)
