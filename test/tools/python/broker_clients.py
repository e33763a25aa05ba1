"""librdkafka's clients against the broker at argv[1]; prints one JSON object of what they saw."""

import json
import sys
import time

from confluent_kafka import Consumer, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec

BROKER = sys.argv[1]
TOPIC = "road"
QUIET = {"bootstrap.servers": BROKER, "log_level": 0}
seen = {}


def admin():
    client = AdminClient(QUIET)
    topic = NewTopic(TOPIC, num_partitions=3, replication_factor=1, config={"max.message.bytes": "2000000"})
    client.create_topics([topic])[TOPIC].result()
    described = client.describe_topics(TopicCollection([TOPIC]))[TOPIC].result()
    seen["partitions"] = len(described.partitions)
    resource = ConfigResource(ConfigResource.Type.TOPIC, TOPIC)
    seen["maxMessageBytes"] = client.describe_configs([resource])[resource].result()["max.message.bytes"].value
    return client


def transactions():
    """Nine transactions of 100 records, every third aborted; the keys that were committed."""
    producer = Producer({**QUIET, "transactional.id": "rd", "compression.type": "zstd", "linger.ms": 1})
    producer.init_transactions(10)
    kept = []
    for number in range(9):
        producer.begin_transaction()
        for index in range(100):
            producer.produce(TOPIC, key=f"{number}-{index}", value="x" * 300)
        if number % 3 == 2:
            producer.abort_transaction(10)
        else:
            producer.commit_transaction(10)
            kept += [f"{number}-{index}" for index in range(100)]
    return producer, kept


def consume(group, wanted, **options):
    """Reads with checked CRCs until the wanted number is there, and a little longer for what should not come."""
    settings = {"group.id": group, "auto.offset.reset": "earliest", "check.crcs": True, "enable.auto.commit": False}
    consumer = Consumer({**QUIET, **settings, **options})
    consumer.subscribe([TOPIC])
    keys = []
    deadline = time.time() + 15
    while len(keys) < wanted and time.time() < deadline:
        keys += [message.key().decode() for message in consumer.consume(500, 0.2) if not message.error()]
    keys += [message.key().decode() for message in consumer.consume(1, 0.3) if not message.error()]
    return consumer, keys


client = admin()
producer, kept = transactions()
consumer, keys = consume("g", len(kept), **{"group.instance.id": "one"})
seen["committedOnce"] = sorted(keys) == sorted(kept)

producer.begin_transaction()
producer.produce(TOPIC, key="last", value="x")
producer.send_offsets_to_transaction(consumer.position(consumer.assignment()), consumer.consumer_group_metadata(), 10)
producer.commit_transaction(10)
committed = consumer.committed(consumer.assignment(), timeout=10)
seen["offsetsInTransaction"] = [at.offset for at in committed] == [at.offset for at in consumer.position(committed)]
consumer.close()

producer.begin_transaction()
producer.produce(TOPIC, key="zombie", value="x")
producer.flush(5)
successor = Producer({**QUIET, "transactional.id": "rd"})
successor.init_transactions(10)
try:
    producer.commit_transaction(10)
    seen["fenced"] = False
except Exception as error:
    seen["fenced"] = error.args[0].fatal()

idempotent = Producer({**QUIET, "enable.idempotence": True, "compression.type": "lz4"})
for index in range(5000):
    idempotent.produce(TOPIC, key=f"i{index}", value=b"y" * 100)
seen["unsent"] = idempotent.flush(20)
_, keys = consume("h", len(kept) + 1 + 5000)
seen["all"] = len(keys) == len(set(keys)) == len(kept) + 1 + 5000
ends = client.list_offsets({TopicPartition(TOPIC, number): OffsetSpec.latest() for number in range(3)})
seen["records"] = sum(end.result().offset for end in ends.values())
print(json.dumps(seen))
