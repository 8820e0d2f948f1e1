#!/usr/bin/env python3
"""Plays a capture over a veth pair and says how long events took from the last packet of an answer until a receiver had them:
p50 and p99, of a fast receiver with a slow one beside it, as the receivers saw it. Needs root, iproute2, tcpreplay and taskset."""

import argparse
import gzip
import http.server
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

# A measurement leaves nothing in the tree.
sys.dont_write_bytecode = True
import live  # noqa: E402

FAST, SLOW = 9001, 9002
# A receiver that takes a second for each request of at most 1,000 events.
SLOW_SECONDS = 1.0
ENDED = re.compile(rb'"end_time":(\d+)')
TOLD = re.compile(rb'"time":(\d+)')


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("capture", type=pathlib.Path, nargs="?")
    parser.add_argument("--tapwire", type=pathlib.Path)
    parser.add_argument("--scratch", type=pathlib.Path, help="a folder on tmpfs for what is written")
    parser.add_argument("--rate", type=int, default=50_000, help="packets a second")
    parser.add_argument("--json", type=pathlib.Path, help="where to write the figures as JSON")
    parser.add_argument("--receive", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


class Receiver(http.server.BaseHTTPRequestHandler):
    """Notes for each event its kind and how long ago its last packet was, in milliseconds."""

    protocol_version = "HTTP/1.1"
    pause, notes = 0.0, None

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        arrived = time.time() * 1000
        time.sleep(self.pause)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
        for line in gzip.decompress(body).splitlines():
            finding = b'"class_uid":2004' in line
            stamp = (TOLD if finding else ENDED).search(line)
            if stamp:
                print("finding" if finding else "exchange", round(arrived - int(stamp.group(1))), file=self.notes)
        self.notes.flush()

    def log_message(self, *_words):
        pass


def receive(port, pause, path):
    Receiver.pause, Receiver.notes = float(pause), open(path, "w")
    http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Receiver).serve_forever()


def start_receiver(options, port, pause):
    notes = options.scratch / f"delays-{port}"
    command = live.within(live.HEAR, sys.executable, __file__, "--receive", port, pause, notes)
    return subprocess.Popen(command), notes


def configuration(options):
    outputs = [("fast", FAST), ("slow", SLOW)]
    text = "".join(f'[[output]]\nname = "{name}"\nto = "http://127.0.0.1:{port}/"\n' for name, port in outputs)
    path = options.scratch / "tapwire.toml"
    path.write_text(text + "[output.sink.http]\ntimeout_ms = 60000\nfinish_ms = 1000\n")
    return path


def run(options, notes):
    command = [options.tapwire.resolve(), "run", "-i", "hear0", "-q", "--set", "capture.user=root", "--set", f"capture.ring={live.RING}",
               "--set", "heartbeat.every=0", "--set", "events.keep=none", "--data", options.scratch / "data",
               "--events", "null://", "--config", configuration(options)]
    before = live.sockets()
    child = subprocess.Popen(live.within(live.HEAR, *command))
    try:
        live.wait_for(lambda: live.sockets() > before or child.poll() is not None, "listening")
        time.sleep(2)
        reached = live.send(options.capture, options.rate)
        live.until_quiet(notes)
    finally:
        child.send_signal(signal.SIGINT)
        child.wait()
    return reached


def percentiles(notes):
    delays = {"exchange": [], "finding": []}
    for line in notes.read_text().splitlines():
        kind, delay = line.split()
        delays[kind].append(int(delay))
    figures = {}
    for kind, all_of in delays.items():
        all_of.sort()
        if all_of:
            at = lambda share, of=all_of: of[min(int(len(of) * share), len(of) - 1)] / 1000
            figures[kind] = {"events": len(all_of), "p50": at(0.5), "p99": at(0.99), "most": all_of[-1] / 1000}
    return figures


def main():
    options = arguments()
    if options.receive:
        return receive(*options.receive)
    if os.geteuid() != 0:
        sys.exit("latency.py: network namespaces need root")
    live.lay_wire()
    receivers = []
    try:
        live.ip("-n", live.HEAR, "link", "set", "lo", "up")
        receivers = [start_receiver(options, FAST, 0), start_receiver(options, SLOW, SLOW_SECONDS)]
        time.sleep(1)
        reached = run(options, receivers[0][1])
    finally:
        for child, _notes in receivers:
            child.kill()
            child.wait()
        live.take_up_wire()
    figures = {name: percentiles(notes) for name, (_, notes) in zip(["fast", "slow"], receivers)}
    print(f"{reached:,.0f} packets a second; seconds from the last packet of an answer to the receiver")
    for name, kinds in figures.items():
        for kind, f in kinds.items():
            print(f"{name:5} {kind:9} {f['events']:8,} events  p50 {f['p50']:.3f}  p99 {f['p99']:.3f}  most {f['most']:.3f}")
    if options.json:
        options.json.write_text(json.dumps({"rate": reached, "delays": figures}, indent=1))


if __name__ == "__main__":
    main()
