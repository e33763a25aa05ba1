"""Reads a topic's committed records by librdkafka, which checks the checksums.

argv: librdkafka's properties as JSON, the topic. Prints a JSON array of its partitions, each an array of records with key,
value (what stands for a long one is its length) and headers.
"""

import json
import sys

from compare_topics import read


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def told(record):
    key, value, headers, _ = record
    length = value[0] if isinstance(value, tuple) else None
    return {
        "key": text(key), "value": length if length is not None else text(value),
        "headers": {name: text(content) for name, content in headers},
    }


if __name__ == "__main__":
    partitions = read(json.loads(sys.argv[1]), sys.argv[2])
    print(json.dumps([[told(record) for record in partitions[one]] for one in sorted(partitions)]))
