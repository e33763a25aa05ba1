"""Reads topics of two clusters by librdkafka and tells how the target differs from the source, partition by partition.

argv: librdkafka's properties of the source and of the target, each as JSON, then the topics; `a=b` where a is called b on
the target. Only committed records count; key, value, headers and time must be the same, and the order within a partition.
Whether the time is the producer's or the source's broker's is a setting of the topic, and no part of it.
"""

import collections
import hashlib
import json
import sys

import confluent_kafka


def short(value):
    """A value, or what stands for a long one."""
    return value if value is None or len(value) < 64 else (len(value), hashlib.blake2b(value, digest_size=16).digest())


def read(properties, topic):
    """A partition's committed records in order, by partition."""
    consumer = confluent_kafka.Consumer({
        "group.id": "compare-topics", "isolation.level": "read_committed", "check.crcs": True, "log_level": 0,
        "enable.auto.commit": False, "enable.partition.eof": True, "auto.offset.reset": "error",
        "fetch.wait.max.ms": 50, **properties,
    })
    partitions = sorted(consumer.list_topics(topic, timeout=30).topics[topic].partitions)
    consumer.assign([confluent_kafka.TopicPartition(topic, partition, 0) for partition in partitions])
    records, ended = {partition: [] for partition in partitions}, set()
    while len(ended) < len(partitions):
        message = consumer.poll(30)
        assert message is not None, f"nothing from {topic} for 30 s"
        if message.error() is None:
            headers = tuple(tuple(header) for header in message.headers() or [])
            # Without a time it is -1 in today's format, and 0 of one that has no room for it.
            time = max(0, message.timestamp()[1])
            record = (message.key(), short(message.value()), headers, time)
            records[message.partition()].append(record)
        elif message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
            ended.add(message.partition())
        elif message.error().fatal() or not message.error().retriable():
            raise confluent_kafka.KafkaException(message.error())
    consumer.close()
    return records


def compare(source, target):
    missing = added = reordered = 0
    for partition in source.keys() | target.keys():
        left, right = source.get(partition, []), target.get(partition, [])
        lost = collections.Counter(left) - collections.Counter(right)
        more = collections.Counter(right) - collections.Counter(left)
        missing += lost.total()
        added += more.total()
        reordered += not lost and not more and left != right
    return {
        "records": sum(map(len, source.values())), "partitions": len(source),
        "missing": missing, "repeatedOrWrong": added, "partitionsOutOfOrder": reordered,
    }


if __name__ == "__main__":
    sides = json.loads(sys.argv[1]), json.loads(sys.argv[2])
    names = {topic: (topic.split("=")[0], topic.split("=")[-1]) for topic in sys.argv[3:]}
    print(json.dumps({topic: compare(read(sides[0], a), read(sides[1], b)) for topic, (a, b) in names.items()}))
