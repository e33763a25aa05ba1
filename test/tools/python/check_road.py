"""Reads every store of a running demo with readers that are not ours and compares them with the input.

usage: check_road.py ENDPOINTS.json EXPECTED.ndjson

EXPECTED.ndjson holds the payloads that must have arrived, one a line, in input order. Prints one JSON object: per store
`count`, `missing`, `repeated`, `wrong` (right id, other content) and `outOfOrder`, with a few examples of each fault.
"""

import datetime
import hashlib
import json
import sys

import confluent_kafka
import fsspec
import psycopg
import pyarrow.fs
import pyarrow.parquet

COLUMNS = [
    "id", "text", "source", "is_retweet", "user_name", "created_at", "retweet_count", "user_location",
    "in_reply_to_user_id", "in_reply_to_status_id", "user_screen_name", "user_description", "friends_count",
    "statuses_count", "followers_count",
]


def main(endpoints_path, expected_path):
    with open(endpoints_path, encoding="utf-8") as file:
        endpoints = json.load(file)
    with open(expected_path, "rb") as file:
        expected = [line.rstrip(b"\n") for line in file if line.strip()]
    ids = [tweet_id(json.loads(line)) for line in expected]
    payloads = {id: hashlib.sha256(line).hexdigest() for id, line in zip(ids, expected)}
    rows = {id: flatten(json.loads(line)) for id, line in zip(ids, expected)}
    order = {id: index for index, id in enumerate(ids)}
    assert len(order) == len(ids), "the input itself repeats an id"

    source = read_topic(endpoints["source"]["brokers"], endpoints["source"]["topic"])
    target = read_topic(endpoints["target"]["brokers"], endpoints["target"]["topic"])
    report = {
        "source": compare_topic(source, payloads, order),
        "target": compare_topic(target, payloads, order),
        "hdfs": compare_rows(read_hdfs(endpoints["hdfs"]), rows, source),
        "s3": compare_rows(read_s3(endpoints["s3"]), rows, target),
        "warehouse": compare_rows(read_warehouse(endpoints["warehouse"]), without_nul(rows), target),
        "deadLetters": read_dead_letters(endpoints["source"]["brokers"], endpoints["deadLetters"]["topic"]),
    }
    report["target"]["outOfOrder"] += differing_order(source, target)
    report["target"]["wrong"] += differing_bytes(source, target)
    print(json.dumps(report))


def tweet_id(tweet):
    return int(tweet["data"]["id"]) if "data" in tweet else int(tweet.get("id_str") or tweet["id"])


def flatten(tweet):
    return flatten_v2(tweet) if "data" in tweet else flatten_v1(tweet)


def flatten_v2(event):
    tweet = event["data"]
    users = {user["id"]: user for user in event.get("includes", {}).get("users", [])}
    user = users.get(tweet.get("author_id"), {})
    metrics = user.get("public_metrics") or {}
    references = {reference["type"]: reference["id"] for reference in tweet.get("referenced_tweets") or []}
    return (
        int(tweet["id"]), tweet.get("text"), tweet.get("source"), "retweeted" in references, user.get("name"),
        millis(tweet.get("created_at")), (tweet.get("public_metrics") or {}).get("retweet_count"), user.get("location"),
        integer(tweet.get("in_reply_to_user_id")), integer(references.get("replied_to")), user.get("username"),
        user.get("description"), metrics.get("following_count"), metrics.get("tweet_count"),
        metrics.get("followers_count"),
    )


def flatten_v1(tweet):
    user = tweet.get("user") or {}
    text = (tweet.get("extended_tweet") or {}).get("full_text") or tweet.get("full_text") or tweet.get("text")
    return (
        tweet_id(tweet), text, tweet.get("source"), tweet.get("retweeted_status") is not None, user.get("name"),
        millis(tweet.get("created_at")), tweet.get("retweet_count"), user.get("location"),
        integer(tweet.get("in_reply_to_user_id")), integer(tweet.get("in_reply_to_status_id")),
        user.get("screen_name"), user.get("description"), user.get("friends_count"), user.get("statuses_count"),
        user.get("followers_count"),
    )


def without_nul(rows):
    """PostgreSQL cannot store U+0000; the loader puts U+FFFD in its place."""
    return {
        id: tuple(value.replace("\0", "\ufffd") if isinstance(value, str) else value for value in row)
        for id, row in rows.items()
    }


def integer(value):
    return None if value is None else int(value)


def millis(text):
    if text is None:
        return None
    if text[0].isdigit():
        moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    else:
        moment = datetime.datetime.strptime(text, "%a %b %d %H:%M:%S %z %Y")
    return round(moment.timestamp() * 1000)


def read_topic(brokers, topic):
    """Committed records as (partition, offset, key, value, headers), in offset order within each partition."""
    consumer = confluent_kafka.Consumer({
        "bootstrap.servers": ",".join(brokers), "group.id": "check-road", "isolation.level": "read_committed",
        "check.crcs": True, "enable.auto.commit": False, "enable.partition.eof": True, "auto.offset.reset": "error",
    })
    metadata = consumer.list_topics(topic, timeout=20).topics[topic]
    if metadata.error is not None:
        if metadata.error.code() == confluent_kafka.KafkaError.UNKNOWN_TOPIC_OR_PART:
            return []
        raise confluent_kafka.KafkaException(metadata.error)
    partitions = sorted(metadata.partitions)
    consumer.assign([confluent_kafka.TopicPartition(topic, partition, 0) for partition in partitions])
    records, ended = [], set()
    while len(ended) < len(partitions):
        message = consumer.poll(20)
        assert message is not None, f"nothing from {topic} for 20 s"
        if message.error() is None:
            records.append((message.partition(), message.offset(), message.key(), message.value(), message.headers()))
        elif message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
            ended.add(message.partition())
        else:
            raise confluent_kafka.KafkaException(message.error())
    consumer.close()
    return records


