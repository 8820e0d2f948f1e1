#!/usr/bin/env python3
"""Measures detection on generated scenes: recall by kind, intensity and outcome, false incidents in benign traffic, and what two
simple rules reach on the same captures.

usage: tests/scenes/quality.py --tapwire BIN --scenes BIN [--part held-out|tuning] [--seeds 1,2] [--slices N] [--benign N] [--corpus DIR]

Each capture is generated, replayed with `--set redact.fidelity=full` and scored, then deleted unless --keep is given. The table is
Markdown on standard output; --json FILE has every attack with what was found. Exit code 1 with --gate where a gate is missed."""

import argparse
import collections
import json
import pathlib
import subprocess
import sys
import tempfile

import baselines
import score

ROOT = pathlib.Path(__file__).resolve().parents[2]
INTENSITIES = ["fast", "slow", "distributed"]
# What the design asks for: recall by intensity, false incidents in benign exchanges, outcome.
GATES = {"fast": 0.95, "slow": 0.85, "distributed": 0.85}
FALSE_INCIDENTS, OUTCOME = 3, 0.9


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tapwire", type=pathlib.Path, required=True)
    parser.add_argument("--scenes", type=pathlib.Path, required=True)
    parser.add_argument("--part", choices=["held-out", "tuning"], default="held-out")
    parser.add_argument("--seeds", default="1,2", help="worlds to make attacks in")
    parser.add_argument("--slices", type=int, default=4, help="captures that the attacks of a seed are spread over")
    parser.add_argument("--background", type=int, default=100_000, help="benign exchanges in each of these")
    parser.add_argument("--benign", type=int, default=3_000_000, help="exchanges of the capture without attacks; 0 leaves it out")
    parser.add_argument("--kind", help="attacks of this kind only")
    parser.add_argument("--replay", default="", help="further options of tapwire replay, such as --two-pass")
    parser.add_argument("--short", type=int, default=0, help="minutes of further captures, one a kind, judged in one pass and in two; 0 for none")
    parser.add_argument("--corpus", type=pathlib.Path, default=ROOT.parent / "shared" / "corpus" / "attack")
    parser.add_argument("--no-corpus", action="store_true")
    parser.add_argument("--scratch", type=pathlib.Path, help="where captures are made (a temporary folder)")
    parser.add_argument("--keep", action="store_true", help="leave captures, labels and findings in --scratch")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--gate", action="store_true", help="exit with 1 where a gate is missed")
    return parser.parse_args()


