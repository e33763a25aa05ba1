"""Writes records to a topic by librdkafka, which keeps their order whatever happens to the brokers.

argv: librdkafka's properties as JSON, topic, partitions, records, seconds to spread them over, and optionally a file:
then it goes on at that rate until the file is there. Prints how many were acknowledged, and why others were not.
"""

import json
import os
import sys
import time

from confluent_kafka import Producer

properties, topic, partitions, records, seconds = json.loads(sys.argv[1]), sys.argv[2], *map(float, sys.argv[3:6])
until = sys.argv[6] if len(sys.argv) > 6 else None
outcome = {"acknowledged": 0, "failed": {}}


def delivered(error, _):
    if error is None:
        outcome["acknowledged"] += 1
    else:
        outcome["failed"][error.name()] = outcome["failed"].get(error.name(), 0) + 1


producer = Producer({
    "enable.idempotence": True, "linger.ms": 5, "delivery.timeout.ms": 120000, "log_level": 0, "compression.type": "zstd",
    **properties,
})
start = time.monotonic()
number = 0
while number < records or (until and not os.path.exists(until)):
    while time.monotonic() - start < seconds * number / records:
        producer.poll(0.01)
    partition = number % int(partitions)
    producer.produce(
        topic, key=str(number), value=f"{topic} {partition} {number} " + "x" * (number % 300), partition=partition,
        headers=[("n", str(number)), ("none", None)], on_delivery=delivered,
    )
    producer.poll(0)
    number += 1
producer.flush(120)
print(json.dumps(outcome))
