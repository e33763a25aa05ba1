"""Prints how many rows DuckDB finds in a file of JSON lines, compressed as its name says, and the sum of their ids."""

import sys

import duckdb

path = sys.argv[1]
query = f"SELECT count(*), sum(id) FROM read_json('{path}', format='newline_delimited', columns={{id: 'HUGEINT'}})"
print(*duckdb.sql(query).fetchall()[0])
