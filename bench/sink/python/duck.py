"""DuckDB's `read_json` to one Parquet file, on one thread. argv: file of lines, folder. Prints `done 1` and waits for a line."""

import sys

import duckdb
from columns import rows_of

lines, folder = sys.argv[1:]
duckdb.execute("SET threads = 1; SET TimeZone = 'UTC'")
duckdb.execute(f"COPY ({rows_of(lines)}) TO '{folder}/duckdb.parquet' (FORMAT parquet, COMPRESSION snappy)")
print("done 1", flush=True)
sys.stdin.readline()
