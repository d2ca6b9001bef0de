"""CloudWatch Logs as boto3 sees it: every operation, its paginators, its faults, and the CLI that tails."""

import shutil
import subprocess
import time
import uuid

import pytest
from botocore.exceptions import ClientError
from support import eventually

DAY = 24 * 60 * 60 * 1000


@pytest.fixture(scope="module")
def logs(node):
    # The node's own checks are what is tried here, not the client's.
    return node.client("logs", parameter_validation=False)


@pytest.fixture
def group(logs):
    name = f"/conformance/{uuid.uuid4()}"
    logs.create_log_group(logGroupName=name)
    yield name
    try:
        logs.delete_log_group(logGroupName=name)
    except logs.exceptions.ResourceNotFoundException:
        pass


@pytest.fixture
def stream(logs, group):
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    return "s"


def now():
    return int(time.time() * 1000)


def events(*pairs):
    return [{"timestamp": timestamp, "message": message} for timestamp, message in pairs]


def refused(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return caught.value.response["ResponseMetadata"]["HTTPStatusCode"], error["Code"], error["Message"]


NO_GROUP = (400, "ResourceNotFoundException", "The specified log group does not exist.")
NO_STREAM = (400, "ResourceNotFoundException", "The specified log stream does not exist.")
BAD_TOKEN = (400, "InvalidParameterException", "The specified nextToken is invalid.")


def test_a_group_from_create_to_delete(logs):
    name = f"/conformance/{uuid.uuid4()}"
    before = now()
    logs.create_log_group(logGroupName=name, tags={"env": "test"}, logGroupClass="STANDARD")
    exists = refused(logs.create_log_group, logGroupName=name)
    assert exists == (400, "ResourceAlreadyExistsException", "The specified log group already exists")
    [found] = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert before - 5000 <= found.pop("creationTime") <= now() + 5000
    arn = f"arn:aws:logs:us-east-1:000000000000:log-group:{name}"
    assert found == {
        "logGroupName": name,
        "metricFilterCount": 0,
        "arn": arn + ":*",
        "storedBytes": 0,
        "logGroupClass": "STANDARD",
        "logGroupArn": arn,
        "deletionProtectionEnabled": False,
    }
    [found] = logs.describe_log_groups(logGroupIdentifiers=[arn])["logGroups"]
    assert found["logGroupName"] == name
    [found] = logs.describe_log_groups(logGroupNamePattern=name[5:])["logGroups"]
    assert found["logGroupArn"] == arn and "storedBytes" not in found
    logs.put_retention_policy(logGroupName=name, retentionInDays=14)
    assert logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"][0]["retentionInDays"] == 14
    logs.delete_retention_policy(logGroupName=name)
    assert "retentionInDays" not in logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"][0]
    logs.delete_log_group(logGroupName=name)
    assert logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"] == []
    assert refused(logs.delete_log_group, logGroupName=name) == NO_GROUP


def test_groups_are_paginated(logs):
    prefix = f"/pages/{uuid.uuid4()}/"
    names = [f"{prefix}{number:03}" for number in range(23)]
    for name in reversed(names):
        logs.create_log_group(logGroupName=name)
    try:
        pages = list(
            logs.get_paginator("describe_log_groups").paginate(
                logGroupNamePrefix=prefix, PaginationConfig={"PageSize": 5}
            )
        )
        assert [group["logGroupName"] for page in pages for group in page["logGroups"]] == names
        assert all(len(page["logGroups"]) <= 5 for page in pages)
    finally:
        for name in names:
            logs.delete_log_group(logGroupName=name)


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        ({"logGroupName": "aws/x"}, "InvalidParameterException", "reserved for AWS"),
        ({"logGroupName": "with space"}, "InvalidParameterException", "failed to satisfy constraint"),
        ({"logGroupName": "x", "kmsKeyId": "arn:aws:kms:us-east-1:000000000000:key/x"}, "InvalidParameterException", "KMS"),
        ({"logGroupName": "x", "logGroupClass": "GOLD"}, "InvalidParameterException", "enum value set"),
    ],
)
def test_bad_groups_are_refused(logs, arguments, code, message):
    status, found, text = refused(logs.create_log_group, **arguments)
    assert (status, found) == (400, code) and message in text


