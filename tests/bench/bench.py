#!/usr/bin/env python3
"""Measures tapwire beside tcpdump, Suricata and tshark over one capture: CPU and wall seconds, peak memory, exchanges
found and bytes an event. The tools run in turn, three rounds, and the median of each is printed and written as JSON.
Suricata's and tapwire's EVE records are compared as multisets of (method, host, path, status)."""

import argparse
import collections
import json
import os
import pathlib
import platform
import re
import shutil
import statistics
import struct
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
MEMORY = "256MiB"
# tshark needs minutes for the whole capture, so it gets this share of it, and its figures say so.
TSHARK_SHARE = 0.1

Tool = collections.namedtuple("Tool", "name command output is_event share")
Run = collections.namedtuple("Run", "cpu wall rss_mib")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("capture", type=pathlib.Path)
    parser.add_argument("--tapwire", type=pathlib.Path, required=True)
    parser.add_argument("--scratch", type=pathlib.Path, required=True, help="a folder on tmpfs for what the tools write")
    parser.add_argument("--json", type=pathlib.Path, help="where to write the figures as JSON")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def tapwire_tool(options, name, *flags, events=None):
    output = None if events else options.scratch / f"{name.replace(' ', '-')}.jsonl"
    command = [options.tapwire.resolve(), "replay", options.capture, "-q", "--memory", MEMORY, *flags, "--events",
               events or output]
    is_event = b'"event_type":"http"' if "eve" in flags else b'"class_uid":6003'
    return Tool(name, command, output, is_event, 1.0)


def suricata_tool(options):
    folder = options.scratch / "suricata"
    folder.mkdir(exist_ok=True)
    command = ["suricata", "-c", HERE / "suricata.yaml", "--runmode", "single", "-k", "none", "-S", "/dev/null",
               "-l", folder, "-r", options.capture]
    return Tool("suricata eve", command, folder / "eve.json", b'"event_type":"http"', 1.0)


def tshark_tool(options):
    part = options.scratch / "slice.pcap"
    share = write_slice(options.capture, part, TSHARK_SHARE)
    output = options.scratch / "tshark.tsv"
    fields = ["frame.number", "http.request.method", "http.host", "http.request.uri", "http.response.code"]
    command = ["tshark", "-n", "-r", part, "-Y", "http.request || http.response", "-T", "fields"]
    command += [word for field in fields for word in ("-e", field)]
    return Tool("tshark fields", command, output, None, share)


def tools(options):
    found = []
    if shutil.which("tcpdump"):
        # As root it would give the file it writes away to the user it becomes.
        command = ["tcpdump", "-Z", "root", "-r", options.capture, "-w", "/dev/null"]
        found.append(Tool("tcpdump to /dev/null", command, None, None, 1.0))
    if shutil.which("suricata"):
        found.append(suricata_tool(options))
    if shutil.which("tshark"):
        found.append(tshark_tool(options))
    found.append(tapwire_tool(options, "tapwire null", "--analysis", "off", events="null://"))
    found.append(tapwire_tool(options, "tapwire eve", "--analysis", "off", "--format", "eve"))
    found.append(tapwire_tool(options, "tapwire ocsf", "--analysis", "off", "--format", "ocsf"))
    found.append(tapwire_tool(options, "tapwire analysis null", "--analysis", "on", events="null://"))
    # On one thread, as Suricata runs here.
    found.append(tapwire_tool(options, "tapwire one thread", "--analysis", "on", "--threads", "0", events="null://"))
    found.append(tapwire_tool(options, "tapwire analysis", "--analysis", "on", "--format", "ocsf"))
    return found


