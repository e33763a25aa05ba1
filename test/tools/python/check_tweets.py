"""Reads what a sink wrote to S3 with pyarrow and with DuckDB and compares it with the tweets that were its source.

argv: a JSON object with the store (endpoint, accessKeyId, secretAccessKey, region, bucket, data), and `topics`: for each
incarnation of a topic the file of its lines and its partitions, of which line N is in partition N mod their number. Every
row must be there once, at its place, with its values. Prints how many rows there are.
"""

import collections
import json
import os
import sys
import tempfile

import duckdb
import pyarrow.fs
import pyarrow.parquet

from check_road import COLUMNS, flatten, table_rows


def main(given):
    given = json.loads(given)
    expected = collections.Counter()
    for topic in given["topics"]:
        with open(topic["lines"], "rb") as lines:
            for number, line in enumerate(lines):
                place = (number % topic["partitions"], number // topic["partitions"])
                expected[(place, flatten(json.loads(line)))] += 1
    with tempfile.TemporaryDirectory() as directory:
        arrow, files = [], download(given["store"], directory)
        for file in files:
            arrow.extend(table_rows(pyarrow.parquet.read_table(file)))
        compare("pyarrow", arrow, expected)
        compare("DuckDB", duckdb_rows(files), expected)
        compare_groups(files, expected)
    print(sum(expected.values()))


def download(store, directory):
    """Everything below the prefix: what a reader that lists it sees."""
    remote = pyarrow.fs.S3FileSystem(
        access_key=store["accessKeyId"], secret_key=store["secretAccessKey"], region=store["region"],
        endpoint_override=store["endpoint"].removeprefix("http://"), scheme="http", force_virtual_addressing=False,
    )
    selector = pyarrow.fs.FileSelector(f'{store["bucket"]}/{store["data"]}', recursive=True)
    paths = [info.path for info in remote.get_file_info(selector) if info.is_file]
    files = []
    for number, path in enumerate(sorted(paths)):
        files.append(os.path.join(directory, f"{number}.parquet"))
        with remote.open_input_stream(path) as source, open(files[-1], "wb") as target:
            target.write(source.read())
    return files


def duckdb_rows(files):
    duckdb.sql("SET TimeZone = 'UTC'")
    columns = ", ".join("epoch_ms(created_at)" if name == "created_at" else f'"{name}"' for name in COLUMNS)
    for row in duckdb.execute(f'SELECT "_partition", "_offset", {columns} FROM read_parquet(?)', [files]).fetchall():
        yield (row[0], row[1]), row[2:]


def compare(reader, rows, expected):
    found = collections.Counter(rows)
    missing, extra = expected - found, found - expected
    assert not missing and not extra, (
        f"{reader}: {missing.total()} rows are missing, {extra.total()} are too many",
        list(missing)[:2], list(extra)[:2],
    )


def compare_groups(files, expected):
    """What a predicate finds when statistics prune, and what groups add up to."""
    groups = collections.Counter()
    ids = []
    for (_, row), times in expected.items():
        groups[(row[COLUMNS.index("is_retweet")], row[COLUMNS.index("user_location")])] += times
        ids.extend([row[0]] * times)
    found = duckdb.execute("SELECT is_retweet, user_location, count(*) FROM read_parquet(?) GROUP BY ALL", [files]).fetchall()
    assert {row[:2]: row[2] for row in found} == groups, "groups"
    middle = sorted(ids)[len(ids) // 2]
    below = duckdb.execute("SELECT count(*), min(id), max(id) FROM read_parquet(?) WHERE id < ?", [files, middle]).fetchall()[0]
    lower = [id for id in ids if id < middle]
    assert below == (len(lower), min(lower), max(lower)), below


if __name__ == "__main__":
    main(*sys.argv[1:])
