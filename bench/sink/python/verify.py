"""Compares Parquet files with the lines they were made of, by DuckDB: as many rows, and equal sums of the hashes of all rows.

argv: file of lines, folder with Parquet files at any depth. Prints a JSON object: `rows`, `isEqual`, `bytes` of the files, and
`pyarrowBytes` that pyarrow needs for the same rows in as many files, with its defaults (snappy).
"""

import glob
import json
import os
import sys

import duckdb
import pyarrow.parquet as pq
from columns import COLUMNS, rows_of

lines, folder = sys.argv[1:]
BIGINTS = ("id", "in_reply_to_user_id", "in_reply_to_status_id")
duckdb.execute("SET TimeZone = 'UTC'")


def plain(name):
    if name == "created_at":
        return "epoch_ms(created_at)"
    return f"CAST({name} AS BIGINT)" if name in BIGINTS else name


def digest(relation):
    row = ", ".join(plain(name) for name in COLUMNS)
    query = f"SELECT count(*), sum(CAST(hash(row({row})) AS HUGEINT)) FROM ({relation})"
    return duckdb.sql(query).fetchall()[0]


files = sorted(glob.glob(f"{folder}/**/*.parquet", recursive=True))
found = digest(f"SELECT * FROM read_parquet({files})") if files else (0, None)
pyarrow_bytes = 0
for file in files:
    copy = os.path.join(folder, "pyarrow.copy")
    pq.write_table(pq.ParquetFile(file).read(), copy)
    pyarrow_bytes += os.path.getsize(copy)
print(
    json.dumps(
        {
            "rows": found[0],
            "isEqual": found == digest(rows_of(lines)),
            "bytes": sum(os.path.getsize(file) for file in files),
            "pyarrowBytes": pyarrow_bytes,
        }
    )
)
