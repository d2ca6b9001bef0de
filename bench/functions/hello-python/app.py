"""The handler that both sides run: see ../../peers/python_http.py."""


def handler(event, context):
    return {"message": "hello"}