def read_hdfs(hdfs):
    host, port = hdfs["url"].removeprefix("http://").split(":")
    files = fsspec.filesystem("webhdfs", host=host, port=int(port), user=hdfs["user"], skip_instance_cache=True)
    paths = [path for path in files.find(hdfs["data"]) if not path.rsplit("/", 1)[1].startswith(".")]
    for path in sorted(paths):
        with files.open(path, "rb") as file:
            yield from table_rows(pyarrow.parquet.read_table(pyarrow.py_buffer(file.read())))


def read_s3(s3):
    files = pyarrow.fs.S3FileSystem(
        access_key=s3["accessKeyId"], secret_key=s3["secretAccessKey"], region=s3["region"],
        endpoint_override=s3["endpoint"].removeprefix("http://"), scheme="http", force_virtual_addressing=False,
    )
    selector = pyarrow.fs.FileSelector(f'{s3["bucket"]}/{s3["data"]}', recursive=True, allow_not_found=True)
    for info in sorted(files.get_file_info(selector), key=lambda info: info.path):
        if info.is_file:
            with files.open_input_file(info.path) as file:
                yield from table_rows(pyarrow.parquet.read_table(file))


def table_rows(table):
    last = {}
    for row in table.to_pylist():
        created = row["created_at"]
        place = (row["_partition"], row["_offset"])
        assert last.get(place[0], -1) < place[1], "a file holds its rows out of order"
        last[place[0]] = place[1]
        row["created_at"] = None if created is None else round(created.timestamp() * 1000)
        yield place, tuple(row[name] for name in COLUMNS)


def read_warehouse(warehouse):
    with psycopg.connect(warehouse["url"]) as connection:
        columns = ", ".join(f'"{name}"' for name in COLUMNS)
        table = f'"{warehouse["schema"]}"."{warehouse["table"]}"'
        for row in connection.execute(f'SELECT "_partition", "_offset", {columns} FROM {table}'):
            values = list(row[2:])
            created = values[COLUMNS.index("created_at")]
            if created is not None:
                if created.tzinfo is None:
                    created = created.replace(tzinfo=datetime.timezone.utc)
                values[COLUMNS.index("created_at")] = round(created.timestamp() * 1000)
            yield (row[0], row[1]), tuple(values)


def read_dead_letters(brokers, topic):
    return [
        {
            "headers": {name: None if value is None else value.decode() for name, value in headers or []},
            "value": None if value is None else value.decode("utf-8", "replace")[:200],
        }
        for _, _, _, value, headers in read_topic(brokers, topic)
    ]


def compare_topic(records, payloads, order):
    seen, wrong, last, disorder = {}, [], {}, []
    for partition, offset, key, value, _ in records:
        id = int(key)
        seen[id] = seen.get(id, 0) + 1
        if payloads.get(id) != hashlib.sha256(as_posted(value)).hexdigest():
            wrong.append(id)
        if order.get(id, -1) <= last.get(partition, -1):
            disorder.append([partition, offset])
        last[partition] = order.get(id, -1)
    return verdict(seen, payloads, wrong, disorder)


def as_posted(value):
    """The stream appends to each event which rules it matched; the rest is as it was posted."""
    head, found, _ = value.rpartition(b',"matching_rules":[')
    return head + b"}" if found else value


def compare_rows(rows, expected, topic):
    place_of = {int(key): (partition, offset) for partition, offset, key, _, _ in topic}
    seen, wrong, disorder = {}, [], []
    for place, row in rows:
        id = row[0]
        seen[id] = seen.get(id, 0) + 1
        if expected.get(id) != row:
            wrong.append([id, [list(pair) for pair in zip(COLUMNS, expected.get(id) or (), row) if pair[1] != pair[2]][:3]])
        if place_of.get(id) != place:
            disorder.append([id, list(place)])
    return verdict(seen, expected, wrong, disorder)


def verdict(seen, expected, wrong, disorder):
    missing = [id for id in expected if id not in seen]
    repeated = [id for id, times in seen.items() if times > 1]
    return {
        "count": sum(seen.values()), "missing": len(missing), "repeated": len(repeated), "wrong": len(wrong),
        "outOfOrder": len(disorder),
        "examples": {"missing": missing[:3], "repeated": repeated[:3], "wrong": wrong[:3], "outOfOrder": disorder[:3]},
    }


def differing_order(source, target):
    """Partitions whose sequence of keys differs between the two sides of the mirror."""
    def sequences(records):
        keys = {}
        for partition, _, key, _, _ in records:
            keys.setdefault(partition, []).append(key)
        return keys
    left, right = sequences(source), sequences(target)
    return sum(1 for partition in left.keys() | right.keys() if left.get(partition) != right.get(partition))


def differing_bytes(source, target):
    """Records whose key, value or headers are not byte for byte those of the source."""
    sent = {record[2]: record[2:] for record in source}
    return sum(1 for record in target if sent.get(record[2]) != record[2:])


if __name__ == "__main__":
    main(*sys.argv[1:])