class Bench:
    """Makes captures and replays them."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder

    def make(self, name, *words):
        out = self.folder / name
        subprocess.run([self.options.scenes, *map(str, words), out], check=True, stdout=subprocess.DEVNULL)
        return out

    def replay(self, capture, name, more=()):
        found = self.folder / f"{name}.findings.jsonl"
        found.unlink(missing_ok=True)
        command = [self.options.tapwire, "replay", capture, "-q", "--set", "redact.fidelity=full", "--only", "findings", "--events", found]
        done = subprocess.run([*map(str, command), *self.options.replay.split(), *more], capture_output=True, text=True)
        if done.returncode not in (0, 1):
            sys.exit(f"tapwire: {done.stderr.strip()}")
        return score.findings(found) if found.exists() else []

    def measure(self, name, *words):
        """A capture with everything that was said of it."""
        print(f"{name} …", file=sys.stderr)
        out = self.make(name, *words)
        labels = score.labels(f"{out}.labels.jsonl")
        rules = baselines.run(score.rows(f"{out}.requests.jsonl"))
        found = self.replay(f"{out}.pcap", name)
        if not self.options.keep:
            for path in self.folder.glob(f"{name}.*"):
                path.unlink()
        return labels, found, rules


def attacks(bench):
    """Every attack with what each of the three made of it, and the false incidents of each."""
    options, rows, wrong, benign = bench.options, [], collections.defaultdict(list), 0
    for seed in options.seeds.split(","):
        for nth in range(1, options.slices + 1):
            words = ["--seed", seed, "--part", options.part, "--slice", f"{nth}/{options.slices}", "--benign", options.background]
            words += ["--attack", options.kind] if options.kind else []
            labels, found, rules = bench.measure(f"attacks-{seed}-{nth}", *words)
            benign += rules.benign
            for who, said in [("tapwire", found), ("counting", rules.counting), ("thresholds", rules.thresholds)]:
                result = score.score(labels, said)
                wrong[who] += result.false
                for label, verdict in zip(labels, result.verdicts):
                    label[who] = verdict
            rows += labels
    return rows, wrong, benign


def share(rows, who="tapwire"):
    hits = sum(row[who]["named"] for row in rows)
    return f"{hits}/{len(rows)}" if rows else "–"


def by(rows, key):
    groups = collections.defaultdict(list)
    for row in rows:
        groups[row[key]].append(row)
    return groups


def kinds_table(rows):
    print("| kind | OWASP | fast | slow | distributed | outcome | counting | thresholds |")
    print("|---|---|---|---|---|---|---|---|")
    for kind, group in sorted(by(rows, "kind").items(), key=lambda pair: (pair[1][0]["owasp"], pair[0])):
        spread = by(group, "variant")
        right, given = score.outcomes(group)
        cells = [share(spread[intensity]) for intensity in INTENSITIES]
        print(f"| `{kind}` | {group[0]['owasp']} | {' | '.join(cells)} | {right}/{given} | {share(group, 'counting')} | {share(group, 'thresholds')} |")


def summary_table(rows, wrong, benign):
    print("\n| | fast | slow | distributed | blocked | successful | false incidents beside attacks |")
    print("|---|---|---|---|---|---|---|")
    for who in ("tapwire", "counting", "thresholds"):
        spread = by(rows, "variant")
        cells = [share(spread[intensity], who) for intensity in INTENSITIES]
        cells += [share([row for row in rows if (row["outcome"] == "confirmed") == success], who) for success in (False, True)]
        print(f"| {who} | {' | '.join(cells)} | {len(wrong[who])} in {benign:,} benign exchanges |")


def benign_table(bench):
    """False incidents in traffic that holds no attack. Returns how many of them are tapwire's."""
    options = bench.options
    # Worlds that no attack capture has.
    seed = {"tuning": 8001, "held-out": 9001}[options.part]
    _, found, rules = bench.measure("benign", "--seed", seed, "--benign", options.benign)
    judged = [finding for finding in found if finding.judges]
    print(f"\nWithout attacks, {rules.benign:,} exchanges of a week with a release in it:\n")
    print("| | incidents, all false | detectors |\n|---|---|---|")
    incidents = {}
    for finding in judged:
        incidents.setdefault(finding.incident, finding.detector)
    for who, names in [("tapwire", incidents.values()), ("counting", [f.detector for f in rules.counting]), ("thresholds", [f.detector for f in rules.thresholds])]:
        counts = collections.Counter(names)
        print(f"| {who} | {sum(counts.values())} | {', '.join(f'{name} {count}' for name, count in counts.most_common(12)) or '–'} |")
    posture = collections.Counter(finding.detector for finding in found if not finding.judges)
    print(f"\nPosture and data findings beside these, which state how services are set up: {sum(posture.values())}"
          + (f" ({', '.join(f'{name} {count}' for name, count in posture.most_common())})." if posture else "."))
    return len(incidents)


