#!/usr/bin/env python3
"""Says how many events a second one collector takes from several sensors into its tables: by the clock, and by the CPU seconds of the
collector, for a machine that does other things, too. Events are those of a file, each with a uid and a time of its own; batches are
made and compressed before the clock starts, as sensors do it elsewhere. Not an event may be lost or doubled: SQL counts them at the end."""

import argparse
import gzip
import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import threading
import time

UID = re.compile(rb'"uid":"[0-9a-f]{32}","sequence":\d+')
TIME = re.compile(rb'^\{"time":\d+')


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", type=pathlib.Path, help="rendered exchanges, one a line, such as fixtures/demo/expected.jsonl")
    parser.add_argument("--tapwire", type=pathlib.Path, required=True)
    parser.add_argument("--sensors", type=int, default=8)
    parser.add_argument("--batches", type=int, default=60, help="of each sensor")
    parser.add_argument("--batch", type=int, default=1000, help="events of a batch")
    parser.add_argument("--commit", type=int, default=30, help="collect.commit, in seconds")
    return parser.parse_args()


def batches(options, lines, sensor):
    """Compressed bodies of one sensor."""
    made, number, bare = [], 0, 0
    begin = int(time.time() * 1000) - 3_600_000
    for _ in range(options.batches):
        body = []
        for _ in range(options.batch):
            line = lines[number % len(lines)]
            uid = b'"uid":"%016x%016x","sequence":%d' % (sensor, number, number)
            line = TIME.sub(b'{"time":%d' % (begin + number // 10), UID.sub(uid, line, count=1))
            body.append(line)
            bare += len(line)
            number += 1
        made.append(gzip.compress(b"".join(body), 1))
    return made, bare


def send(address, token, bodies, later):
    connection = http.client.HTTPConnection(address)
    headers = {"Authorization": f"Bearer {token}", "Content-Encoding": "gzip", "Content-Type": "application/x-ndjson"}
    for body in bodies:
        while True:
            connection.request("POST", "/v1/events", body, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                break
            assert answer.status == 429, answer.status
            later.append(1)
            time.sleep(0.1)


def cpu(pid):
    """CPU seconds of a process."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    options = arguments()
    lines = [line for line in options.events.read_bytes().splitlines(keepends=True) if b'"class_uid":6003' in line]
    tapwire = str(options.tapwire.resolve())
    with tempfile.TemporaryDirectory() as folder:
        data = f"{folder}/data"
        tokens, bodies, size = [], [], 0
        for sensor in range(options.sensors):
            added = subprocess.run([tapwire, "sensor", "add", f"s{sensor}", "--data", data], check=True, capture_output=True, text=True)
            tokens.append(re.search(r"TAPWIRE_COLLECTOR_TOKEN=(\S+)", added.stdout).group(1))
            made, bare = batches(options, lines, sensor)
            bodies.append(made)
            size += bare
        collector = subprocess.Popen([tapwire, "collect", "--data", data, "--listen", "127.0.0.1:0", "--set",
                                      f"collect.commit={options.commit}"], stderr=subprocess.PIPE, text=True)
        # A line before may say how it is confined.
        address = next(found.group(1) for line in collector.stderr if (found := re.search(r"http://([^/]+)/", line)))
        later = []
        before, began = cpu(collector.pid), time.monotonic()
        senders = [threading.Thread(target=send, args=(address, token, made, later)) for token, made in zip(tokens, bodies)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        acknowledged = time.monotonic() - began
        collector.send_signal(signal.SIGINT)
        # What waits goes into the tables: its time counts, too.
        usage = os.wait4(collector.pid, 0)[2]
        collector.returncode = 0
        seconds, used = time.monotonic() - began, usage.ru_utime + usage.ru_stime - before
        events = options.sensors * options.batches * options.batch
        asked = subprocess.run([tapwire, "sql", "--data", data, "--json", "SELECT count(*) AS n, count(DISTINCT uid) AS d FROM exchanges"],
                               check=True, capture_output=True, text=True)
        counted = json.loads(asked.stdout)
        assert counted == {"n": events, "d": events}, counted
        print(f"{events} events of {size // events} bytes from {options.sensors} sensors, {os.cpu_count()} cores, none lost, none twice")
        print(f"{events / acknowledged:.0f} a second acknowledged, {events / seconds:.0f} a second in the tables; {len(later)} batches came again")
        print(f"{events / used:.0f} for each CPU second of the collector; {usage.ru_maxrss / 1024:.0f} MiB at most")


if __name__ == "__main__":
    main()
