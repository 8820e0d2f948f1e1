"""Compares findings with labelled attacks, as an analyst would who reads both.

An attack is named when a detector of its family says something of its actor in its time. Whose a finding is follows from the
connections that it shows as evidence: a connection is one caller's, so that neighbours behind one address and the victims of
an attack are told from who attacks. Where nobody is to blame (the fault is the service's) or the finding is of posture, the
place and the time have to be right instead. `families.json` says which detectors and policies an analyst takes as the answer to
each kind, by their names alone.

A finding of a detector (class 2004) that is not about an attacker in that time is false, and so is its incident, beside attacks,
too. Findings of classes 2006 and 2007 state how services are and accuse nobody: they are no incidents."""

import collections
import json
import pathlib
import re

TABLE = json.loads((pathlib.Path(__file__).parent / "families.json").read_text())
FAMILIES = {kind: set(names) for kind, names in TABLE["detectors"].items()}
for rule, kinds in TABLE["rules"].items():
    for kind in kinds:
        FAMILIES[kind].add(rule)
# From least to most; what a finding may say of an attack that failed, and of one that did not.
ORDER = ["no-effect", "attempted", "blocked", "likely", "confirmed"]
WORKED = {"likely", "confirmed"}
SLACK = 600
DETECTION = 2004

Result = collections.namedtuple("Result", "verdicts false")


def rows(path):
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def labels(path):
    found = list(rows(path))
    for label in found:
        label.setdefault("actors_known", True)
        label["host"] = label.get("host", label["service"])
        label["spots"] = {spot(place) for place in label.get("places", [])}
    return found


def spot(place):
    """Method and path with `*` for everything that varies."""
    method, _, path = place.partition(" ")
    path = re.sub(r"\{[^}/]*\}", "*", path.split("?")[0].split(" ")[0])
    return f"{method} {path}"


def same_spot(told, known):
    """Whether a finding's place is one of the label's; a `*` of either stands for one segment."""
    told = told.split("/")
    for place in known:
        place = place.split("/")
        if len(place) == len(told) and all(a == b or "*" in (a, b) for a, b in zip(told, place)):
            return True
    return False


class Finding:
    """What somebody says: of whom, when, where, and whether it worked."""

    def __init__(self, incident, detector, start, end, callers=(), addresses=(), spots=(), services="", outcome=None, judges=True, message=""):
        self.incident, self.detector, self.start, self.end = incident, detector, start, end
        self.callers, self.addresses, self.spots, self.services = list(callers), set(addresses), set(spots), services
        self.outcome, self.judges, self.message = outcome, judges, message
        # The attacks that its evidence belongs to, and else what its caller does.
        self.attacks, self.what = set(), "unknown"

    def in_time(self, label):
        return self.end >= label["start"] - 5 and self.start <= label["end"] + SLACK

    def at_place(self, label):
        return label["host"] in self.services and any(same_spot(told, label["spots"]) for told in self.spots)

    def is_about(self, label, first):
        """Right actor, or right place where there is none; `first` is when this kind was first to be seen there."""
        if not self.judges:
            # Said once for a service: it may stand from an earlier attack of this kind.
            when = first - 5 <= self.start <= label["end"] + SLACK
            return when and label["outcome"] == "confirmed" and self.at_place(label)
        if label["actors_known"]:
            return label["id"] in self.attacks and self.in_time(label)
        return self.in_time(label) and self.at_place(label)

    def is_family(self, label):
        return self.detector in FAMILIES.get(label["kind"], set())


def findings(path):
    return [of_event(event, number) for number, event in enumerate(rows(path)) if event.get("class_uid") in (2004, 2006, 2007)]


def of_event(event, number):
    extra, info = event.get("unmapped") or {}, event.get("finding_info") or {}
    detector = str(extra.get("detector") or extra.get("policy") or (info.get("analytic") or {}).get("name") or "")
    evidences = event.get("evidences") or []
    sources = [evidence.get("src_endpoint") or {} for evidence in evidences] + [event.get("src_endpoint") or {}]
    spots = set()
    for evidence in evidences:
        asked = evidence.get("http_request") or {}
        if asked:
            spots.add(spot(f"{asked.get('http_method')} {(asked.get('url') or {}).get('path', '')}"))
        spots.add(spot((evidence.get("api") or {}).get("operation") or ""))
    for resource in event.get("resources") or []:
        spots.add(spot(str(resource.get("name", ""))))
    times = [event.get(key) for key in ("start_time", "end_time", "time")] + [info.get("first_seen_time")]
    stamps = [stamp / 1000 for stamp in times if stamp]
    services = json.dumps([evidences, extra.get("service"), event.get("resources")])
    incident = str(extra.get("incident") or info.get("uid") or number)
    return Finding(incident, detector, min(stamps), max(stamps), [(source.get("ip"), source.get("port")) for source in sources if source.get("ip")],
                   (source["ip"] for source in sources if source.get("ip")), spots, services, extra.get("outcome"),
                   event.get("class_uid") == DETECTION, event.get("message") or "")


