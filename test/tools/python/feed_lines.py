"""Writes the lines of a file to a topic by librdkafka, line N to partition N mod the number of partitions.

argv: brokers as "host:port,…", topic, partitions, file. Prints how many were acknowledged.
"""

import sys

from confluent_kafka import Producer

brokers, topic, partitions, path = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
acknowledged = 0


def delivered(error, _):
    global acknowledged
    assert error is None, error
    acknowledged += 1


producer = Producer({
    "bootstrap.servers": brokers, "enable.idempotence": True, "linger.ms": 20, "compression.type": "zstd", "log_level": 0,
    "queue.buffering.max.messages": 1000000,
})
with open(path, "rb") as lines:
    for number, line in enumerate(lines):
        producer.produce(topic, value=line.rstrip(b"\n"), partition=number % partitions, on_delivery=delivered)
        producer.poll(0)
producer.flush(120)
print(acknowledged)
