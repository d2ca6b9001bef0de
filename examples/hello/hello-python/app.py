"""Answers a function URL, or any other call, with a greeting."""

import platform


def handler(event, context):
    query = event.get("queryStringParameters") or {}
    name = query.get("name") or event.get("name") or "world"
    print("greeting", name)
    return {"message": f"Hello {name}, from Python {platform.python_version()}"}