def attribute(said, requests, known=()):
    """Finds whose each finding is: of the requests on its connection, the one next in time says what its caller does."""
    wanted = {caller for finding in said if finding.judges for caller in finding.callers}
    seen = collections.defaultdict(list)
    for row in requests:
        caller = (row["client_ip"], row["client_port"])
        if caller in wanted:
            seen[caller].append((row["time"], row["label"], row.get("what") or "honest"))
    # The corpus numbers an attack of its second run as that of the first.
    names = {label["id"].split("-", 1)[-1]: label["id"] for label in known if "run" in label}
    for finding in said:
        for caller in finding.callers if finding.judges else ():
            near = min(seen[caller], key=lambda row: min(abs(row[0] - finding.start), abs(row[0] - finding.end)), default=None)
            if near:
                finding.what = near[2]
                if near[1]:
                    finding.attacks.add(names.get(near[1].split("-", 1)[-1], near[1]))


def attribute_by_address(said, known):
    """For rules that see addresses alone."""
    for alarm in said:
        alarm.attacks = {label["id"] for label in known if alarm.in_time(label) and not alarm.addresses.isdisjoint(label["actor_ips"])}


def firsts(known):
    found = {}
    for label in known:
        key = label["kind"], label["host"]
        found[key] = min(found.get(key, label["start"]), label["start"])
    return found


def score(known, said):
    """A verdict for each label, and the findings that accuse somebody who attacks nothing."""
    first, verdicts, right = firsts(known), [], set()
    at = {label["id"]: label for label in known}
    for label in known:
        about = [finding for finding in said if finding.is_about(label, first[label["kind"], label["host"]])]
        named = [finding for finding in about if finding.is_family(label)]
        right.update(map(id, named))
        judged = [finding for finding in named if finding.judges]
        told = [finding.outcome for finding in judged if finding.outcome in ORDER]
        verdicts.append({
            "named": bool(named),
            "judged": bool(judged),
            "seen": sorted({finding.detector for finding in about if finding.judges}),
            "outcome": max(told, key=ORDER.index, default=None),
            "delay": round(max(0.0, min(finding.start for finding in named) - label["start"]), 1) if named else None,
        })
    wrong = []
    for finding in said:
        accused = any(at[name]["start"] - SLACK <= finding.end and finding.start <= at[name]["end"] + SLACK for name in finding.attacks if name in at)
        if finding.judges and not accused and id(finding) not in right:
            wrong.append(finding)
    return Result(verdicts, wrong)


def incidents(wrong):
    """The first finding of each incident that accuses wrongly."""
    found = {}
    for finding in wrong:
        found.setdefault(finding.incident, finding)
    return list(found.values())


def mixed(said):
    """Incidents that hold findings of different attacks, and how many there are in all of attackers."""
    attacks = collections.defaultdict(set)
    for finding in said:
        if finding.judges and finding.attacks:
            attacks[finding.incident].add(frozenset(finding.attacks))
    return sum(len(sets) > 1 and not frozenset.intersection(*sets) for sets in attacks.values()), len(attacks)


def outcomes(known):
    """How many outcomes were told rightly, of attacks that a detector named."""
    told = [label for label in known if label["tapwire"]["judged"]]
    return sum(is_told(label) == (label["outcome"] == "confirmed") for label in told), len(told)


def is_told(label):
    """Whether it is said to have worked; `None` where nothing is said of it, which is never right."""
    outcome = label["tapwire"]["outcome"]
    return None if outcome is None else outcome in WORKED


def outcome_f1(known):
    """The mean of two F1, of attacks that worked and of those that did not, over those that a detector named."""
    told = [(is_told(label), label["outcome"] == "confirmed") for label in known if label["tapwire"]["judged"]]
    scores = []
    for side in (True, False):
        true = sum(said == side == truth for said, truth in told)
        wrong = sum(said == side and truth != side for said, truth in told)
        missed = sum(truth == side and said != side for said, truth in told)
        scores.append(2 * true / (2 * true + wrong + missed) if true else 0.0)
    return sum(scores) / 2
