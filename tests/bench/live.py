#!/usr/bin/env python3
"""Plays a capture over a veth pair at several rates and measures, on one core, what tapwire and Suricata find of it live:
exchanges, packets that the kernel dropped, what was shed. Sender and sensor have a core each. Needs root, iproute2,
tcpreplay and taskset; Suricata is left out where it is not installed."""

import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
SEND, HEAR = f"tw-send-{os.getpid()}", f"tw-hear-{os.getpid()}"
SENDER_CORE, SENSOR_CORE = "0", "1"
RING = "256MiB"
# Frames of Suricata's ring, about as many bytes as tapwire's.
RING_FRAMES = 170_000
PATIENCE = 120

AF_PACKET = f"""
af-packet:
  - interface: hear0
    threads: 1
    cluster-id: 99
    cluster-type: cluster_flow
    defrag: no
    use-mmap: yes
    tpacket-v3: yes
    ring-size: {RING_FRAMES}
    block-size: 1048576
"""

Result = collections.namedtuple("Result", "tool asked rate sent received dropped unread shed exchanges cpu")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("capture", type=pathlib.Path)
    parser.add_argument("--tapwire", type=pathlib.Path, required=True)
    parser.add_argument("--scratch", type=pathlib.Path, required=True, help="a folder on tmpfs for what the tools write")
    parser.add_argument("--json", type=pathlib.Path, help="where to write the figures as JSON")
    parser.add_argument("--rates", default="100000,150000,200000", help="packets a second")
    return parser.parse_args()


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def within(namespace, *words):
    return ["ip", "netns", "exec", namespace, *map(str, words)]


def lay_wire():
    for namespace in (SEND, HEAR):
        ip("netns", "add", namespace)
        # Nothing but the capture on this wire.
        for scope in ("all", "default"):
            switch = f"net.ipv6.conf.{scope}.disable_ipv6=1"
            subprocess.run(within(namespace, "sysctl", "-qw", switch), check=False)
    ip("-n", SEND, "link", "add", "send0", "mtu", "9000", "type", "veth", "peer", "name", "hear0", "mtu", "9000", "netns", HEAR)
    ip("-n", SEND, "link", "set", "send0", "up")
    ip("-n", HEAR, "link", "set", "hear0", "up")


def take_up_wire():
    for namespace in (SEND, HEAR):
        subprocess.run(["ip", "netns", "del", namespace], check=False)


def packets_heard():
    """What the kernel says came in on the sensor's end."""
    link = json.loads(subprocess.check_output(["ip", "-n", HEAR, "-s", "-j", "link", "show", "hear0"]))[0]
    return link["stats64"]["rx"]["packets"]


def sockets():
    return len(subprocess.check_output(within(HEAR, "cat", "/proc/net/packet")).splitlines()) - 1


def wait_for(condition, what):
    for _ in range(PATIENCE * 10):
        if condition():
            return
        time.sleep(0.1)
    sys.exit(f"{what} did not happen within {PATIENCE} s")


def until_quiet(output):
    """Until nothing is written any more; events of what is still open come when the tool ends."""
    last, since = -1, time.monotonic()
    while time.monotonic() - since < 3:
        size = output.stat().st_size if output.exists() else 0
        if size != last:
            last, since = size, time.monotonic()
        time.sleep(0.2)


def send(capture, rate):
    command = ["taskset", "-c", SENDER_CORE, "tcpreplay", "-q", "-K", f"--pps={rate}", "-i", "send0", capture]
    done = subprocess.run(within(SEND, *command), capture_output=True, text=True, check=True)
    reached = re.search(r"([\d.]+) pps", done.stdout + done.stderr)
    return float(reached.group(1)) if reached else 0.0


def measure(name, command, output, capture, rate, scratch):
    """Runs a tool while the capture is sent; gives its text, what was sent, the rate and its CPU seconds."""
    output.unlink(missing_ok=True)
    before = sockets()
    with open(scratch / "tool.out", "w+") as text:
        command = within(HEAR, "taskset", "-c", SENSOR_CORE, *command)
        child = subprocess.Popen(command, stdout=text, stderr=subprocess.STDOUT)
        wait_for(lambda: sockets() > before or child.poll() is not None, f"listening of {name}")
        time.sleep(2)
        heard = packets_heard()
        reached = send(capture, rate)
        until_quiet(output)
        sent = packets_heard() - heard
        child.send_signal(signal.SIGINT)
        _, _, used = os.wait4(child.pid, 0)
        text.seek(0)
        return text.read(), sent, reached, used.ru_utime + used.ru_stime


def lines_with(output, word):
    if not output.exists():
        return 0
    with open(output, "rb") as lines:
        return sum(word in line for line in lines)


