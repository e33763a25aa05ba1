"""librdkafka's clients: plays the scene argv[2] against the broker argv[1], its names ending in argv[3], and prints one
JSON object of what was seen."""

import json
import sys
import threading
import time

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
)

BROKER, SCENE, SUFFIX = sys.argv[1:4]
TOPIC = f"road-{SUFFIX}"
GROUP = f"group-{SUFFIX}"
QUIET = {"bootstrap.servers": BROKER, "log_level": 0}
PATIENCE_S = 20

client = AdminClient(QUIET)


def create(partitions, **config):
    client.create_topics([NewTopic(TOPIC, partitions, 1, config=config)])[TOPIC].result()
    eventually(lambda: len(client.list_topics(TOPIC, 5).topics[TOPIC].partitions) == partitions)


def eventually(holds):
    """Whether it comes to hold within the time; errors count as not yet."""
    deadline = time.time() + PATIENCE_S
    while time.time() < deadline:
        try:
            if holds():
                return True
        except KafkaException:
            pass
        time.sleep(0.05)
    return False


def keys_of(prefix, count):
    return [f"{prefix}{index}" for index in range(count)]


def transactional(**options):
    producer = Producer({**QUIET, "transactional.id": f"txn-{SUFFIX}", "linger.ms": 1, **options})
    producer.init_transactions(PATIENCE_S)
    return producer


def consumer_of(**options):
    settings = {"group.id": GROUP, "auto.offset.reset": "earliest", "check.crcs": True, "enable.auto.commit": False}
    return Consumer({**QUIET, **settings, **options})


def read(wanted, **options):
    """The keys of all partitions, read without a group."""
    consumer = consumer_of(**options)
    partitions = client.list_topics(TOPIC, 5).topics[TOPIC].partitions
    consumer.assign([TopicPartition(TOPIC, number, OFFSET_BEGINNING) for number in partitions])
    keys = consume(consumer, wanted)
    consumer.close()
    return keys


def consume(consumer, wanted):
    """The keys: the wanted number of them, and what comes a little later and should not."""
    keys = []
    deadline = time.time() + PATIENCE_S
    while len(keys) < wanted and time.time() < deadline:
        keys += [message.key().decode() for message in consumer.consume(500, 0.2) if not message.error()]
    return keys + [message.key().decode() for message in consumer.consume(1, 0.3) if not message.error()]


def admin():
    create(3, **{"max.message.bytes": "2000000"})
    resource = ConfigResource(ConfigResource.Type.TOPIC, TOPIC)
    value = lambda: client.describe_configs([resource])[resource].result()["max.message.bytes"].value
    created = value()
    changed = ConfigResource(ConfigResource.Type.TOPIC, TOPIC)
    entry = ConfigEntry("max.message.bytes", "3000000", incremental_operation=AlterConfigOpType.SET)
    changed.add_incremental_config(entry)
    client.incremental_alter_configs([changed])[changed].result()
    altered = eventually(lambda: value() == "3000000")
    client.create_partitions([NewPartitions(TOPIC, 4)])[TOPIC].result()
    described = lambda: client.describe_topics(TopicCollection([TOPIC]))[TOPIC].result()
    grown = eventually(lambda: len(described().partitions) == 4)
    has_id = str(described().topic_id) != ""
    producer = Producer(QUIET)
    for index in range(10):
        producer.produce(TOPIC, key=str(index), partition=0)
    producer.flush(PATIENCE_S)
    client.delete_records([TopicPartition(TOPIC, 0, 4)])[TopicPartition(TOPIC, 0)].result()
    ends = {}
    for name, spec in (("low", OffsetSpec.earliest()), ("high", OffsetSpec.latest())):
        ends[name] = list(client.list_offsets({TopicPartition(TOPIC, 0): spec}).values())[0].result().offset
    offsets = ConsumerGroupTopicPartitions(GROUP, [TopicPartition(TOPIC, 0, 7)])
    client.alter_consumer_group_offsets([offsets])[GROUP].result()
    asked = ConsumerGroupTopicPartitions(GROUP)
    committed = client.list_consumer_group_offsets([asked])[GROUP].result().topic_partitions[0].offset
    state = str(client.describe_consumer_groups([GROUP])[GROUP].result().state)
    listed = [group.group_id for group in client.list_consumer_groups().result().valid]
    client.delete_consumer_groups([GROUP])[GROUP].result()
    client.delete_topics([TOPIC])[TOPIC].result()
    gone = eventually(lambda: TOPIC not in client.list_topics(timeout=5).topics)
    return {
        "created": created,
        "altered": altered,
        "grown": grown,
        "hasId": has_id,
        **ends,
        "committed": committed,
        "state": state,
        "listed": GROUP in listed,
        "gone": gone,
    }


def idempotence():
    """All at once, so that several batches are under way when replies are lost."""
    create(3)
    producer = Producer({**QUIET, "enable.idempotence": True, "compression.type": "lz4", "batch.num.messages": 100})
    for index in range(5000):
        producer.produce(TOPIC, key=f"i{index}", value=b"y" * 100)
    unsent = producer.flush(PATIENCE_S)
    keys = read(5000)
    return {"unsent": unsent, "once": sorted(keys) == sorted(keys_of("i", 5000))}


