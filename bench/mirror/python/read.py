"""Reads a topic to its end by librdkafka, read_committed and with checksums checked, and prints each partition's records and
hash as JSON. argv: broker, topic."""

import json
import sys
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from digests import Digests

broker, topic = sys.argv[1:3]
consumer = Consumer({
    "bootstrap.servers": broker, "group.id": "bench-read", "isolation.level": "read_committed", "check.crcs": True,
    "enable.auto.commit": False, "enable.partition.eof": True, "auto.offset.reset": "error", "log_level": 0,
    "fetch.wait.max.ms": 50, "queued.max.messages.kbytes": 131_072,
})
partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
digests, ended, last = Digests(), set(), time.monotonic()
while len(ended) < len(partitions):
    # It waits for as many, or for so long.
    messages = consumer.consume(10_000, 0.2)
    last = time.monotonic() if messages else last
    assert time.monotonic() - last < 30, f"nothing from {topic} for 30 s"
    for message in messages:
        if message.error() is None:
            digests.add(message.partition(), message.key(), message.value())
        elif message.error().code() == KafkaError._PARTITION_EOF:
            ended.add(message.partition())
        else:
            raise KafkaException(message.error())
consumer.close()
print(json.dumps(digests.all()))
