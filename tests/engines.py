"""Reads a lake with an engine that is not ours, and answers queries: `engines.py ENGINE LAKE < QUERIES > ANSWERS`.
LAKE is a folder, or an s3:// URL with the usual AWS_ variables in the environment.

ENGINE is `deltalake` (its Delta reader, through DataFusion), `duckdb` (with its own Delta reader) or `daft` (on Ray, with a
cluster of this machine's own). QUERIES is a list of texts; `ms(COLUMN)` in them is a time in milliseconds. ANSWERS is a list
of lists of rows, objects by the names of columns.
"""

import importlib.util
import json
import os
import pathlib
import re
import sys
import tempfile

# The exit code where an engine does not start.
NOT_STARTED = 77
# Of a store, which is not asked for folders.
NAMES = ["endpoints", "exchanges", "findings", "incidents", "kpis", "sensors", "usage"]


def tables(lake):
    """The tables that are there: names with where they are."""
    if lake.startswith("s3://"):
        from deltalake import DeltaTable

        options = {"AWS_ALLOW_HTTP": "true"}
        return {name: f"{lake}/{name}" for name in NAMES if DeltaTable.is_deltatable(f"{lake}/{name}", options)}
    folders = sorted(path for path in pathlib.Path(lake).iterdir() if (path / "_delta_log").is_dir())
    return {path.name: str(path) for path in folders}


def with_ms(query, to):
    """The query with its own word for milliseconds, `{}` in it for a time."""
    return re.sub(r"\bms\((\w+\(\w+\)|\w+)\)", lambda found: to.format(found[1]), query)


def with_deltalake(tables, queries):
    from deltalake import DeltaTable, QueryBuilder

    engine = QueryBuilder()
    for name, place in tables.items():
        engine = engine.register(name, DeltaTable(place, storage_options={"AWS_ALLOW_HTTP": "true"}))
    for query in queries:
        # Times are microseconds in DataFusion.
        rows = []
        for batch in engine.execute(with_ms(query, "(CAST({} AS BIGINT) / 1000)")):
            names = batch.schema.names
            columns = [batch.column(at).to_pylist() for at in range(batch.num_columns)]
            rows.extend(dict(zip(names, row)) for row in zip(*columns))
        yield rows


def with_duckdb(tables, queries):
    import duckdb

    engine = duckdb.connect()
    for extension in ["httpfs", "delta"]:
        # As packages of PyPI bring them: nothing comes from the internet.
        [folder] = importlib.util.find_spec(f"duckdb_extension_{extension}").submodule_search_locations
        engine.execute(f"LOAD '{next(pathlib.Path(folder).rglob('*.duckdb_extension'))}'")
    if "AWS_ENDPOINT_URL" in os.environ:
        scheme, endpoint = os.environ["AWS_ENDPOINT_URL"].split("://")
        key, secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
        engine.execute(
            f"CREATE SECRET (TYPE s3, KEY_ID '{key}', SECRET '{secret}', REGION '{os.environ['AWS_REGION']}', "
            f"ENDPOINT '{endpoint}', URL_STYLE 'path', USE_SSL {scheme == 'https'})"
        )
    for name, place in tables.items():
        engine.execute(f"CREATE VIEW {name} AS SELECT * FROM delta_scan('{place}')")
    for query in queries:
        answer = engine.execute(with_ms(query, "epoch_ms({})"))
        names = [column[0] for column in answer.description]
        yield [dict(zip(names, row)) for row in answer.fetchall()]


def with_daft(tables, queries):
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", DAFT_ANALYTICS_ENABLED="0", DO_NOT_TRACK="true", DAFT_PROGRESS_BAR="0")
    import daft
    from daft.io import IOConfig, S3Config

    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    ssl = endpoint is None or endpoint.startswith("https")
    config = IOConfig(s3=S3Config(endpoint_url=endpoint, region_name=os.environ.get("AWS_REGION"), use_ssl=ssl))
    # The path of its sockets may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as folder:
        stop = started_ray(folder)
        daft.set_runner_ray()
        frames = {name: daft.read_deltalake(place, io_config=config) for name, place in tables.items()}
        for query in queries:
            # A division is one of fractions in Daft.
            query = with_ms(query, "CAST(CAST({} AS BIGINT) / 1000 AS BIGINT)")
            yield daft.sql(query, **frames).to_pylist()
        assert daft.get_or_infer_runner_type() == "ray"
        stop()


def started_ray(folder):
    """Starts a cluster of this machine alone; gives what ends it. Ray gives itself 30 seconds, which a busy machine may not
    have: then nothing is known of its answers."""
    import ray

    for attempt in range(3):
        try:
            ray.init(
                num_cpus=2,
                include_dashboard=False,
                log_to_driver=False,
                logging_level="ERROR",
                object_store_memory=128 << 20,
                _node_ip_address="127.0.0.1",
                _temp_dir=f"{folder}/{attempt}",
            )
            return ray.shutdown
        except Exception as error:
            print(f"Ray does not start: {error}", file=sys.stderr)
            ray.shutdown()
    sys.exit(NOT_STARTED)


def plain(value):
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)


def main():
    engine, lake = sys.argv[1:]
    answer = {"deltalake": with_deltalake, "duckdb": with_duckdb, "daft": with_daft}[engine]
    json.dump(plain(list(answer(tables(lake), json.load(sys.stdin)))), sys.stdout)


main()
