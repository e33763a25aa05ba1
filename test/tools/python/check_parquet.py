"""Reads Parquet files with pyarrow and DuckDB and compares them with what they should hold.

Arguments are paths without ending: PATH.parquet, and PATH.ndjson with the columns in the first line and a row in each
other; int64 and what is no finite number are strings, bytes are hexadecimal, timestamps milliseconds. Both readers must give every row, and must find as many rows by each
value, by each null and by each range as there are, which they do not when statistics are wrong.
"""

import json
import sys

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ARROW = {
    "int64": pa.int64(),
    "int32": pa.int32(),
    "double": pa.float64(),
    "string": pa.string(),
    "binary": pa.binary(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("ms", tz="UTC"),
}
DUCKDB = {
    "int64": "BIGINT",
    "int32": "INTEGER",
    "double": "DOUBLE",
    "string": "VARCHAR",
    "binary": "BLOB",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
}


READ = {"int64": int, "double": float, "binary": bytes.fromhex}


def same(found, expected):
    """As `==`, with a NaN equal to a NaN."""
    return len(found) == len(expected) and all(a == b or (a != a and b != b) for a, b in zip(found, expected))


def check(path):
    with open(path + ".ndjson", encoding="utf-8") as lines:
        columns, *rows = [json.loads(line) for line in lines.read().split("\n") if line]
    file = path + ".parquet"
    parquet = pq.ParquetFile(file, page_checksum_verification=True)
    table = parquet.read()
    relation = duckdb.sql(f"SELECT * FROM '{file}'")
    assert parquet.metadata.num_rows == len(rows), "number of rows"
    assert [str(kind) for kind in relation.types] == [DUCKDB[column["type"]] for column in columns]

    for index, column in enumerate(columns):
        name, kind = column["name"], column["type"]
        field = table.schema.field(name)
        assert field.type == ARROW[kind], (name, field.type)
        assert field.nullable == column["nullable"], name
        read = READ.get(kind, lambda value: value)
        expected = [None if row[index] is None else read(row[index]) for row in rows]
        arrow = table[name].cast(pa.int64()) if kind == "timestamp" else table[name]
        assert same(arrow.to_pylist(), expected), f"pyarrow: {name}"
        shown = f'epoch_ms("{name}")' if kind == "timestamp" else f'"{name}"'
        found = [row[0] for row in duckdb.sql(f"SELECT {shown} FROM '{file}'").fetchall()]
        assert same(found, expected), f"DuckDB: {name}"
        check_pruning(file, name, kind, expected)


def check_pruning(file, name, kind, expected):
    present = [value for value in expected if value is not None]
    nulls = len(expected) - len(present)
    count = lambda condition, *values: duckdb.execute(
        f"SELECT count(*) FROM '{file}' WHERE {condition}", list(values)
    ).fetchall()[0][0]
    assert count(f'"{name}" IS NULL') == nulls, f"DuckDB: nulls of {name}"
    if present and kind != "boolean" and not any(value != value for value in present):
        shown = f'epoch_ms("{name}")' if kind == "timestamp" else f'"{name}"'
        ends = duckdb.sql(f"SELECT min({shown}), max({shown}) FROM '{file}'").fetchall()[0]
        assert ends == (min(present), max(present)), f"DuckDB: bounds of {name}: {ends}"
    if kind == "boolean":
        samples = [True, False]
    else:
        ordered = sorted(set(value for value in present if value == value))
        samples = [ordered[at * (len(ordered) - 1) // 6] for at in range(7)] if ordered else []
    for sample in samples:
        value = pa.scalar(sample, ARROW[kind])
        equal = sum(1 for one in present if one == sample)
        below = sum(1 for one in present if one < sample)
        above = sum(1 for one in present if one > sample or (one != one and sample == sample))  # DuckDB's NaN is the greatest.
        typed = "epoch_ms(CAST(? AS BIGINT))::TIMESTAMP AT TIME ZONE 'UTC'" if kind == "timestamp" else "?"
        assert count(f'"{name}" = {typed}', sample) == equal, f"DuckDB: {name} = {sample}"
        assert count(f'"{name}" < {typed}', sample) == below, f"DuckDB: {name} < {sample}"
        assert count(f'"{name}" > {typed}', sample) == above, f"DuckDB: {name} > {sample}"
        assert pq.read_table(file, columns=[name], filters=pc.field(name) == value).num_rows == equal
        if kind != "boolean":
            assert pq.read_table(file, columns=[name], filters=pc.field(name) < value).num_rows == below


duckdb.sql("SET TimeZone = 'UTC'")
for argument in sys.argv[1:]:
    try:
        check(argument)
    except Exception as error:
        raise SystemExit(f"{argument}: {type(error).__name__}: {error}")
print(f"{len(sys.argv) - 1} files agree")
