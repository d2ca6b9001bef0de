"""Takes reminders over HTTP, and sends them when their schedule calls."""

import base64
import json
import os
import uuid

import aws


def handler(event, context):
    if "requestContext" not in event:
        return send(event["text"])
    try:
        body = event.get("body") or "{}"
        wish = json.loads(base64.b64decode(body) if event.get("isBase64Encoded") else body)
        text, at = wish["text"], wish["at"]
    except (ValueError, KeyError):
        return answer(400, {"error": 'Post {"text": "…", "at": "2030-05-01T18:00:00"}, and "timezone" if it is not UTC.'})
    name = f"reminder-{uuid.uuid4()}"
    status, told = aws.scheduler(
        "POST",
        f"/schedules/{name}",
        {
            "ScheduleExpression": f"at({at})",
            "ScheduleExpressionTimezone": wish.get("timezone", "UTC"),
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ActionAfterCompletion": "DELETE",
            "Target": {
                "Arn": "arn:aws:scheduler:::aws-sdk:lambda:invoke",
                "RoleArn": "arn:aws:iam::000000000000:role/reminders",
                "Input": json.dumps({"FunctionName": context.function_name, "Payload": {"text": text}}),
            },
        },
    )
    if status != 200:
        return answer(status, {"error": told.get("message") or told.get("Message")})
    return answer(201, {"name": name, "at": at})


def send(text):
    aws.publish(os.environ["TOPIC"], "Reminder", text)
    print("reminded of", text)


def answer(status, body):
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps(body)}
