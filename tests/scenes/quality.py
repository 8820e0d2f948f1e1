#!/usr/bin/env python3
"""Measures detection on generated scenes and on real applications: recall by kind, intensity and outcome, false incidents in honest
traffic and beside attacks, a week with a release in it, and what two simple rules reach on the same captures.

usage: tests/scenes/quality.py --tapwire BIN --scenes BIN [--part held-out|tuning] [--run attacks,benign,week,corpus] [--quick]

Each capture is generated, replayed with `--set redact.fidelity=full` and scored, then deleted unless --keep is given. The tables are
Markdown on standard output; --json FILE has every attack with what was found. What was not run is said, and is no gate passed. Exit
code 1 with --gate where a gate is missed or was not run."""

import argparse
import collections
import concurrent.futures
import json
import pathlib
import subprocess
import sys
import tempfile

import baselines
import score

ROOT = pathlib.Path(__file__).resolve().parents[2]
INTENSITIES = ["fast", "slow", "distributed"]
PARTS = ["attacks", "benign", "week", "short", "corpus"]
# What the design asks for: recall by intensity, false incidents in honest exchanges, outcome.
RECALL = {"fast": 0.95, "slow": 0.85, "distributed": 0.85}
FALSE_INCIDENTS, HONEST, OUTCOME = 3, 3_000_000, 0.9
# Worlds of captures without attacks: no attack capture has these.
WORLDS = {"tuning": {"benign": 8001, "week": 8101}, "held-out": {"benign": 9001, "week": 9101}}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tapwire", type=pathlib.Path, required=True)
    parser.add_argument("--scenes", type=pathlib.Path, required=True)
    parser.add_argument("--part", choices=["held-out", "tuning"], default="held-out")
    parser.add_argument("--run", default="attacks,benign,week,corpus", help=f"of these: {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="a minute: one world of attacks, little honest traffic")
    parser.add_argument("--seeds", default="1,2", help="worlds to make attacks in")
    parser.add_argument("--slices", type=int, default=4, help="captures that the attacks of a seed are spread over")
    parser.add_argument("--background", type=int, default=100_000, help="honest exchanges in each of these")
    parser.add_argument("--benign", type=int, default=HONEST, help="exchanges of the capture without attacks; 0 leaves it out")
    parser.add_argument("--week", type=int, default=500_000, help="exchanges of the release week")
    parser.add_argument("--kind", help="attacks of this kind only")
    parser.add_argument("--replay", default="", help="further options of tapwire replay, such as --two-pass")
    parser.add_argument("--short", type=int, default=5, help="minutes of the captures of `short`, one a kind, judged in one pass and in two")
    parser.add_argument("--jobs", type=int, default=2, help="captures at a time")
    parser.add_argument("--corpus", type=pathlib.Path, default=ROOT.parent / "shared" / "corpus" / "attack")
    parser.add_argument("--scratch", type=pathlib.Path, help="where captures are made (a temporary folder)")
    parser.add_argument("--keep", action="store_true", help="leave captures, labels and findings in --scratch")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--gate", action="store_true", help="exit with 1 where a gate is missed or was not run")
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.slices, options.background = options.seeds.split(",")[0], 2, 50_000
        options.benign, options.week = min(options.benign, 150_000), min(options.week, 100_000)
    options.run = [part for part in options.run.split(",") if part]
    unknown = set(options.run) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if not options.benign and "benign" in options.run:
        options.run.remove("benign")
    return options


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
        known = score.labels(f"{out}.labels.jsonl")
        rules = baselines.run(score.rows(f"{out}.requests.jsonl"))
        for alarms in (rules.counting, rules.thresholds):
            score.attribute_by_address(alarms, known)
        found = self.replay(f"{out}.pcap", name)
        score.attribute(found, score.rows(f"{out}.requests.jsonl"), known)
        if not self.options.keep:
            for path in self.folder.glob(f"{name}.*"):
                path.unlink()
        return known, found, rules


def attacks(bench):
    """Every attack with what each of the three made of it, and the false incidents of each."""
    options, rows, wrong, honest, linked = bench.options, [], collections.defaultdict(list), 0, [0, 0]
    jobs = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for seed in options.seeds.split(","):
            for nth in range(1, options.slices + 1):
                words = ["--seed", seed, "--part", options.part, "--slice", f"{nth}/{options.slices}", "--benign", options.background]
                words += ["--attack", options.kind] if options.kind else []
                jobs.append(pool.submit(bench.measure, f"attacks-{seed}-{nth}", *words))
    for job in jobs:
        known, found, rules = job.result()
        honest += rules.benign
        for who, said in [("tapwire", found), ("counting", rules.counting), ("thresholds", rules.thresholds)]:
            result = score.score(known, said)
            wrong[who] += score.incidents(result.false)
            for label, verdict in zip(known, result.verdicts):
                label[who] = verdict
        linked = [sum(pair) for pair in zip(linked, score.mixed(found))]
        rows += known
    return rows, wrong, honest, linked


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


def summary_table(rows, wrong, honest):
    print("\n| | fast | slow | distributed | blocked | successful | false incidents beside attacks |")
    print("|---|---|---|---|---|---|---|")
    for who in ("tapwire", "counting", "thresholds"):
        spread = by(rows, "variant")
        cells = [share(spread[intensity], who) for intensity in INTENSITIES]
        cells += [share([row for row in rows if (row["outcome"] == "confirmed") == success], who) for success in (False, True)]
        print(f"| {who} | {' | '.join(cells)} | {len(wrong[who])} in {honest:,} honest exchanges |")


def whose(wrong):
    """What wrongly accused callers did, by detector."""
    counts = collections.Counter((finding.detector, finding.what) for finding in wrong)
    return ", ".join(f"`{detector}` of `{what}` {count}" for (detector, what), count in counts.most_common(16)) or "none"


def attacks_report(bench, gates):
    rows, wrong, honest, (mixed, linked) = attacks(bench)
    print(f"{len(rows)} attacks, {bench.options.part}, seeds {bench.options.seeds}:\n")
    kinds_table(rows)
    summary_table(rows, wrong, honest)
    print(f"\nFalse incidents beside attacks: {whose(wrong['tapwire'])}.")
    print(f"\nIncidents of attackers: {linked}, of which {mixed} hold findings of different attacks.")
    quality = score.outcome_f1(rows)
    print(f"\nOutcome F1 of what a detector named (worked and not, mean): {quality:.3f}")
    unseen = [row for row in rows if not row["tapwire"]["named"]]
    print(f"\nMissed: {len(unseen)}.\n")
    for kind, group in sorted(by(unseen, "kind").items()):
        other = collections.Counter(name for row in group for name in row["tapwire"]["seen"])
        seen = f" (said of these actors: {', '.join(f'{name} {count}' for name, count in other.most_common())})" if other else ""
        print(f"- `{kind}`: {', '.join(row['id'].removeprefix(kind + '-') for row in group)}{seen}")
    for intensity, least in RECALL.items():
        group = by(rows, "variant")[intensity]
        recall = sum(row["tapwire"]["named"] for row in group) / max(1, len(group))
        gates.add(f"recall {intensity}", f"≥ {least}", f"{recall:.3f}" if group else None, recall >= least)
    gates.add("outcome F1", f"≥ {OUTCOME}", f"{quality:.3f}", quality >= OUTCOME)
    wrongs = len(wrong["tapwire"])
    gates.add("false incidents beside attacks", f"≤ {FALSE_INCIDENTS}", f"{wrongs} in {honest:,}", wrongs <= FALSE_INCIDENTS)
    return rows


def calm(bench, part, exchanges, title):
    """False incidents in a week that holds no attack."""
    options = bench.options
    words = ["--seed", WORLDS[options.part][part], "--part", options.part, "--calm", "--days", 7, "--benign", exchanges]
    _, found, rules = bench.measure(part, *words)
    wrong = score.incidents([finding for finding in found if finding.judges])
    print(f"\n{title}, {rules.benign:,} exchanges:\n")
    print("| | incidents, all false | of whom |\n|---|---|---|")
    print(f"| tapwire | {len(wrong)} | {whose(wrong)} |")
    for who, alarms in [("counting", rules.counting), ("thresholds", rules.thresholds)]:
        counts = collections.Counter(alarm.detector for alarm in alarms)
        print(f"| {who} | {len(alarms)} | {', '.join(f'{name} {count}' for name, count in counts.most_common())} |")
    posture = collections.Counter(finding.detector for finding in found if not finding.judges)
    print(f"\nPosture and data findings beside these, which state how services are set up: {sum(posture.values())}"
          + (f" ({', '.join(f'{name} {count}' for name, count in posture.most_common())})." if posture else "."))
    return len(wrong), rules.benign


def benign_report(bench, gates):
    wrong, honest = calm(bench, "benign", bench.options.benign, "A week without an attack")
    enough = None if honest < HONEST * 0.99 else f"{wrong} in {honest:,}"
    gates.add("false incidents in honest traffic", f"≤ {FALSE_INCIDENTS} in ≥ {HONEST:,}", enough, wrong <= FALSE_INCIDENTS)


def week_report(bench, gates):
    wrong, _ = calm(bench, "week", bench.options.week, "A release in the middle of a week, no attack")
    gates.add("attack findings in the week of a release", "0", str(wrong), wrong == 0)


def short_report(bench, _gates):
    """What is found in minutes of traffic, where nothing could be learned before: in one pass, and in two."""
    options = bench.options
    if "--two-pass" not in subprocess.run([options.tapwire, "replay", "--help"], capture_output=True, text=True).stdout:
        print("\nCaptures of minutes: not run, this tapwire has no --two-pass")
        return
    listed = subprocess.run([options.scenes, "--list", "--intensity", "fast", "--outcome", "successful"], capture_output=True, text=True).stdout
    found = {"one pass": [], "two passes": []}
    for line in listed.splitlines():
        kind = line.split()[0]
        words = ["--seed", 7001, "--minutes", options.short, "--benign", 40_000, "--attack", kind, "--intensity", "fast", "--outcome", "successful"]
        out = bench.make("short", *words)
        known = score.labels(f"{out}.labels.jsonl")
        for name, more in [("one pass", []), ("two passes", ["--two-pass"])]:
            said = bench.replay(f"{out}.pcap", "short", more)
            score.attribute(said, score.rows(f"{out}.requests.jsonl"), known)
            found[name] += [kind] if any(verdict["named"] for verdict in score.score(known, said).verdicts) else []
    print(f"\nSuccessful fast attacks in captures of {options.short} minutes, {len(listed.splitlines())} kinds:\n")
    print("| | found | kinds |\n|---|---|---|")
    for name, kinds in found.items():
        print(f"| {name} | {len(kinds)} | {', '.join(kinds) or '–'} |")


def corpus_report(bench, gates):
    """Real applications: captures of the corpus, where it is there."""
    corpus = bench.options.corpus
    if not (corpus / "apps.pcap.zst").exists():
        print(f"\nReal applications: not run, there is no corpus at {corpus}")
        return
    print("\n### Real applications, real tools\n")
    print("| capture | attacks | named | outcomes | false incidents | in honest exchanges |\n|---|---|---|---|---|---|")
    known, wrong = [], 0
    notes = []
    for name in ("apps", "benign"):
        for ending in ("pcap", "requests.jsonl"):
            subprocess.run(["zstd", "-dqf", corpus / f"{name}.{ending}.zst", "-o", bench.folder / f"{name}.{ending}"], check=True)
        path = corpus / f"{name}.labels.jsonl"
        labels = score.labels(path) if path.exists() else []
        requests = list(score.rows(bench.folder / f"{name}.requests.jsonl"))
        said = bench.replay(bench.folder / f"{name}.pcap", name)
        score.attribute(said, requests, labels)
        result = score.score(labels, said)
        for label, verdict in zip(labels, result.verdicts):
            label["tapwire"] = verdict
        false = score.incidents(result.false)
        right, given = score.outcomes(labels)
        print(f"| `{name}` | {len(labels)} | {sum(verdict['named'] for verdict in result.verdicts)} | {right}/{given} | {len(false)} | {sum(not row['label'] for row in requests):,} |")
        notes += [f"Missed: `{label['id']} {label['kind']} {label['variant']}`" for label in labels if not label["tapwire"]["named"]]
        notes += [f"Outcome wrong: `{label['id']} {label['kind']} {label['variant']}` was {label['outcome']}, told {label['tapwire']['outcome']}"
                  for label in labels if label["tapwire"]["judged"] and score.is_told(label) != (label["outcome"] == "confirmed")]
        notes += [f"False: `{finding.detector}` at {finding.start:.0f}" for finding in false]
        known, wrong = known + labels, wrong + len(false)
        for ending in ("pcap", "requests.jsonl"):
            (bench.folder / f"{name}.{ending}").unlink()
    print("\n" + "".join(f"- {note}\n" for note in notes))
    for hard, least in [(False, RECALL["fast"]), (True, RECALL["slow"])]:
        group = [label for label in known if label["hard"] == hard]
        recall = sum(label["tapwire"]["named"] for label in group) / max(1, len(group))
        gates.add(f"real applications: recall {'slow, distributed, hidden' if hard else 'plain'}", f"≥ {least}", f"{recall:.3f} of {len(group)}", recall >= least)
    quality = score.outcome_f1(known)
    gates.add("real applications: outcome F1", f"≥ {OUTCOME}", f"{quality:.3f}", quality >= OUTCOME)
    gates.add("real applications: false incidents", f"≤ {FALSE_INCIDENTS}", str(wrong), wrong <= FALSE_INCIDENTS)


class Gates:
    """What was asked for, and what came; a gate whose part was not run is not passed."""

    WANTED = ["recall fast", "recall slow", "recall distributed", "outcome F1", "false incidents beside attacks", "false incidents in honest traffic",
              "attack findings in the week of a release", "real applications: recall plain", "real applications: recall slow, distributed, hidden",
              "real applications: outcome F1", "real applications: false incidents"]

    def __init__(self):
        self.reached = {}

    def add(self, name, wanted, reached, passed):
        self.reached[name] = (wanted, reached, passed and reached is not None)

    def table(self):
        """Prints it; returns whether all was run and met."""
        print("\n### Gates\n\n| gate | wanted | reached | |\n|---|---|---|---|")
        for name in self.WANTED:
            wanted, reached, passed = self.reached.get(name, ("", None, False))
            verdict = "not run" if reached is None else "met" if passed else "**missed**"
            print(f"| {name} | {wanted} | {reached or '–'} | {verdict} |")
        return all(self.reached.get(name, (0, 0, False))[2] for name in self.WANTED)


def names_report(options):
    """Detectors that stand for no kind of attack, and names of none: neither shows what anything is worth."""
    def listed(what):
        lines = subprocess.run([options.tapwire, "list", what], capture_output=True, text=True).stdout.splitlines()
        return {line.split()[0] for line in lines if line.strip()}
    detectors, named = listed("detectors"), set().union(*score.TABLE["detectors"].values())
    if alone := sorted(detectors - named):
        print(f"\nDetectors that no kind of attack asks for, so nothing here proves them: {', '.join(alone)}.")
    if unknown := sorted(named - detectors - listed("policies")):
        print(f"\nNames in families.json that this tapwire has neither as detector nor as policy: {', '.join(unknown)}.")


def main():
    options = arguments()
    reports = {"attacks": attacks_report, "benign": benign_report, "week": week_report, "short": short_report, "corpus": corpus_report}
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.scratch or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        bench, gates, rows = Bench(options, folder), Gates(), []
        for part in [part for part in PARTS if part in options.run]:
            rows += reports[part](bench, gates) or []
        names_report(options)
        met = gates.table()
        if options.json:
            plain = [{key: value for key, value in row.items() if key != "spots"} for row in rows]
            options.json.write_text("".join(json.dumps(row) + "\n" for row in plain))
        return 1 if options.gate and not met else 0


if __name__ == "__main__":
    sys.exit(main())