def short_table(bench):
    """What is found in minutes of traffic, where nothing could be learned before: in one pass, and in two."""
    options = bench.options
    if "--two-pass" not in subprocess.run([options.tapwire, "replay", "--help"], capture_output=True, text=True).stdout:
        print("short captures: skipped, this tapwire has no --two-pass", file=sys.stderr)
        return
    listed = subprocess.run([options.scenes, "--list", "--intensity", "fast", "--outcome", "successful"], capture_output=True, text=True).stdout
    found = {"one pass": [], "two passes": []}
    for line in listed.splitlines():
        kind = line.split()[0]
        words = ["--seed", 7001, "--minutes", options.short, "--benign", 40_000, "--attack", kind, "--intensity", "fast", "--outcome", "successful"]
        out = bench.make("short", *words)
        labels = score.labels(f"{out}.labels.jsonl")
        for name, more in [("one pass", []), ("two passes", ["--two-pass"])]:
            verdicts = score.score(labels, bench.replay(f"{out}.pcap", "short", more)).verdicts
            found[name] += [kind] if any(verdict["named"] for verdict in verdicts) else []
    print(f"\nSuccessful fast attacks in captures of {options.short} minutes, {len(listed.splitlines())} kinds:\n")
    print("| | found | kinds |\n|---|---|---|")
    for name, kinds in found.items():
        print(f"| {name} | {len(kinds)} | {', '.join(kinds) or '–'} |")


def corpus_table(bench):
    """Real applications: captures of the corpus, where it is there."""
    corpus = bench.options.corpus
    if bench.options.no_corpus or not (corpus / "apps.pcap.zst").exists():
        print("corpus: skipped, not there", file=sys.stderr)
        return
    print("\n### Real applications, real tools\n")
    print("| capture | attacks | named | found by category | outcomes | false incidents |\n|---|---|---|---|---|---|")
    for name in ("apps", "benign"):
        capture = bench.folder / f"{name}.pcap"
        subprocess.run(["zstd", "-dqf", corpus / f"{name}.pcap.zst", "-o", capture], check=True)
        path = corpus / f"{name}.labels.jsonl"
        labels = score.labels(path) if path.exists() else []
        result = score.score(labels, bench.replay(capture, name))
        for label, verdict in zip(labels, result.verdicts):
            label["tapwire"] = verdict
        right, given = score.outcomes(labels)
        named, found = (sum(verdict[key] for verdict in result.verdicts) for key in ("named", "found"))
        print(f"| `{name}` | {len(labels)} | {named} | {found} | {right}/{given} | {len(result.false)} |")
        capture.unlink()
        missed = [f"`{label['id']} {label['kind']} {label['variant']}`" for label in labels if not label["tapwire"]["named"]]
        if missed:
            print(f"\nMissed: {', '.join(missed)}\n")


def missed_gates(rows, false_incidents):
    spread, missed = by(rows, "variant"), []
    for intensity, gate in GATES.items():
        group = spread[intensity]
        recall = sum(row["tapwire"]["named"] for row in group) / max(1, len(group))
        if recall < gate:
            missed.append(f"recall {intensity} {recall:.3f} < {gate}")
    quality = score.outcome_f1(rows)
    if quality < OUTCOME:
        missed.append(f"outcome F1 {quality:.3f} < {OUTCOME}")
    if false_incidents > FALSE_INCIDENTS:
        missed.append(f"{false_incidents} false incidents > {FALSE_INCIDENTS}")
    return missed


def main():
    options = arguments()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.scratch or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        bench = Bench(options, folder)
        rows, wrong, benign = attacks(bench)
        print(f"{len(rows)} attacks, {options.part}, seeds {options.seeds}:\n")
        kinds_table(rows)
        summary_table(rows, wrong, benign)
        print(f"\nOutcome F1 of what was found (failed and successful, mean): {score.outcome_f1(rows):.3f}")
        unseen = [row["id"] for row in rows if not row["tapwire"]["named"]]
        print(f"\nMissed: {len(unseen)}. " + ", ".join(f"`{name}`" for name in unseen[:60]) + (" …" if len(unseen) > 60 else ""))
        false_incidents = benign_table(bench) if options.benign else 0
        if options.short:
            short_table(bench)
        corpus_table(bench)
        missed = missed_gates(rows, false_incidents)
        print("\nGates: " + ("all met" if not missed else "missed: " + "; ".join(missed)))
        if options.json:
            options.json.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return 1 if options.gate and missed else 0


if __name__ == "__main__":
    sys.exit(main())
