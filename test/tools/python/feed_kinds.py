"""Writes topics whose records and batches are of one kind each, by librdkafka.

argv: librdkafka's properties as JSON, then topics, which are called after their kinds, the functions below, or `topic=kind`.
Prints how many committed records each topic has got.
"""

import json
import random
import sys
import time

from confluent_kafka import Producer

properties = json.loads(sys.argv[1])
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
HEADERS = [
    None, [("a", b"1"), ("none", None), ("a", b"2")], [("z", b""), ("y", b"\xff\x00\xfe"), ("", b"no name")],
    [(f"h{number}", str(number).encode()) for number in range(20, 0, -1)],
]
chance = random.Random(20261121)


def producer(**more):
    return Producer({
        "enable.idempotence": True, "linger.ms": 50, "delivery.timeout.ms": 60000, "log_level": 0, **properties, **more,
    })


def send(client, topic, **record):
    def delivered(error, _):
        assert error is None, error

    record = {"partition": 0, "on_delivery": delivered, **record}
    while True:
        try:
            return client.produce(topic, **record)
        except BufferError:
            client.poll(0.1)


def of_every_kind(number):
    """Keys, values and headers that are null, empty, binary and repeated, and times in any order."""
    return {
        "key": [None, b"", f"key {number}", bytes([number % 256, 0, 255])][number % 4],
        "value": [None, b"", f"value {number} ".encode() * (number % 40), chance.randbytes(number % 700)][number // 4 % 4],
        "headers": HEADERS[number // 16 % 4], "timestamp": 1_700_000_000_000 + chance.randrange(10**9),
        "partition": number % 4,
    }


def codecs(topic, records=6_000):
    """All codecs in one log, in batches of many sizes."""
    clients = [producer(**{"compression.type": codec, "batch.num.messages": 97}) for codec in CODECS]
    for number in range(records):
        client = clients[number // 300 % 5]
        send(client, topic, **of_every_kind(number))
        if number % 300 == 299:
            client.flush(60)
    return records


def tiny(topic, records=2_000):
    """A batch for each record."""
    for codec in ["none", "zstd"]:
        client = producer(**{"compression.type": codec, "batch.num.messages": 1, "linger.ms": 0})
        for number in range(records // 2):
            send(client, topic, **of_every_kind(number))
        client.flush(60)
    return records


def large(topic):
    """Records of 1 MB, batches of 900 kB, and small ones among them."""
    records = 0
    for codec in CODECS:
        client = producer(**{"compression.type": codec, "message.max.bytes": 1_048_000, "batch.size": 950_000})
        for _ in range(2):
            for size in [1_000_000, 20, 3, 300_000, 300_000, 300_000, 400]:
                send(client, topic, key=str(size), value=chance.randbytes(size // 2) + b"x" * (size - size // 2))
                records += 1
            client.flush(60)
    return records


def transactions(topic):
    """Two writers whose transactions overlap; each third one is aborted. And a plain one among them."""
    writers = [producer(**{"transactional.id": f"{topic}-{name}"}) for name in range(2)]
    plain, committed = producer(), 0
    for writer in writers:
        writer.init_transactions(60)
    for turn in range(15):
        for index, writer in enumerate(writers):
            writer.begin_transaction()
            for number in range(1 + 7 * turn % 40):
                send(writer, topic, **of_every_kind(1_000 * turn + 2 * number + index))
            writer.flush(60)
            send(plain, topic, key="plain", value=f"{turn} {index}", partition=turn % 4)
            plain.flush(60)
            committed += 1
        for index, writer in enumerate(writers):
            if (turn + index) % 3 == 0:
                writer.abort_transaction(60)
            else:
                writer.commit_transaction(60)
                committed += 1 + 7 * turn % 40
    return committed


def stamped(topic, records=1_000):
    """For a topic that keeps the time of the append."""
    for codec in CODECS:
        client = producer(**{"compression.type": codec})
        for number in range(records // 5):
            send(client, topic, **of_every_kind(number))
        client.flush(60)
    return records


def cut(topic, records=400):
    """Few batches, so that an offset is likely to be in the middle of one."""
    client = producer(**{"compression.type": "lz4", "linger.ms": 500})
    for number in range(records):
        send(client, topic, key=str(number), value=f"value {number}")
    client.flush(60)
    return records


def compacted(topic, rounds=12):
    """The same keys again and again, some of them deleted at last. Later segments let a cleaner work on earlier ones."""
    clients = [producer(**{"compression.type": codec}) for codec in CODECS]
    records = 0
    for turn in range(rounds):
        client = clients[turn % 5]
        for key in range(60):
            value = None if key < 10 and turn >= rounds - 2 else f"{topic} {turn} {key} " + "x" * (key * 7)
            # Keys of a batch are cleaned one by one: what is left of it has gaps.
            if chance.random() < 0.7 or turn == rounds - 1:
                send(client, topic, key=f"key {key}", value=value, headers=[("turn", str(turn)), ("none", None)])
                records += 1
        client.flush(60)
        time.sleep(0.2)
    return records


def later(topic, rounds=5):
    """Other keys in batches that come one by one: each closes the segment before it."""
    client = producer()
    for turn in range(rounds):
        send(client, topic, key=f"later {turn % 2}", value=f"later {turn}")
        client.flush(60)
        time.sleep(0.3)
    return rounds


def old(topic, records=1_000):
    """For brokers that keep a former format, which knows neither headers nor idempotence; codecs up to lz4."""
    for codec in CODECS[:4]:
        client = producer(**{"compression.type": codec, "enable.idempotence": False, "batch.num.messages": 50})
        for number in range(records // 4):
            send(client, topic, **{**of_every_kind(number), "headers": None})
        client.flush(60)
    return records


KINDS = [codecs, tiny, large, transactions, stamped, cut, compacted, later, old]
written = {}
for argument in sys.argv[2:]:
    topic, _, name = argument.partition("=")
    kind = next(kind for kind in KINDS if kind.__name__ == (name or topic.split("-")[0]))
    written[topic] = kind(topic)
print(json.dumps(written))