def test_bad_arguments_are_refused(logs, group):
    status, code, text = refused(logs.put_retention_policy, logGroupName=group, retentionInDays=2)
    assert (status, code) == (400, "InvalidParameterException") and "retentionInDays" in text
    status, code, text = refused(logs.describe_log_groups, logGroupNamePrefix="a", logGroupNamePattern="b")
    assert (status, code) == (400, "InvalidParameterException") and "mutually exclusive" in text
    assert refused(logs.describe_log_groups, nextToken="!") == BAD_TOKEN
    for limit in (0, 51):
        status, code, text = refused(logs.describe_log_groups, limit=limit)
        assert (status, code) == (400, "InvalidParameterException") and "'limit' failed to satisfy constraint" in text


def test_streams_are_listed_in_both_orders(logs, group):
    base = now() - 60_000
    for number, name in enumerate(["c", "a", "b/2", "b/1"]):
        logs.create_log_stream(logGroupName=group, logStreamName=name)
        logs.put_log_events(logGroupName=group, logStreamName=name, logEvents=events((base + number, "x")))
    exists = refused(logs.create_log_stream, logGroupName=group, logStreamName="a")
    assert exists == (400, "ResourceAlreadyExistsException", "The specified log stream already exists")
    paginator = logs.get_paginator("describe_log_streams")

    def names(**arguments):
        pages = paginator.paginate(logGroupName=group, PaginationConfig={"PageSize": 2}, **arguments)
        return [stream["logStreamName"] for page in pages for stream in page["logStreams"]]

    assert names() == ["a", "b/1", "b/2", "c"]
    assert names(descending=True) == ["c", "b/2", "b/1", "a"]
    assert names(logStreamNamePrefix="b/") == ["b/1", "b/2"]
    assert names(orderBy="LastEventTime") == ["c", "a", "b/2", "b/1"]
    assert names(orderBy="LastEventTime", descending=True) == ["b/1", "b/2", "a", "c"]
    [found] = logs.describe_log_streams(logGroupIdentifier=group, logStreamNamePrefix="a")["logStreams"]
    assert found["firstEventTimestamp"] == found["lastEventTimestamp"] == base + 1
    assert found["arn"] == f"arn:aws:logs:us-east-1:000000000000:log-group:{group}:log-stream:a"
    assert found["storedBytes"] == 0 and abs(found["lastIngestionTime"] - now()) < 60_000
    logs.delete_log_stream(logGroupName=group, logStreamName="a")
    assert names() == ["b/1", "b/2", "c"]
    assert refused(logs.delete_log_stream, logGroupName=group, logStreamName="a") == NO_STREAM
    assert refused(logs.describe_log_streams, logGroupName="none") == NO_GROUP
    both = refused(logs.describe_log_streams, logGroupName=group, logGroupIdentifier=group)
    assert both == (400, "ValidationException", "LogGroup name and LogGroup ARN are mutually exclusive parameters.")
    status, code, _ = refused(
        logs.describe_log_streams, logGroupName=group, orderBy="LastEventTime", logStreamNamePrefix="a"
    )
    assert (status, code) == (400, "InvalidParameterException")


def test_events_are_put_and_got(logs, group, stream):
    base = now()
    answer = logs.put_log_events(
        logGroupName=group,
        logStreamName=stream,
        logEvents=events((base, "hello"), (base, "world"), (base + 1, "🙀 - 参よ - 日本語")),
        sequenceToken="whatever",
    )
    assert len(answer["nextSequenceToken"]) == 56 and "rejectedLogEventsInfo" not in answer
    arn = f"arn:aws:logs:us-east-1:000000000000:log-group:{group}"
    for where in ({"logGroupName": group}, {"logGroupIdentifier": group}, {"logGroupIdentifier": arn}):
        found = logs.get_log_events(logStreamName=stream, **where)["events"]
        assert [event["message"] for event in found] == ["hello", "world", "🙀 - 参よ - 日本語"]
        assert [event["timestamp"] for event in found] == [base, base, base + 1]
        assert all(abs(event["ingestionTime"] - base) < 60_000 for event in found)
    stored = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["storedBytes"]
    assert stored == 3 * 26 + 10 + len("🙀 - 参よ - 日本語".encode())


