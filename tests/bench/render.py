#!/usr/bin/env python3
"""Says how fast events are rendered on one core, by format: CPU seconds of a replay that writes them to nowhere, less those of one
that counts and does not render them (`null://`). The runs of a round take turns, and the least of all rounds counts, since
other work on the machine only adds."""

import argparse
import json
import pathlib
import resource
import subprocess

FORMATS = {
    "eve": ["--format", "eve"],
    "ocsf": ["--format", "ocsf"],
    "ocsf lean": ["--format", "ocsf", "--detail", "lean"],
    "ecs": ["--format", "ecs"],
    "cef": ["--format", "cef"],
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("capture", type=pathlib.Path)
    parser.add_argument("--tapwire", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=pathlib.Path, help="where to write the figures as JSON")
    return parser.parse_args()


def replay(options, events, *flags):
    """CPU seconds of a replay on one thread."""
    command = [options.tapwire.resolve(), "replay", options.capture, "-q", "--threads", "0", "--analysis", "off", *flags,
               "--events", events]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def size(options, *flags):
    """Events, and their bytes together."""
    command = [options.tapwire.resolve(), "replay", options.capture, "-q", "--threads", "0", "--analysis", "off", *flags,
               "--events", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        events = length = 0
        for line in child.stdout:
            events, length = events + 1, length + len(line)
    return events, length


def main():
    options = arguments()
    least = {}
    for _ in range(options.rounds):
        for name, seconds in [("null", replay(options, "null://"))] + [
            (name, replay(options, "/dev/null", *flags)) for name, flags in FORMATS.items()
        ]:
            least[name] = min(seconds, least.get(name, seconds))
    figures = {}
    for name, flags in FORMATS.items():
        events, length = size(options, *flags)
        seconds = max(least[name] - least["null"], 1e-9)
        figures[name] = {"events_a_second": events / seconds, "bytes_an_event": length / events, "megabytes_a_second": length / seconds / 1e6}
        print(f"{name:10} {events / seconds:10,.0f} events/s  {length / events:6,.0f} bytes/event  {length / seconds / 1e6:6,.0f} MB/s")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
