"""What Lambda does to `logging`: records become events of the log, each with the request that it belongs to.

Loaded by `freehold_life.py`, which knows the request and writes the events, when it is idle or when a function first imports `logging`.
"""

import logging
import os
import time
import traceback

import freehold_life as life


class Handler(logging.Handler):
    """Puts records into the log, one event each."""

    def emit(self, record):
        life.log_event(self.format(record))


class RequestIdFilter(logging.Filter):
    """Tells records which invocation they belong to."""

    def filter(self, record):
        record.aws_request_id = life.request_id
        return True


# What every record has: all else was given to the call as `extra`, and is told too.
KNOWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "aws_request_id", "taskName"}


class JsonFormatter(logging.Formatter):
    """A record as a JSON object, with the fields that Lambda has."""

    def format(self, record):
        told = {
            "timestamp": life.timestamp(record.created),
            "level": logging.getLevelName(min(50, max(0, record.levelno)) // 10 * 10),
            "message": record.getMessage(),
            "logger": record.name,
        }
        if record.exc_info:
            kind, error, tb = record.exc_info
            told["stackTrace"] = traceback.format_tb(tb)
            told["errorType"] = kind.__name__ if kind else None
            told["errorMessage"] = str(error)
        # Only our own handler says so; a function may give this formatter to another one.
        told["requestId"] = getattr(record, "aws_request_id", None)
        if record.exc_info:
            told["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
        for name, value in vars(record).items():
            if name not in KNOWN_FIELDS:
                told.setdefault(name, value)
        return life.to_line({name: value for name, value in told.items() if value is not None})


def text_formatter():
    form = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"
    formatter = logging.Formatter(form, "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    return formatter


def set_up():
    """Once, when the function's environment is known."""
    handler = Handler()
    handler.setFormatter(JsonFormatter() if life.logs_json() else text_formatter())
    handler.addFilter(RequestIdFilter())
    root = logging.getLogger()
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    # Python has no TRACE.
    level = "DEBUG" if level == "TRACE" else level
    if isinstance(logging.getLevelName(level), int):
        root.setLevel(level)
    root.addHandler(handler)
