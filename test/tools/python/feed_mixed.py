"""Writes records of every kind to a topic by librdkafka until a file exists: a plain producer for each codec, and two
transactional ones, each of whose third transactions is aborted. What is refused or lost while brokers die is not missed: the
topic's committed records are what counts.

argv: librdkafka's properties as JSON, topic, partitions, records per second, seed, the file.
"""

import json
import os
import random
import sys
import threading
import time

from confluent_kafka import KafkaException, Producer

properties, topic, partitions = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3])
rate, seed, until = float(sys.argv[4]), int(sys.argv[5]), sys.argv[6]
codecs = ["none", "gzip", "snappy", "lz4", "zstd"]
writers = len(codecs) + 2


def producer(more):
    return Producer({
        "enable.idempotence": True, "linger.ms": 20, "delivery.timeout.ms": 30000, "log_level": 0,
        "message.max.bytes": 1000000, **properties, **more,
    })


def records(name):
    """Endless records: with and without keys, values and headers, some of them large."""
    chance = random.Random(f"{seed} {topic} {name}")
    number = 0
    while True:
        size = chance.randrange(50_000, 900_000) if chance.random() < 0.001 else chance.randrange(600)
        value = None if chance.random() < 0.03 else f"{topic} {name} {number} ".encode() + chance.randbytes(size)
        key = None if chance.random() < 0.05 else f"{name} {number}"
        headers = [("n", str(number)), ("none", None), ("n", b"again")] if chance.random() < 0.5 else []
        yield {"key": key, "value": value, "headers": headers, "partition": chance.randrange(partitions)}
        number += 1


def paced():
    """Steps at this writer's share of the rate, until the file is there."""
    start, step = time.monotonic(), 0
    while not os.path.exists(until):
        yield step
        step += 1
        time.sleep(max(0, start + step * writers / rate - time.monotonic()))


def send(client, record):
    while True:
        try:
            return client.produce(topic, **record)
        except BufferError:
            client.poll(0.1)


def plain(codec):
    client, source = producer({"compression.type": codec}), records(codec)
    for _ in paced():
        send(client, next(source))
        client.poll(0)
    client.flush(60)


def transactional(name):
    source, client, transaction = records(name), None, 0
    left = 0
    for _ in paced():
        try:
            if client is None:
                client = producer({"transactional.id": f"{topic}-{name}", "transaction.timeout.ms": 10000})
                client.init_transactions(30)
                left = 0
            if left == 0:
                client.begin_transaction()
                left = 1 + transaction % 40
            send(client, next(source))
            left -= 1
            if left == 0:
                transaction += 1
                if transaction % 3 == 0:
                    client.flush(10)
                    client.abort_transaction(30)
                else:
                    client.commit_transaction(30)
        except KafkaException:
            # Whether it was committed is for the readers of the topic to say.
            client = None
    if client is not None and left > 0:
        try:
            client.abort_transaction(30)
        except KafkaException:
            pass


threads = [threading.Thread(target=plain, args=(codec,)) for codec in codecs]
threads += [threading.Thread(target=transactional, args=(name,)) for name in ("first", "second")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
