"""The application of test_celery.py: what its worker runs."""

import os

import celery

app = celery.Celery("conformance", broker=os.environ["BROKER"], backend=os.environ["BACKEND"])
app.conf.update(
    broker_transport_options={
        "region": "us-east-1",
        "is_secure": False,
        "wait_time_seconds": 1,
        "visibility_timeout": 60,
        "queue_name_prefix": "celery-",
    },
    broker_connection_retry_on_startup=True,
    task_acks_late=True,
    task_create_missing_queues=True,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
)


@app.task
def add(left, right):
    return left + right


@app.task(bind=True, max_retries=2, default_retry_delay=1)
def stubborn(self, text):
    """Succeeds when it is tried the third time."""
    if self.request.retries < 2:
        raise self.retry()
    return f"{text} after {self.request.retries}"


@app.task
def total(values):
    return sum(values)