def transactions():
    """Five transactions of 100 records, every other one aborted."""
    create(3)
    producer = transactional(**{"compression.type": "zstd"})
    kept = []
    for number in range(5):
        producer.begin_transaction()
        keys = keys_of(f"{number}-", 100)
        for key in keys:
            producer.produce(TOPIC, key=key, value="x" * 300)
        if number % 2 == 1:
            producer.flush(PATIENCE_S)  # Else it would not send what it aborts.
            producer.abort_transaction(PATIENCE_S)
        else:
            producer.commit_transaction(PATIENCE_S)
            kept += keys
    committed = read(len(kept))
    everything = read(500, **{"isolation.level": "read_uncommitted"})
    return {"committedOnce": sorted(committed) == sorted(kept), "uncommitted": len(everything)}


def copying():
    """Consumes and produces in transactions, the offsets within them."""
    create(1)
    producer = transactional()
    producer.begin_transaction()
    for key in keys_of("", 50):
        producer.produce(TOPIC, key=key)
    producer.commit_transaction(PATIENCE_S)
    consumer = consumer_of(**{"group.instance.id": "one"})
    consumer.subscribe([TOPIC])
    consume(consumer, 50)
    position = consumer.position(consumer.assignment())
    committed = []
    for commits in (True, False):
        producer.begin_transaction()
        ahead = position if commits else [TopicPartition(TOPIC, 0, 1)]
        producer.send_offsets_to_transaction(ahead, consumer.consumer_group_metadata(), PATIENCE_S)
        if commits:
            producer.commit_transaction(PATIENCE_S)
        else:
            producer.abort_transaction(PATIENCE_S)
        committed.append(consumer.committed(consumer.assignment(), timeout=PATIENCE_S)[0].offset)
    consumer.close()
    return {"moved": [offset == position[0].offset for offset in committed]}


def fencing():
    create(1)
    producer = transactional()
    producer.begin_transaction()
    producer.produce(TOPIC, key="zombie")
    producer.flush(PATIENCE_S)
    successor = transactional()
    try:
        producer.commit_transaction(PATIENCE_S)
        fatal = False
    except KafkaException as error:
        fatal = error.args[0].fatal()
    successor.begin_transaction()
    successor.produce(TOPIC, key="successor")
    successor.commit_transaction(PATIENCE_S)
    return {"fatal": fatal, "keys": read(1)}


class Member:
    """A group's member that reads in a thread of its own and remembers what it was given and what was taken."""

    def __init__(self, strategy):
        quick = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 100, "enable.auto.commit": True}
        self.keys, self.held, self.taken, self.leaving = [], set(), [], False
        self.consumer = consumer_of(**quick, **{"partition.assignment.strategy": strategy})
        self.consumer.subscribe([TOPIC], on_assign=self.assigned, on_revoke=self.revoked)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def assigned(self, _, partitions):
        self.held |= {one.partition for one in partitions}

    def revoked(self, _, partitions):
        self.taken += [one.partition for one in partitions]
        self.held -= {one.partition for one in partitions}

    def run(self):
        while not self.leaving:
            message = self.consumer.poll(0.05)
            if message is not None and not message.error():
                self.keys.append(message.key().decode())
        self.consumer.close()

    def leave(self):
        self.leaving = True
        self.thread.join()


def rebalance(strategy):
    """Three members come one after the other, and the first one leaves, with records to read each time."""
    create(6)
    producer = Producer(QUIET)
    members, sent, shares, arrived = [], [], [], True

    def settle(living):
        """Shares them, then sends and reads."""
        fair = 6 // len(living)
        shares.append(eventually(lambda: all(len(one.held) == fair for one in living)))
        keys = keys_of(f"{len(sent)}-", 200)
        for key in keys:
            producer.produce(TOPIC, key=key)
        producer.flush(PATIENCE_S)
        sent.extend(keys)
        return eventually(lambda: sum(len(one.keys) for one in members) >= len(sent))

    for _ in range(3):
        members.append(Member(strategy))
        arrived = settle(members) and arrived
    taken = sum(len(one.taken) for one in members)
    before = [len(one.taken) for one in members[1:]]
    members[0].leave()
    arrived = settle(members[1:]) and arrived
    kept = [len(one.taken) for one in members[1:]] == before
    for one in members[1:]:
        one.leave()
    keys = [key for one in members for key in one.keys]
    once = sorted(keys) == sorted(sent)
    return {"shares": shares, "read": arrived, "once": once, "takenWhileGrowing": taken, "keptAll": kept}


SCENES = {
    "admin": admin,
    "idempotence": idempotence,
    "transactions": transactions,
    "copying": copying,
    "fencing": fencing,
    "eager": lambda: rebalance("range"),
    "cooperative": lambda: rebalance("cooperative-sticky"),
}
print(json.dumps(SCENES[SCENE]()))
