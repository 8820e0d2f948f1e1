#!/usr/bin/env python3
"""Scores tapwire on the captures of other sensors' test suites, with the scripts that come with them.

usage: tests/conformance.py TAPWIRE [--corpus DIR] [--out DIR] [--only SUITE]

Skips, with a notice, where the corpus is absent. Rows and full output of the scorers stay in --out."""

import argparse
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Suite, truth, and the scorer with its options.
SUITES = [
    ("zeek", "zeek_http.jsonl", "score_tx.py", ["--unquote", "--fields", "method,path,status"]),
    ("deepflow", "deepflow_http.jsonl", "score_tx.py", ["--fields", "method,path,status"]),
    ("arkime", "arkime.jsonl", "score_sessions.py", []),
    ("suricata", "suricata_verify.jsonl", "score_assert.py", []),
]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tapwire", type=pathlib.Path)
    parser.add_argument("--corpus", type=pathlib.Path, default=ROOT.parent / "shared" / "corpus")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "target" / "conformance")
    parser.add_argument("--only", choices=[suite[0] for suite in SUITES])
    return parser.parse_args()


def captures(corpus, truth):
    """Paths of the captures below the corpus, as the truth spells them."""
    with open(corpus / "truth" / truth, encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return sorted({row["pcap"] for row in rows if row.get("present") is not False})


def replay(tapwire, corpus, name, rows):
    """Appends the scoring rows of one capture; returns what went wrong, if anything."""
    command = [tapwire, "replay", corpus / name, "--only", "exchanges", "--analysis", "off", "-q", "--set",
               "redact.fidelity=full", "--events", "-"]
    done = subprocess.run(command, capture_output=True, check=False)
    scorer = [sys.executable, corpus / "score" / "from_events.py", name]
    rows.write(subprocess.run(scorer, input=done.stdout, capture_output=True, check=True).stdout)
    if done.returncode == 0:
        return None
    return f"{name}: exit {done.returncode}: {done.stderr.decode(errors='replace').strip()}"


def score(options, suite, truth, script, flags):
    rows = options.out / f"{suite}.rows.jsonl"
    with open(rows, "wb") as sink:
        for name in captures(options.corpus, truth):
            trouble = replay(options.tapwire.resolve(), options.corpus, name, sink)
            if trouble:
                print("  !", trouble)
    command = [sys.executable, options.corpus / "score" / script, options.corpus / "truth" / truth, rows, *flags]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def main():
    options = arguments()
    if not options.corpus.is_dir():
        print(f"skipped: {options.corpus} is absent")
        return
    options.out.mkdir(parents=True, exist_ok=True)
    for suite, truth, script, flags in SUITES:
        if options.only in (None, suite):
            print(f"== {suite}")
            print(score(options, suite, truth, script, flags), end="")


if __name__ == "__main__":
    main()
