#!/usr/bin/env python3
"""A long capture through the whole product: made by the generator of scenes, streamed through a pipe, replayed with everything on (state,
kept events, lake, findings), while memory and CPU are watched. Then what was found is compared with what was made, and lake and console are asked.

usage: tests/scenes/day.py --tapwire BIN --scenes BIN --scratch DIR [--exchanges N]

It says for each tenth of the capture what it took, and ends with an error where memory or cost grew with it."""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import score

TENTHS = 10
QUERIES = [
    "SELECT count(*) FROM exchanges",
    "SELECT service, count(*) FROM exchanges GROUP BY service ORDER BY 2 DESC",
    "SELECT service, sum(calls) FROM usage GROUP BY service ORDER BY 2 DESC",
    "SELECT detector, count(*) FROM findings GROUP BY detector ORDER BY 2 DESC",
    "SELECT * FROM top_callers",
]
PAGES = ["/", "/apis", "/incidents", "/callers", "/posture", "/data"]
# Of the last tenths beside the second: what is learned first fills its tables.
GROWTH = 1.25


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tapwire", type=pathlib.Path, required=True)
    parser.add_argument("--scenes", type=pathlib.Path, required=True)
    parser.add_argument("--scratch", type=pathlib.Path, required=True)
    parser.add_argument("--exchanges", type=int, default=14_000_000, help="of 1.5 KB each: 20 GB")
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--memory", default="1GiB")
    parser.add_argument("--part", choices=["held-out", "tuning"], default="held-out")
    parser.add_argument("--json", type=pathlib.Path)
    return parser.parse_args()


class Pipe(threading.Thread):
    """Copies the generator's bytes to tapwire, and counts them."""

    def __init__(self, source, target):
        super().__init__(daemon=True)
        self.source, self.target, self.bytes = source, target, 0

    def run(self):
        with open(self.source, "rb", buffering=0) as source:
            while block := source.read(1 << 20):
                try:
                    self.target.write(block)
                except BrokenPipeError:
                    break
                self.bytes += len(block)
        self.target.close()


def used(pid):
    """CPU seconds and resident bytes of a process."""
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    ticks = os.sysconf("SC_CLK_TCK")
    return (int(stat[11]) + int(stat[12])) / ticks, int(stat[21]) * os.sysconf("SC_PAGE_SIZE")


def stream(options, capture):
    """Makes and replays at once; returns what was measured along the way, by bytes of the capture."""
    data = options.scratch / "data"
    found = options.scratch / "findings.jsonl"
    command = [options.tapwire, "replay", "-", "--data", data, "--memory", options.memory, "--set", "redact.fidelity=full",
               "--only", "findings", "--events", found, "-q"]
    os.mkfifo(f"{capture}.pcap")
    words = ["--seed", "1", "--part", options.part, "--days", options.days, "--benign", options.exchanges]
    maker = subprocess.Popen([str(word) for word in [options.scenes, *words, capture]], stdout=subprocess.PIPE, text=True)
    log = open(options.scratch / "stderr.txt", "wb")
    child = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log, bufsize=0)
    pipe = Pipe(f"{capture}.pcap", child.stdin)
    pipe.start()
    samples, started = [], time.monotonic()
    while child.poll() is None:
        try:
            cpu, resident = used(child.pid)
        except (FileNotFoundError, IndexError):
            break
        samples.append({"bytes": pipe.bytes, "cpu": cpu, "resident": resident, "seconds": round(time.monotonic() - started, 1)})
        time.sleep(1)
    code = child.wait()
    made = maker.communicate()[0].strip()
    if code not in (0, 1) or maker.returncode != 0:
        sys.exit(f"tapwire ended with {code}, the generator with {maker.returncode}: {(options.scratch / 'stderr.txt').read_text()[-2000:]}")
    return samples, made


def tenths(samples):
    """CPU seconds a GB and the most that was resident, in each tenth of the capture."""
    whole, rows = samples[-1]["bytes"], []
    for nth in range(TENTHS):
        least, most = whole * nth / TENTHS, whole * (nth + 1) / TENTHS
        part = [sample for sample in samples if least <= sample["bytes"] <= most]
        if len(part) < 2 or part[-1]["bytes"] == part[0]["bytes"]:
            continue
        gigabytes = (part[-1]["bytes"] - part[0]["bytes"]) / 1e9
        rows.append({"tenth": nth + 1, "cpu_a_gb": (part[-1]["cpu"] - part[0]["cpu"]) / gigabytes,
                     "mib": max(sample["resident"] for sample in part) / (1 << 20)})
    return rows


