"""Reads a lake with an engine that is not ours, and answers queries: `engines.py ENGINE LAKE < QUERIES > ANSWERS`.
LAKE is a folder, or for deltalake an s3:// URL.

ENGINE is `deltalake` (the tables as its Delta reader sees them, through DataFusion) or `duckdb` (the Parquet files that the
log names; DuckDB's own Delta reader is an extension from the internet). QUERIES is a list of texts; `ms(COLUMN)` in
them is a time in milliseconds. ANSWERS is a list of lists of rows, objects by the names of columns.
"""

import json
import pathlib
import re
import sys

from deltalake import DeltaTable


# Of a store, which is not asked for folders.
NAMES = ["endpoints", "exchanges", "findings", "incidents", "kpis", "sensors", "usage"]


def tables(lake):
    if lake.startswith("s3://"):
        # What else it needs stands in the environment.
        options = {"AWS_ALLOW_HTTP": "true"}
        found = [name for name in NAMES if DeltaTable.is_deltatable(f"{lake}/{name}", options)]
        return {name: DeltaTable(f"{lake}/{name}", storage_options=options) for name in found}
    folders = sorted(path for path in pathlib.Path(lake).iterdir() if (path / "_delta_log").is_dir())
    return {path.name: DeltaTable(str(path)) for path in folders}


def with_deltalake(tables, queries):
    from deltalake import QueryBuilder

    engine = QueryBuilder()
    for name, table in tables.items():
        engine = engine.register(name, table)
    for query in queries:
        # Times are microseconds in DataFusion.
        query = re.sub(r"\bms\((\w+\(\w+\)|\w+)\)", r"(CAST(\1 AS BIGINT) / 1000)", query)
        rows = []
        for batch in engine.execute(query):
            names = batch.schema.names
            columns = [batch.column(at).to_pylist() for at in range(batch.num_columns)]
            rows.extend(dict(zip(names, row)) for row in zip(*columns))
        yield rows


def with_duckdb(tables, queries):
    import duckdb

    engine = duckdb.connect()
    for name, table in tables.items():
        files = [uri.removeprefix("file://") for uri in table.file_uris()]
        if files:
            engine.read_parquet(files, hive_partitioning=True, union_by_name=True).create_view(name)
    for query in queries:
        answer = engine.execute(query.replace(" ms(", " epoch_ms("))
        names = [column[0] for column in answer.description]
        yield [dict(zip(names, row)) for row in answer.fetchall()]


def plain(value):
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)


def main():
    engine, lake = sys.argv[1:]
    answer = {"deltalake": with_deltalake, "duckdb": with_duckdb}[engine]
    json.dump(plain(list(answer(tables(lake), json.load(sys.stdin)))), sys.stdout)


main()
