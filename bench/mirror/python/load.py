"""Fills a topic by librdkafka: a few records that anyone may read, then all others in one transaction, which it commits when a
line comes on standard input. So every mirror finds the same records at once, after it has started.

argv: broker, topic, partitions, records read first, records, codec, bytes per batch (0: batches of one record).
Prints `loaded` with a JSON object of each partition's records and hash, and `committed` with the time in nanoseconds.
"""

import json
import sys
import time

from confluent_kafka import Producer
from digests import Digests
from tweets import tweets, value

broker, topic, codec = sys.argv[1], sys.argv[2], sys.argv[6]
partitions, first, records, batch_bytes = (int(sys.argv[index]) for index in (3, 4, 5, 7))
batching = (
    {"batch.num.messages": 1, "linger.ms": 0}
    if batch_bytes == 0
    else {"batch.size": batch_bytes, "batch.num.messages": 1_000_000, "linger.ms": 200}
)
common = {"bootstrap.servers": broker, "compression.type": codec, "log_level": 0, "queue.buffering.max.kbytes": 131_072}
failed = []
parts = tweets()
digests = Digests()


def delivered(error, _):
    if error is not None:
        failed.append(error.str())


def send(producer, numbers):
    for number in numbers:
        partition, key, tweet = number % partitions, b"%d" % number, value(parts, number)
        while True:
            try:
                producer.produce(topic, key=key, value=tweet, partition=partition, on_delivery=delivered)
                break
            except BufferError:
                producer.poll(0.05)
        digests.add(partition, key, tweet)
        if number % 256 == 0:
            producer.poll(0)
    left = producer.flush(600)
    assert left == 0 and not failed, f"{left} records unsent, {failed[:1]}"


send(Producer({**common, "enable.idempotence": True}), range(first))
producer = Producer({**common, **batching, "transactional.id": f"load-{topic}", "transaction.timeout.ms": 900_000})
producer.init_transactions(60)
producer.begin_transaction()
send(producer, range(first, first + records))
print("loaded", json.dumps(digests.all()), flush=True)
if sys.stdin.readline():
    producer.commit_transaction(60)
    print("committed", time.time_ns(), flush=True)
