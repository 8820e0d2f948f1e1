#!/usr/bin/env python3
"""Measures tapwire on captures of other shapes than the usual one: large bodies, gzip with analysis, one request a
connection, ten times the traffic, HTTP/2 and TLS, and a million connections that stay open. Prints a line a shape, with what was
generated, and writes the figures as JSON."""

import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import sys

from bench import Tool, run

MEMORY = "256MiB"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tapwire", type=pathlib.Path, required=True)
    parser.add_argument("--generator", type=pathlib.Path, required=True, help="the bench-capture program")
    parser.add_argument("--scratch", type=pathlib.Path, required=True, help="a folder on tmpfs")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="the shapes to measure, by name, with commas")
    return parser.parse_args()


def medians(runs):
    return {field: statistics.median(getattr(one, field) for one in runs) for field in ("cpu", "wall", "rss_mib")}


class Bench:
    def __init__(self, options):
        self.options = options
        self.capture = options.scratch / "shape.pcap"
        self.events = options.scratch / "shape.jsonl"

    def generate(self, *flags):
        self.capture.unlink(missing_ok=True)
        words = [self.options.generator, "--seed", "1", *flags, self.capture]
        subprocess.run([str(word) for word in words], check=True, capture_output=True)
        return self.capture.stat().st_size

    def sense(self, *flags, memory=MEMORY):
        """Medians of CPU seconds and of peak memory in MiB, and the exchanges found."""
        runs = [self.once(self.capture, *flags, memory=memory) for _ in range(self.options.rounds)]
        return {**medians(runs), **self.found()}

    def once(self, capture, *flags, memory=MEMORY):
        command = [self.options.tapwire.resolve(), "replay", capture, "-q", "--memory", memory, *flags,
                   "--format", "eve", "--events", self.events]
        return run(Tool("tapwire", command, self.events, None, 1.0), self.options.scratch)

    def found(self):
        """Exchanges of the last run, and the bytes of their bodies."""
        found = length = 0
        with open(self.events, encoding="utf-8") as log:
            for line in log:
                record = json.loads(line)
                if record["event_type"] == "http":
                    found += 1
                    length += record["http"]["length"]
        return {"found": found, "body_bytes": length}

    def suricata(self):
        """What Suricata finds with the settings it comes with, and its CPU seconds."""
        if not shutil.which("suricata"):
            return None
        folder = self.options.scratch / "suricata-defaults"
        folder.mkdir(exist_ok=True)
        log = folder / "eve.json"
        command = ["suricata", "--runmode", "single", "-k", "none", "-S", "/dev/null", "-l", folder, "-r", self.capture]
        used = run(Tool("suricata", command, log, None, 1.0), self.options.scratch)
        with open(log, "rb") as lines:
            found = sum(b'"event_type":"http"' in line for line in lines)
        return {"cpu": used.cpu, "found": found}


def large_bodies(bench):
    size = bench.generate("--exchanges", "8000", "--connections", "100", "--body-size", "50000", "--largest-body",
                          "500000", "--gzip", "0")
    seen = bench.sense("--analysis", "off")
    rate = seen["body_bytes"] * 8 / seen["cpu"] / 1e9
    return {**seen, "capture_bytes": size, "gbit_a_core_second": round(rate, 2)}, (
        f"{seen['found']:,} of 8,000 with 50 to 500 KB: {rate:.1f} Gbit of bodies a CPU second, peak {seen['rss_mib']:.0f} MiB")


def gzip_bodies(bench):
    size = bench.generate("--exchanges", "4000", "--connections", "100", "--body-size", "50000", "--largest-body",
                          "500000", "--gzip", "100")
    seen = bench.sense("--analysis", "on")
    decoded = 4_000 * 275_000
    rate = decoded / seen["cpu"] / 1e9
    return {**seen, "capture_bytes": size, "decoded_bytes_about": decoded, "decoded_gb_a_core_second": round(rate, 3)}, (
        f"{seen['found']:,} of 4,000, about {decoded / 1e9:.1f} GB decoded: {rate:.2f} GB a CPU second of all threads, "
        f"peak {seen['rss_mib']:.0f} MiB")


