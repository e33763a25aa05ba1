"""Writes the lines of a file to a topic by librdkafka, in turn to its partitions, in batches of 128 KiB before compression.

argv: broker, topic, partitions, codec, file.
"""

import sys

from confluent_kafka import Producer

broker, topic, partitions, codec, file = sys.argv[1:]
failed = []
producer = Producer(
    {
        "bootstrap.servers": broker,
        "compression.type": codec,
        "batch.size": 128 * 1_024,
        "linger.ms": 50,
        "enable.idempotence": True,
        "queue.buffering.max.messages": 50_000,
    }
)
with open(file, "rb") as lines:
    for number, line in enumerate(lines):
        while True:
            try:
                producer.produce(
                    topic,
                    key=b"%d" % number,
                    value=line[:-1],
                    partition=number % int(partitions),
                    on_delivery=lambda error, _: error and failed.append(error.str()),
                )
                break
            except BufferError:
                producer.poll(0.05)
        if number % 256 == 0:
            producer.poll(0)
left = producer.flush(600)
assert left == 0 and not failed, f"{left} records unsent, {failed[:1]}"
print("loaded", number + 1)