def tapwire(options, rate, flags, name):
    output = options.scratch / "tapwire.jsonl"
    command = [options.tapwire.resolve(), "run", "-i", "hear0", "--json", "--set", f"capture.ring={RING}", "--set",
               "capture.user=root", "--set", "heartbeat.every=0", "--data", options.scratch / "data",
               "--only", "exchanges", "--format", "eve", "--events", output, *flags]
    text, sent, reached, cpu = measure(name, command, output, options.capture, rate, options.scratch)
    summary = next((json.loads(line) for line in text.splitlines() if line.startswith("{")), None)
    if summary is None:
        sys.exit(f"{name} gave no summary: {text[-2000:]}")
    stages = summary["stages"]
    found = lines_with(output, b'"event_type":"http"')
    capture = stages["capture"]
    return Result(name, rate, reached, sent, capture["received"], capture["dropped_kernel"], capture["unread"],
                  stages["analyst"]["shed"], found, cpu)


def suricata(options, rate):
    folder = options.scratch / "suricata"
    folder.mkdir(exist_ok=True)
    config = options.scratch / "suricata-live.yaml"
    config.write_text((HERE / "suricata.yaml").read_text() + AF_PACKET)
    output = folder / "eve.json"
    command = ["suricata", "-c", config, "--runmode", "workers", "-k", "none", "-S", "/dev/null", "-l", folder,
               "--af-packet=hear0", "--set", "logging.default-log-level=notice",
               "--set", "logging.outputs.0.console.enabled=yes", "--set", "threading.set-cpu-affinity=no"]
    text, sent, reached, cpu = measure("suricata", command, output, options.capture, rate, options.scratch)
    counts = re.search(r"packets: (\d+), drops: (\d+)", text)
    received, dropped = map(int, counts.groups()) if counts else (0, 0)
    found = lines_with(output, b'"event_type":"http"')
    # Suricata counts what it dropped among what it received.
    return Result("suricata", rate, reached, sent, received - dropped, dropped, 0, 0, found, cpu)


def expected(options):
    """Exchanges in the capture, by a replay of the file."""
    command = [options.tapwire.resolve(), "replay", options.capture, "-q", "--json", "--analysis", "off", "--events", "null://"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        command[-1] = options.scratch / "expected.jsonl"
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() + done.stderr.splitlines() if line.startswith("{"))
    return json.loads(line)["exchanges"]["reported"]


def unaccounted(result):
    """Packets that the interface counted and neither the sensor nor the kernel's counters of its socket tell of."""
    return result.sent - result.received - result.dropped - result.unread if result.tool != "suricata" else 0


def show(results, whole):
    print(f"{'tool':18} {'asked':>8} {'sent/s':>8} {'packets':>9} {'dropped':>8} {'shed':>7} {'exchanges':>9} {'found':>8} {'CPU s':>6}")
    for result in results:
        print(f"{result.tool:18} {result.asked:8,} {result.rate:8,.0f} {result.sent:9,} {result.dropped:8,} {result.shed:7,} "
              f"{result.exchanges:9,} {result.exchanges / whole:8.3%} {result.cpu:6.2f}")
        if unaccounted(result):
            print(f"  not all is accounted for: {result.received:,} seen, {result.dropped:,} dropped and {result.unread:,} unread "
                  f"of {result.sent:,}")


def main():
    options = arguments()
    if os.geteuid() != 0:
        sys.exit("live.py: network namespaces need root")
    missing = [tool for tool in ("tcpreplay", "taskset", "ip") if not shutil.which(tool)]
    if missing:
        sys.exit(f"live.py: not installed: {', '.join(missing)}")
    if (os.cpu_count() or 1) < 2:
        sys.exit("live.py: sender and sensor need a core each")
    whole = expected(options)
    results = []
    lay_wire()
    try:
        for rate in map(int, options.rates.split(",")):
            # As Suricata does: one file, and nothing kept beside it.
            alone = ["--analysis", "off", "--set", "events.keep=none"]
            results.append(tapwire(options, rate, alone, "tapwire"))
            results.append(tapwire(options, rate, ["--analysis", "off"], "tapwire, kept too"))
            results.append(tapwire(options, rate, ["--analysis", "on"], "tapwire analysis"))
            if shutil.which("suricata"):
                results.append(suricata(options, rate))
    finally:
        take_up_wire()
    print(f"\n{options.capture.name}: {whole:,} exchanges; a ring of {RING} each; sender on core {SENDER_CORE}, sensor on core "
          f"{SENSOR_CORE}\n")
    show(results, whole)
    if options.json:
        options.json.write_text(json.dumps({"expected": whole, "runs": [result._asdict() for result in results]}, indent=1))
    if any(map(unaccounted, results)):
        sys.exit("live.py: packets are missing from the counters")


if __name__ == "__main__":
    main()
