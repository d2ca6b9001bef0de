"""pynamodb, which brings models, conditions, versions and transactions of its own, works with tables as with DynamoDB's."""

import datetime
import uuid

import pytest
from pynamodb.attributes import (
    BinaryAttribute,
    JSONAttribute,
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
    UTCDateTimeAttribute,
    VersionAttribute,
)
from pynamodb.connection import Connection
from pynamodb.exceptions import DeleteError, DoesNotExist, PutError, TransactWriteError
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, LocalSecondaryIndex
from pynamodb.models import Model
from pynamodb.transactions import TransactGet, TransactWrite

PLACED = datetime.datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=datetime.timezone.utc)


@pytest.fixture(scope="module")
def order(node):
    """The model, on a table of its own."""

    class ByState(GlobalSecondaryIndex):
        class Meta:
            index_name = "by-state"
            projection = AllProjection()

        state = UnicodeAttribute(hash_key=True)
        number = NumberAttribute(range_key=True)

    class ByTime(LocalSecondaryIndex):
        class Meta:
            index_name = "by-time"
            projection = AllProjection()

        customer = UnicodeAttribute(hash_key=True)
        placed = UTCDateTimeAttribute(range_key=True)

    class Address(MapAttribute):
        city = UnicodeAttribute()
        code = NumberAttribute(null=True)

    class Order(Model):
        class Meta:
            table_name = f"pynamodb-{uuid.uuid4()}"
            host = node.endpoint
            region = "us-east-1"
            aws_access_key_id = "test"
            aws_secret_access_key = "test"
            billing_mode = "PAY_PER_REQUEST"

        customer = UnicodeAttribute(hash_key=True)
        number = NumberAttribute(range_key=True)
        state = UnicodeAttribute(default="open")
        placed = UTCDateTimeAttribute(default=PLACED)
        total = NumberAttribute(default=0)
        labels = UnicodeSetAttribute(null=True)
        lines = ListAttribute(default=list)
        address = Address(null=True)
        picture = BinaryAttribute(legacy_encoding=False, null=True)
        notes = JSONAttribute(null=True)
        version = VersionAttribute()
        by_state = ByState()
        by_time = ByTime()

    Order.create_table(wait=True)
    assert Order.exists()
    # What else a test wants to make of the model.
    Order.Address = Address
    yield Order
    Order.delete_table()


def test_a_model_is_saved_read_changed_and_deleted(order):
    one = order(
        "ada",
        1,
        labels={"new", "gift"},
        lines=[{"article": "tea", "count": 3}, None, True],
        address=order.Address(city="London", code=7),
        picture=b"\x00\xff",
        notes={"a": [1, 2]},
    )
    one.save()
    found = order.get("ada", 1, consistent_read=True)
    assert found.labels == {"new", "gift"} and found.address.city == "London" and found.picture == b"\x00\xff"
    assert found.notes == {"a": [1, 2]} and found.placed == PLACED and found.version == 1
    assert found.lines[0]["count"] == 3 and found.lines[1:] == [None, True]

    found.update(
        actions=[
            order.total.set(order.total + 12),
            order.labels.add({"paid"}),
            order.lines.set(order.lines.append(["more"])),
            order.address.code.remove(),
        ],
        condition=(order.state == "open") & order.address.city.startswith("Lon") & order.picture.exists(),
    )
    assert (found.total, found.labels, found.address.code, found.version) == (12, {"new", "gift", "paid"}, None, 2)
    assert found.lines[-1] == "more"

    # Another has changed it meanwhile: versions tell.
    with pytest.raises(PutError) as refused:
        one.save()
    assert refused.value.cause_response_code == "ConditionalCheckFailedException"
    with pytest.raises(DeleteError):
        found.delete(order.total > 100)
    found.delete()
    with pytest.raises(DoesNotExist):
        order.get("ada", 1)


def test_queries_scans_and_pages(order):
    with order.batch_write() as batch:
        for number in range(60):
            state = "open" if number % 3 else "paid"
            placed = PLACED + datetime.timedelta(hours=100 - number)
            batch.save(order("bob", number, state=state, placed=placed, total=number))
    numbers = lambda found: [int(one.number) for one in found]  # noqa: E731
    assert numbers(order.query("bob", order.number.between(5, 8))) == [5, 6, 7, 8]
    assert numbers(order.query("bob", scan_index_forward=False, limit=3)) == [59, 58, 57]
    assert numbers(order.query("bob", filter_condition=order.total.is_in(4, 2), page_size=7)) == [2, 4]
    assert numbers(order.by_state.query("paid", order.number < 10)) == [0, 3, 6, 9]
    assert numbers(order.by_time.query("bob", order.placed <= PLACED + datetime.timedelta(hours=43))) == [59, 58, 57]
    assert order.count("bob", order.number >= 50) == 10
    pages = order.query("bob", limit=10)
    first = numbers(pages)
    rest = numbers(order.query("bob", last_evaluated_key=pages.last_evaluated_key))
    assert first + rest == list(range(60))
    scanned = [number for part in range(3) for number in numbers(order.scan(order.customer == "bob", segment=part, total_segments=3))]
    assert sorted(scanned) == list(range(60))
    assert sorted(numbers(order.batch_get([("bob", number) for number in range(0, 200, 10)]))) == [0, 10, 20, 30, 40, 50]


def test_transactions(node, order):
    connection = Connection(host=node.endpoint, region="us-east-1")
    connection.session.set_credentials("test", "test")
    order("eve", 1, total=10).save()
    eve = order.get("eve", 1)
    with TransactWrite(connection=connection) as transaction:
        transaction.save(order("eve", 2, total=5))
        transaction.update(eve, actions=[order.total.set(order.total - 5)], condition=order.total >= 5)
    with pytest.raises(TransactWriteError) as cancelled:
        with TransactWrite(connection=connection) as transaction:
            transaction.condition_check(order, "eve", 2, condition=order.total == 5)
            transaction.update(order.get("eve", 1), actions=[order.total.set(0)], condition=order.total > 100)
    reasons = cancelled.value.cancellation_reasons
    assert [reason and reason.code for reason in reasons] == [None, "ConditionalCheckFailed"]
    with TransactGet(connection=connection) as transaction:
        totals = [transaction.get(order, "eve", number) for number in (1, 2)]
    assert [future.get().total for future in totals] == [5, 5]