def test_a_put_says_what_it_did_not_take(logs, group, stream):
    base = now()

    def put(*pairs):
        return logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events(*pairs))

    answer = put((base - 30 * DAY, "old"), (base, "good"), (base + DAY, "new"))
    assert answer["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 2}
    logs.put_retention_policy(logGroupName=group, retentionInDays=1)
    answer = put((base - 2 * DAY, "expired"))
    assert answer["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 1}
    found = logs.get_log_events(logGroupName=group, logStreamName=stream)["events"]
    assert [event["message"] for event in found] == ["good"]


def test_bad_batches_are_refused_whole(logs, group, stream):
    base = now()

    def put(pairs, group=group, stream=stream):
        return refused(logs.put_log_events, logGroupName=group, logStreamName=stream, logEvents=events(*pairs))

    assert put([(base, "x")], group="none") == NO_GROUP
    assert put([(base, "x")], stream="none") == NO_STREAM
    invalid = (400, "InvalidParameterException")
    unordered = "Log events in a single PutLogEvents request must be in chronological order."
    assert put([(base, "x"), (base - 1, "y")]) == (*invalid, unordered)
    wide = "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."
    assert put([(base - DAY - 1000, "x"), (base, "y")]) == (*invalid, wide)
    large = "Upload too large: 1048578 bytes exceeds limit of 1048576"
    assert put([(base, "x" * 524_263)] * 2) == (*invalid, large)
    status, code, text = put([(base, "x")] * 10_001)
    assert (status, code) == invalid and "less than or equal to 10000" in text
    status, code, text = put([])
    assert (status, code) == invalid and "logEvents" in text
    assert logs.get_log_events(logGroupName=group, logStreamName=stream)["events"] == []
    assert "rejectedLogEventsInfo" not in logs.put_log_events(
        logGroupName=group, logStreamName=stream, logEvents=events((base, "x" * 1_048_550))
    )


def test_tokens_go_both_ways_and_stand_at_the_end(logs, group, stream):
    base = now() - 1000
    logs.put_log_events(
        logGroupName=group, logStreamName=stream, logEvents=events(*((base + n, str(n)) for n in range(25)))
    )

    def walk(token, **arguments):
        pages = []
        given = {}
        while True:
            answer = logs.get_log_events(logGroupName=group, logStreamName=stream, limit=10, **arguments, **given)
            pages.append([int(event["message"]) for event in answer["events"]])
            assert answer["nextForwardToken"].startswith("f/") and answer["nextBackwardToken"].startswith("b/")
            if given.get("nextToken") == answer[token]:
                return pages
            given = {"nextToken": answer[token]}

    forward = walk("nextForwardToken", startFromHead=True)
    assert forward == [list(range(10)), list(range(10, 20)), list(range(20, 25)), []]
    backward = walk("nextBackwardToken")
    assert backward == [list(range(15, 25)), list(range(5, 15)), list(range(5)), []]
    assert refused(logs.get_log_events, logGroupName=group, logStreamName=stream, nextToken="invalid-token") == BAD_TOKEN
    over = refused(logs.get_log_events, logGroupName=group, logStreamName=stream, limit=10_001)
    assert over == (
        400,
        "InvalidParameterException",
        "1 validation error detected: Value '10001' at 'limit' failed to satisfy constraint: "
        "Member must have value less than or equal to 10000",
    )
    assert refused(logs.get_log_events, logGroupName="none", logStreamName="s") == NO_GROUP
    assert refused(logs.get_log_events, logGroupName=group, logStreamName="none") == NO_STREAM


def test_time_ranges(logs, group, stream):
    base = now() - 1000
    logs.put_log_events(
        logGroupName=group, logStreamName=stream, logEvents=events(*((base + n, str(n)) for n in range(5)))
    )
    got = logs.get_log_events(logGroupName=group, logStreamName=stream, startTime=base + 1, endTime=base + 3)
    assert [event["message"] for event in got["events"]] == ["1", "2"]
    filtered = logs.filter_log_events(logGroupName=group, startTime=base + 1, endTime=base + 3)
    assert [event["message"] for event in filtered["events"]] == ["1", "2", "3"]


def test_filters_find_across_streams(logs, group):
    base = now() - 1000
    lines = {
        "web/1": [(0, "ERROR a WARN"), (3, "INFO b"), (6, '{"level": "ERROR", "ms": 120, "tags": ["x"]}')],
        "web/2": [(1, "WARN c"), (4, '{"level": "INFO", "ms": 20, "done": true}')],
        "db": [(2, '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'), (5, "ERROR d")],
    }
    for name, pairs in lines.items():
        logs.create_log_stream(logGroupName=group, logStreamName=name)
        logs.put_log_events(
            logGroupName=group, logStreamName=name, logEvents=events(*((base + offset, text) for offset, text in pairs))
        )
    paginator = logs.get_paginator("filter_log_events")

    def offsets(pattern="", **arguments):
        pages = list(
            paginator.paginate(
                logGroupName=group, filterPattern=pattern, PaginationConfig={"PageSize": 2}, **arguments
            )
        )
        found = [event for page in pages for event in page["events"]]
        assert len({event["eventId"] for event in found}) == len(found)
        assert all(len(event["eventId"]) == 56 and event["ingestionTime"] for event in found)
        assert all(page["searchedLogStreams"] == [] for page in pages)
        assert all((event["timestamp"] - base, event["message"]) in lines[event["logStreamName"]] for event in found)
        return [event["timestamp"] - base for event in found]

    assert offsets() == [0, 1, 2, 3, 4, 5, 6]
    assert offsets("ERROR") == [0, 5, 6]
    assert offsets("ERROR -WARN") == [5, 6]
    assert offsets("?INFO ?WARN") == [0, 1, 3, 4]
    assert offsets('"INFO b"') == [3]
    assert offsets("%^WARN|^INFO%") == [1, 3]
    assert offsets('{ $.level = "ERR*" && $.ms > 1e2 }') == [6]
    assert offsets("{ $.done IS TRUE || $.tags[0] = x }") == [4, 6]
    assert offsets("{ $.done NOT EXISTS }") == [6]
    assert offsets("[ip, ..., request = *html*, status = 4*, bytes > 1000]") == [2]
    assert offsets(logStreamNamePrefix="web/") == [0, 1, 3, 4, 6]
    assert offsets(logStreamNames=["db", "web/2"]) == [1, 2, 4, 5]
    assert offsets(interleaved=False) == [0, 1, 2, 3, 4, 5, 6]
    invalid = (400, "InvalidParameterException")
    for pattern, message in [
        ("a@b", "Invalid character(s) in term 'a@b'"),
        ("{ $.a = 1", "If a filter pattern starts with '{' it must end with '}'"),
        ("{ a }", "Invalid filter pattern"),
        ("[a, status = 4* && bytes > 1]", "Invalid filter pattern"),
    ]:
        assert refused(logs.filter_log_events, logGroupName=group, filterPattern=pattern) == (*invalid, message)
    assert refused(logs.filter_log_events, logGroupName=group, nextToken="invalid-token") == BAD_TOKEN
    assert refused(logs.filter_log_events, logGroupName=group, logStreamNames=["none"]) == NO_STREAM
    assert refused(logs.filter_log_events, logGroupName="none") == NO_GROUP
    both = refused(logs.filter_log_events, logGroupName=group, logStreamNames=["db"], logStreamNamePrefix="d")
    assert both[:2] == invalid


def test_tags_in_both_forms(logs, group):
    arn = f"arn:aws:logs:us-east-1:000000000000:log-group:{group}"

    def tags():
        old = logs.list_tags_log_group(logGroupName=group)["tags"]
        new = logs.list_tags_for_resource(resourceArn=arn)["tags"]
        assert old == new
        return new

    assert tags() == {}
    logs.tag_resource(resourceArn=arn, tags={"a": "1", "b": "2"})
    logs.tag_log_group(logGroupName=group, tags={"b": "3", "c": ""})
    assert tags() == {"a": "1", "b": "3", "c": ""}
    logs.untag_resource(resourceArn=arn, tagKeys=["a", "none"])
    logs.untag_log_group(logGroupName=group, tags=["c"])
    assert tags() == {"b": "3"}
    status, code, _ = refused(logs.tag_resource, resourceArn=arn, tags={f"k{n}": "" for n in range(50)})
    assert (status, code) == (400, "TooManyTagsException")
    gone = refused(logs.list_tags_for_resource, resourceArn=arn + "-none")
    assert gone[:2] == (400, "ResourceNotFoundException")
    assert refused(logs.tag_log_group, logGroupName="none", tags={"a": "b"}) == NO_GROUP


def test_a_deleted_group_takes_its_events_with_it(logs, group, stream):
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events((now(), "old")))
    logs.delete_log_group(logGroupName=group)
    assert refused(logs.get_log_events, logGroupName=group, logStreamName=stream) == NO_GROUP
    logs.create_log_group(logGroupName=group)
    assert refused(logs.get_log_events, logGroupName=group, logStreamName=stream) == NO_STREAM
    assert logs.filter_log_events(logGroupName=group)["events"] == []


def test_an_operation_that_is_not_served_says_so(logs):
    status, code, message = refused(logs.describe_queries)
    assert (status, code) == (501, "NotImplementedException") and "DescribeQueries" in message


def test_the_cli_tails_without_loss_or_double(node, logs, group, stream):
    """Version 2 of the CLI has `logs tail`; where only version 1 is installed, its polling is done by hand below."""
    aws = shutil.which("aws")
    version = subprocess.run([aws, "--version"], capture_output=True, text=True).stdout if aws else ""
    if not version.startswith("aws-cli/2"):
        pytest.skip("aws logs tail is in version 2 of the CLI only")
    command = [aws, "--endpoint-url", node.endpoint, "logs", "tail", group, "--follow", "--format", "short"]
    tail = subprocess.Popen(command, env=node.environment(), stdout=subprocess.PIPE, text=True)
    try:
        for number in range(40):
            logs.put_log_events(
                logGroupName=group, logStreamName=stream, logEvents=events((now(), f"line {number}"))
            )
        found = []
        until = time.monotonic() + 60
        while len(found) < 40 and time.monotonic() < until:
            found.append(tail.stdout.readline().split(" ", 1)[1].strip())
        assert found == [f"line {number}" for number in range(40)]
    finally:
        tail.kill()
        tail.wait()


def test_polling_as_the_cli_does_it_sees_each_event_once(logs, group, stream):
    seen = {}
    latest = now()
    count = 0

    def poll():
        nonlocal latest
        given = {"startTime": latest}
        while True:
            answer = logs.filter_log_events(logGroupName=group, interleaved=True, **given)
            for event in answer["events"]:
                if event["eventId"] not in seen:
                    seen[event["eventId"]] = event["message"]
                    latest = max(latest, event["timestamp"])
            if "nextToken" not in answer:
                return
            given["nextToken"] = answer["nextToken"]

    for _ in range(20):
        batch = [(now(), f"line {count + number}") for number in range(7)]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events(*batch))
        count += 7
        poll()
        assert list(seen.values()) == [f"line {number}" for number in range(count)]
    eventually(lambda: len(seen) == count, what="every event")