def write_slice(capture, part, share):
    """Copies whole packets until `share` of the bytes is reached; returns the share that it became."""
    size = capture.stat().st_size
    with open(capture, "rb") as source, open(part, "wb") as target:
        header = source.read(24)
        order = "<" if header[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
        target.write(header)
        while target.tell() < size * share:
            record = source.read(16)
            if len(record) < 16:
                break
            target.write(record)
            target.write(source.read(struct.unpack(order + "I", record[8:12])[0]))
    return part.stat().st_size / size


def run(tool, scratch):
    """Runs the tool once; its CPU seconds are those of all its threads, its memory the largest resident set."""
    if tool.output:
        tool.output.unlink(missing_ok=True)
    to_file = tool.output if tool.name.startswith("tshark") else os.devnull
    log = scratch / "stderr.txt"
    with open(to_file, "wb") as stdout, open(log, "wb") as stderr:
        started = time.monotonic()
        child = subprocess.Popen([str(word) for word in tool.command], stdout=stdout, stderr=stderr)
        _, status, used = os.wait4(child.pid, 0)
        wall = time.monotonic() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{tool.name} failed with {child.returncode}: {log.read_text(errors='replace')[-2000:]}")
    return Run(used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024)


def events(tool):
    """How many exchanges the tool reported and how many bytes each took; tshark reports a line a message."""
    if tool.output is None:
        return None, None
    lines = size = 0
    with open(tool.output, "rb") as output:
        for line in output:
            if tool.is_event is None:
                counts = bool(line.split(b"\t")[1])
            else:
                counts = tool.is_event in line
            if counts:
                lines += 1
                size += len(line)
    return lines, (round(size / lines) if lines else None)


def eve_exchanges(path):
    """The multiset of (method, host, path, status) in an EVE log; Suricata puts a port of the Host field elsewhere."""
    found = collections.Counter()
    with open(path, encoding="utf-8", errors="surrogateescape") as log:
        for line in log:
            record = json.loads(line)
            if record.get("event_type") == "http":
                http = record["http"]
                host = (http.get("hostname") or "").lower().rsplit(":", 1)[0]
                found[http.get("http_method"), host, http.get("url"), http.get("status")] += 1
    return found


def compare(options):
    """Runs tapwire once with paths unredacted and says where its exchanges and Suricata's differ."""
    tool = tapwire_tool(options, "tapwire eve full", "--analysis", "off", "--format", "eve", "--set",
                        "redact.fidelity=full")
    run(tool, options.scratch)
    ours, theirs = eve_exchanges(tool.output), eve_exchanges(options.scratch / "suricata" / "eve.json")
    only_ours, only_theirs = ours - theirs, theirs - ours
    return {
        "tapwire": ours.total(), "suricata": theirs.total(), "same_multiset": ours == theirs,
        "only_tapwire": only_ours.total(), "only_suricata": only_theirs.total(),
        "examples": [list(map(str, key)) for key in [*list(only_ours)[:3], *list(only_theirs)[:3]]],
    }


def first_line(*command):
    if not shutil.which(command[0]):
        return None
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return next(iter((done.stdout + done.stderr).splitlines()), "").strip()


# Stages by what a run with one more of them takes beyond the run without it.
STAGES = [
    ("sensing", "tapwire null", None),
    ("inspection, inventory and detection", "tapwire analysis null", "tapwire null"),
    ("OCSF events without analysis", "tapwire ocsf", "tapwire null"),
    ("OCSF events with analysis", "tapwire analysis", "tapwire analysis null"),
]


def stages(cpu, exchanges):
    """Microseconds of CPU an exchange takes in each stage."""
    spent = lambda tool: cpu[tool] if tool else 0.0
    return {name: round((spent(more) - spent(less)) / exchanges * 1e6, 2) for name, more, less in STAGES}


def paces(options):
    """Nanoseconds an exchange takes in each stage behind the parsers, as one run on one thread times them itself."""
    tool = tapwire_tool(options, "tapwire paced", "--analysis", "on", "--threads", "0", events="null://")
    command = [word for word in tool.command if word != "-q"] + ["-v"]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True)
    found = re.findall(r"^ *(\w+) +(\d+) ns$", done.stdout + done.stderr, re.MULTILINE)
    return {stage: int(nanos) for stage, nanos in found}


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "")
    return {
        "cpu": model or platform.machine(), "cores": os.cpu_count(), "kernel": platform.release(),
        "suricata": first_line("suricata", "-V"), "tshark": first_line("tshark", "--version"),
        "tcpdump": first_line("tcpdump", "--version"),
    }


def summarise(tool, runs):
    count, size = events(tool)
    median = {field: round(statistics.median(getattr(run, field) for run in runs), 3) for field in Run._fields}
    return {"tool": tool.name, "share": round(tool.share, 3), **median, "exchanges": count, "bytes_an_event": size,
            "cpu_runs": [round(run.cpu, 3) for run in runs]}


def print_table(rows):
    print(f"{'':22} {'share':>6} {'CPU s':>8} {'wall s':>8} {'peak MiB':>9} {'exchanges':>10} {'B/event':>8}")
    for row in rows:
        blank = {key: "-" if value is None else value for key, value in row.items()}
        print(f"{row['tool']:22} {row['share']:>6.0%} {row['cpu']:>8.2f} {row['wall']:>8.2f} {row['rss_mib']:>9.0f}"
              f" {blank['exchanges']:>10} {blank['bytes_an_event']:>8}")


def main():
    options = arguments()
    chosen = tools(options)
    runs = {tool.name: [] for tool in chosen}
    for _ in range(options.rounds):
        for tool in chosen:
            runs[tool.name].append(run(tool, options.scratch))
    result = {"machine": machine(), "capture_bytes": options.capture.stat().st_size, "memory": MEMORY,
              "rounds": options.rounds, "rows": [summarise(tool, runs[tool.name]) for tool in chosen]}
    print_table(result["rows"])
    cpu = {row["tool"]: row["cpu"] for row in result["rows"]}
    if "tcpdump to /dev/null" in cpu:
        result["null_to_tcpdump_cpu"] = round(cpu["tapwire null"] / cpu["tcpdump to /dev/null"], 2)
        print(f"sensing without output takes {result['null_to_tcpdump_cpu']} times the CPU of tcpdump to /dev/null")
    exchanges = next(row["exchanges"] for row in result["rows"] if row["tool"] == "tapwire ocsf")
    result["stages_us"] = stages(cpu, exchanges)
    for name, micros in result["stages_us"].items():
        print(f"{name:36} {micros:>6.2f} us of CPU an exchange")
    result["paces_ns"] = paces(options)
    for name, nanos in result["paces_ns"].items():
        print(f"{'of that ' + name:36} {nanos / 1_000:>6.2f} us an exchange on one thread, one of 64 timed")
    if "suricata eve" in cpu:
        result["suricata_to_analysis_cpu"] = round(cpu["suricata eve"] / cpu["tapwire analysis null"], 2)
        result["suricata_to_one_thread_cpu"] = round(cpu["suricata eve"] / cpu["tapwire one thread"], 2)
        print(f"Suricata's EVE log takes {result['suricata_to_analysis_cpu']} times the CPU of tapwire's analysis, "
              f"{result['suricata_to_one_thread_cpu']} times where it has one thread")
        result["suricata_to_tapwire_cpu"] = round(cpu["suricata eve"] / cpu["tapwire eve"], 2)
        result["compared"] = compare(options)
        print(f"Suricata's EVE log takes {result['suricata_to_tapwire_cpu']} times the CPU of tapwire's")
        print("compared with Suricata:", json.dumps(result["compared"]))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