def one_request(bench):
    size = bench.generate("--exchanges", "100000", "--one-per-connection")
    seen, other = bench.sense("--analysis", "off"), bench.suricata()
    text = f"{seen['found']:,} of 100,000, {seen['cpu']:.2f} CPU s, peak {seen['rss_mib']:.0f} MiB"
    if other:
        text += f"; Suricata's defaults find {other['found']:,} in {other['cpu']:.2f} CPU s"
    return {**seen, "capture_bytes": size, "suricata": other}, text


def ten_times(bench):
    rows = []
    for exchanges in (110_000, 1_100_000):
        size = bench.generate("--exchanges", str(exchanges), "--connections", "2400", "--endpoints", "800")
        seen = bench.sense("--analysis", "off")
        rows.append({**seen, "capture_bytes": size, "ns_an_exchange": round(seen["cpu"] / exchanges * 1e9)})
    small, large = rows
    change = large["ns_an_exchange"] / small["ns_an_exchange"] - 1
    growth = large["rss_mib"] - small["rss_mib"]
    return {"small": small, "large": large}, (
        f"{small['ns_an_exchange']:,} ns an exchange in {small['capture_bytes'] / 1e6:,.0f} MB, "
        f"{large['ns_an_exchange']:,} in {large['capture_bytes'] / 1e6:,.0f} MB ({change:+.1%}); peak "
        f"{small['rss_mib']:.0f} and {large['rss_mib']:.0f} MiB ({growth:+.0f})")


def protocols(bench):
    """The same exchanges over HTTP/1, HTTP/2 and both inside TLS 1.3: with keys all are found, without keys they are
    estimated. In turn, so that each round's ratios are of programs that ran side by side."""
    cases, rows = {}, {}
    for name, flags, with_keys in (("http1", [], False), ("http2", ["--http2"], False), ("http1 in tls", ["--tls"], True),
                                   ("http2 in tls", ["--http2", "--tls"], True), ("tls without keys", ["--tls"], False)):
        size = bench.generate("--exchanges", "100000", "--connections", "800", *flags)
        capture = bench.capture.rename(bench.options.scratch / f"{name.replace(' ', '-')}.pcap")
        keys = []
        if with_keys:
            keys = ["--keylog", pathlib.Path(f"{bench.capture}.keys").rename(f"{capture}.keys")]
        cases[name] = (capture, keys)
        rows[name] = {"capture_bytes": size, "runs": []}
    for _ in range(bench.options.rounds):
        for name, (capture, keys) in cases.items():
            rows[name]["runs"].append(bench.once(capture, "--analysis", "off", *keys))
            rows[name].update(bench.found())
    plain = [one.cpu for one in rows["http1"]["runs"]]
    for row in rows.values():
        runs = row.pop("runs")
        row.update(medians(runs), ratio=round(statistics.median(one.cpu / base for one, base in zip(runs, plain)), 2))
    return rows, f"100,000 exchanges over HTTP/1 in {rows['http1']['cpu']:.2f} CPU s; " + "; ".join(
        f"{name}: {row['found']:,} in {row['ratio']:.2f} times that" for name, row in rows.items() if name != "http1")


def idle_connections(bench):
    count = 1_000_000
    size = bench.generate("--exchanges", str(count), "--connections", str(count), "--keep-open")
    seen = bench.sense("--analysis", "off", memory="1GiB")
    return {**seen, "capture_bytes": size}, (
        f"{seen['found']:,} exchanges on {count:,} connections that stay open: {seen['cpu']:.2f} CPU s, "
        f"peak {seen['rss_mib']:.0f} MiB")


SHAPES = {"large-bodies": large_bodies, "gzip-bodies": gzip_bodies, "one-request": one_request, "ten-times": ten_times,
          "protocols": protocols, "idle-connections": idle_connections}


def main():
    options = arguments()
    chosen = options.only.split(",") if options.only else SHAPES
    unknown = [name for name in chosen if name not in SHAPES]
    if unknown:
        sys.exit(f"no such shape: {', '.join(unknown)}; there are {', '.join(SHAPES)}")
    bench, result = Bench(options), {}
    for name in chosen:
        result[name], text = SHAPES[name](bench)
        print(f"{name:18} {text}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
