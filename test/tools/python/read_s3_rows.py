"""Prints the rows of all Parquet files below a prefix as pyarrow and as DuckDB read them, by partition and offset.

argv: a JSON object with endpoint, accessKeyId, secretAccessKey, region, bucket and data. int64 are strings, instants
milliseconds since 1970. Rows of the two readers must be the same.
"""

import datetime
import json
import os
import sys
import tempfile

import duckdb
import pyarrow.parquet

from check_tweets import download


def main(store):
    with tempfile.TemporaryDirectory() as directory:
        files = download(json.loads(store), directory)
        arrow = [row for file in files for row in pyarrow.parquet.read_table(file).to_pylist()]
        ducks = duckdb_rows(files)
    found = [sorted(map(shown, rows), key=lambda row: (row["_partition"], int(row["_offset"]))) for rows in (arrow, ducks)]
    assert found[0] == found[1], "pyarrow and DuckDB differ"
    print(json.dumps(found[0]))


def duckdb_rows(files):
    columns = duckdb.execute("DESCRIBE SELECT * FROM read_parquet(?)", [files]).fetchall()
    names = [column[0] for column in columns]
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    asked = [f"epoch_ms({name})" if "TIMESTAMP" in column[1] else name for name, column in zip(quoted, columns)]
    rows = duckdb.execute(f"SELECT {', '.join(asked)} FROM read_parquet(?)", [files]).fetchall()
    return [{name: Milliseconds(value) if "TIMESTAMP" in column[1] and value is not None else value
             for name, column, value in zip(names, columns, row)} for row in rows]


class Milliseconds(int):
    """An instant, to be told from a large number."""


def shown(row):
    return {name: show(value) for name, value in row.items()}


def show(value):
    if isinstance(value, datetime.datetime):
        return round(value.timestamp() * 1000)
    if isinstance(value, Milliseconds):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**31:
        return str(value)
    return value


if __name__ == "__main__":
    main(*sys.argv[1:])
