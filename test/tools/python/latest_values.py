"""Reads a topic by librdkafka and prints, as JSON, how many records it has and the last value of each key, null for those that
were deleted, with the offset after the last record.

argv: librdkafka's properties as JSON, topic.
"""

import json
import sys

import confluent_kafka

consumer = confluent_kafka.Consumer({
    "group.id": "latest-values", "isolation.level": "read_committed", "check.crcs": True, "log_level": 0,
    "enable.auto.commit": False, "enable.partition.eof": True, "auto.offset.reset": "error", "fetch.wait.max.ms": 50,
    **json.loads(sys.argv[1]),
})
consumer.assign([confluent_kafka.TopicPartition(sys.argv[2], 0, confluent_kafka.OFFSET_BEGINNING)])
records, latest, end = 0, {}, 0
while True:
    message = consumer.poll(30)
    assert message is not None, "nothing for 30 s"
    if message.error() is None:
        value = message.value()
        latest[message.key().decode()] = None if value is None else value.decode()
        records, end = records + 1, message.offset() + 1
    elif message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
        break
    else:
        raise confluent_kafka.KafkaException(message.error())
consumer.close()
print(json.dumps({"records": records, "end": end, "latest": latest}))
