"""Writes tweets to a source at a steady rate and reads them from the target, both by librdkafka. Each carries the time of its
making in the place of its id; what was made after the warm-up counts.

argv: source, target, topic, partitions, records per second, seconds of warm-up, seconds that count.
Prints one JSON object: records that count, those that came, and milliseconds p50, p99 and max from making to receipt.
"""

import json
import sys
import threading
import time

from confluent_kafka import Consumer, Producer, TopicPartition
from tweets import DIGITS, tweets

source, target, topic = sys.argv[1:4]
partitions, rate, warm_s, counted_s = (int(argument) for argument in sys.argv[4:8])
parts = tweets()
total = rate * (warm_s + counted_s)
first_counted = rate * warm_s
PATIENCE_S = 20
TICK_S = 0.001


def produce():
    producer = Producer({"bootstrap.servers": source, "linger.ms": 1, "acks": "all", "log_level": 0})
    start, number = time.monotonic(), 0
    while number < total:
        due = min(total, int((time.monotonic() - start) * rate))
        for number in range(number, due):
            head, tail = parts[number % len(parts)]
            stamped = head + b"%019d" % time.time_ns() + tail
            producer.produce(topic, key=b"%d" % number, value=stamped, partition=number % partitions)
        number = max(number, due)
        producer.poll(0)
        time.sleep(TICK_S)
    producer.flush(PATIENCE_S)


consumer = Consumer({
    "bootstrap.servers": target, "group.id": "bench-latency", "isolation.level": "read_committed", "log_level": 0,
    "enable.auto.commit": False, "fetch.wait.max.ms": 10,
})
ends = [consumer.get_watermark_offsets(TopicPartition(topic, partition), 30)[1] for partition in range(partitions)]
consumer.assign([TopicPartition(topic, partition, end) for partition, end in enumerate(ends)])
consumer.poll(0.5)
writer = threading.Thread(target=produce, daemon=True)
writer.start()
came, late_ms, deadline = 0, [], time.monotonic() + warm_s + counted_s + PATIENCE_S
offset = len(parts[0][0])
while came < total and time.monotonic() < deadline:
    messages = consumer.consume(1_000, 0.005)
    now = time.time_ns()
    for message in messages:
        if message.error() is not None:
            continue
        came += 1
        if int(message.key()) >= first_counted:
            late_ms.append((now - int(message.value()[offset : offset + DIGITS])) / 1e6)
writer.join(PATIENCE_S)
late_ms.sort()
share = lambda part: late_ms[min(len(late_ms) - 1, int(part * len(late_ms)))] if late_ms else None
said = {"counted": rate * counted_s, "came": len(late_ms), "p50": share(0.5), "p99": share(0.99), "max": share(1)}
print(json.dumps(said))