def findings(options, capture):
    known = score.labels(f"{capture}.labels.jsonl")
    said = score.findings(options.scratch / "findings.jsonl")
    score.attribute(said, score.rows(f"{capture}.requests.jsonl"), known)
    result = score.score(known, said)
    false = score.incidents(result.false)
    return {"attacks": len(known), "named": sum(verdict["named"] for verdict in result.verdicts), "false": len(false),
            "false_by": [f"{finding.detector} of {finding.what}" for finding in false],
            "missed": [label["id"] for label, verdict in zip(known, result.verdicts) if not verdict["named"]]}


def lake(options):
    rows = []
    for query in QUERIES:
        started = time.monotonic()
        done = subprocess.run([options.tapwire, "sql", "--data", options.scratch / "data", "--csv", query], capture_output=True, text=True)
        lines = done.stdout.strip().splitlines()
        rows.append({"query": query, "seconds": round(time.monotonic() - started, 2), "code": done.returncode, "rows": max(0, len(lines) - 1),
                     "first": lines[1] if len(lines) > 1 else done.stderr.strip()})
    return rows


def console(options):
    """Seconds that each page takes, of a console over what was kept."""
    log = open(options.scratch / "console.txt", "w+b")
    child = subprocess.Popen([str(options.tapwire), "serve", "--data", str(options.scratch / "data"), "--listen", "127.0.0.1:0"], stdout=log, stderr=log)
    try:
        address = wait_for(log.name, r"http://[^\s]+")
        rows = []
        for page in PAGES:
            started = time.monotonic()
            try:
                with urllib.request.urlopen(address.rstrip("/") + page, timeout=60) as answer:
                    size, status = len(answer.read()), answer.status
            except urllib.error.HTTPError as error:
                size, status = 0, error.code
            rows.append({"page": page, "ms": round((time.monotonic() - started) * 1000), "status": status, "bytes": size})
        return rows
    finally:
        child.send_signal(signal.SIGINT)
        child.wait(30)


def wait_for(path, pattern):
    for _ in range(600):
        if found := re.search(pattern, pathlib.Path(path).read_text(errors="replace")):
            return found.group(0)
        time.sleep(0.1)
    sys.exit(f"the console said no address: {pathlib.Path(path).read_text(errors='replace')[-1000:]}")


def main():
    options = arguments()
    options.scratch.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(options.scratch / "data", ignore_errors=True)
    for name in ("day.pcap", "findings.jsonl"):
        (options.scratch / name).unlink(missing_ok=True)
    capture = options.scratch / "day"
    samples, made = stream(options, capture)
    last = samples[-1]
    parts = tenths(samples)
    print(f"{made}; {last['bytes'] / 1e9:.2f} GB in {last['seconds']:.0f} s, {last['cpu']:.0f} CPU s, at most {max(s['resident'] for s in samples) / (1 << 20):.0f} MiB\n")
    print("| tenth of the capture | CPU s a GB | most MiB |\n|---|---|---|")
    for row in parts:
        print(f"| {row['tenth']} | {row['cpu_a_gb']:.1f} | {row['mib']:.0f} |")
    report = {"made": made, "bytes": last["bytes"], "seconds": last["seconds"], "cpu": last["cpu"], "tenths": parts,
              "findings": findings(options, capture), "lake": lake(options)}
    told = report["findings"]
    print(f"\n{told['named']} of {told['attacks']} attacks named, {told['false']} false incidents ({', '.join(told['false_by']) or 'none'})")
    print(f"Missed: {', '.join(told['missed']) or 'none'}\n")
    print("| query | seconds | rows | first |\n|---|---|---|---|")
    for row in report["lake"]:
        print(f"| `{row['query']}` | {row['seconds']} | {row['rows']} | {row['first'][:60]} |")
    report["console"] = console(options)
    print("\n| page | ms | status | bytes |\n|---|---|---|---|")
    for row in report["console"]:
        print(f"| {row['page']} | {row['ms']} | {row['status']} | {row['bytes']} |")
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    early, late = parts[1], parts[-2]
    grew = [what for what in ("cpu_a_gb", "mib") if late[what] > early[what] * GROWTH]
    if grew:
        sys.exit(f"grew from the second tenth to the last but one: {', '.join(grew)}")


if __name__ == "__main__":
    main()
