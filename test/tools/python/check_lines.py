"""Reads the lines that a sink wrote as NDJSON or delimited text and compares them with the tweets that were its source.

argv: a JSON object as of read_lake.py, and `lines`, the file of the tweets. Each tweet must be there once, under its own
offset, with all of its values as the format has them. Prints how many rows there are and the endings of the files.
"""

import datetime
import json
import sys

from check_road import COLUMNS, flatten
from read_lake import FORMATS, READERS


def main(given):
    place = json.loads(given)
    with open(place["lines"], "rb") as lines:
        tweets = [flatten(json.loads(line)) for line in lines]
    expected = {tweet[0]: SHOWN[place["format"]](tweet) for tweet in tweets}
    found, places, endings = {}, set(), set()
    for path, content in READERS[place["type"]](place):
        endings.add(path.rsplit("/", 1)[1].split(".", 1)[1])
        for partition, offset, row in FORMATS[place["format"]](path, content):
            assert (partition, offset) not in places, f"offset {offset} of partition {partition} is there twice"
            places.add((partition, offset))
            id, values = READ[place["format"]](row)
            assert id not in found, f"{id} is there twice"
            assert values == expected[id], (path, [pair for pair in zip(values, expected[id]) if pair[0] != pair[1]])
            found[id] = values
    missing = expected.keys() - found.keys()
    assert not missing, f"{len(missing)} tweets are missing, {list(missing)[:3]}"
    print(json.dumps({"rows": len(found), "endings": sorted(endings)}))


def instant(milliseconds):
    moment = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def as_json(tweet):
    return [instant(value) if name == "created_at" and value is not None else value for name, value in zip(COLUMNS, tweet)]


def as_text(tweet):
    return [cell(value) for value in as_json(tweet)]


def cell(value):
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "".join(" " if one in "\n\r|" else one for one in str(value))


SHOWN = {"ndjson": as_json, "text": as_text}
READ = {
    "ndjson": lambda row: (row["id"], [row[name] for name in COLUMNS]),
    "text": lambda row: (int(row[0]), row[: len(COLUMNS)]),
}

if __name__ == "__main__":
    main(*sys.argv[1:])
