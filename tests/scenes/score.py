"""Compares findings with labelled attacks.

An attack counts as named when a finding names one of its actors (address or user) in its interval, and says its kind. Where nobody is to
blame (the fault is the service's), a finding of the kind about that service in the interval counts. A finding whose incident touches no
attack by actor and interval is a false incident. Findings of classes 2006 and 2007 (data, posture) state how services are: they can
name what worked on that service, also where they were said before, and are no incidents."""

import collections
import json

# How findings may call each kind: parts of a detector's name, title or type. One is enough.
OBJECTS = ["bola", "foreign-object", "foreign object", "idor", "object-level", "enumerat"]
LOGINS = ["brute", "stuffing", "spray", "login-failure", "password-guess", "credential"]
CONSUMES = ["resource", "page-size", "page size", "expensive", "consumption", "cost", "quota", "dos"]
GRAPHQL = ["depth", "deep", "nest", "alias", "batch", "complex", "cost", "graphql"]
WORDS = {
    "bola_read": OBJECTS, "bola_random": OBJECTS, "bola_write": OBJECTS, "bola_enum": OBJECTS + ["sequential", "denied"],
    "bola_unowned": OBJECTS, "bola_tenant": OBJECTS + ["tenant"], "bola_graphql": OBJECTS, "bola_grpc": OBJECTS,
    "denied_probes": OBJECTS + ["denied", "probe"], "parameter_pollution": ["pollution", "duplicate param", "twice"] + OBJECTS,
    "unauth_access": ["unauth", "missing-auth", "no-auth", "broken-auth", "without credentials", "without-credentials", "usual credentials"],
    "expired_token": ["expired"], "logged_out_token": ["logout", "logged out", "ended", "expired", "session"], "credentials_in_url": ["url"], "foreign_token": ["foreign-token", "foreign token", "issuer", "foreign-credential", "unknown issuer"],
    "brute_force": LOGINS, "password_spraying": LOGINS, "credential_stuffing": LOGINS,
    "account_takeover": ["takeover", "success-after", "success after"] + LOGINS,
    "user_enumeration": ["user-enum", "account-enum", "enumerat"] + LOGINS,
    "token_two_places": ["two-places", "two places", "token-reuse", "token-theft", "hijack", "impossible"],
    "jwt_alg_none": ["alg-none", "alg none", "jwt", "unsigned"], "jwt_forged": ["forged", "never-issued", "jwt", "tamper"],
    "jwt_long_lived": ["long-expiry", "long-lived", "expiry", "jwt"],
    "mass_assignment": ["mass-assign", "mass assign", "never-sent", "unexpected-property"],
    "excessive_data": ["excessive", "data-exposure", "data exposure", "new-data", "new data", "new-field", "secret", "exposure"],
    "insider_exfiltration": ["exfil", "insider", "ledger", "volume"] + OBJECTS,
    "resource_consumption": CONSUMES, "slow_requests": ["slow"] + CONSUMES,
    "graphql_deep": GRAPHQL, "graphql_aliases": GRAPHQL, "graphql_batching": GRAPHQL,
    "bfla": ["bfla", "function-level", "function level", "role", "privilege"],
    "method_swap": ["method", "bfla", "function-level", "function level", "role"],
    "scraping": ["scrap", "walk", "bot", "crawl", "enumerat"], "bot_timing": ["bot", "timing", "automation", "regular"],
    "mass_signup": ["sign-up", "signup", "registration", "farming", "account creation", "fake account"],
    "flow_skipping": ["skip", "flow", "sequence", "step"], "coupon_guessing": ["coupon", "guess", "voucher", "enumerat", "brute", "bot"],
    "ssrf": ["ssrf", "server-side request"], "sqli_error": ["sql"], "sqli_boolean": ["sql"], "sqli_time": ["sql"],
    "nosql_injection": ["nosql", "operator"], "command_injection": ["command", "shell", "rce"], "path_traversal": ["traversal", "path"],
    "xss": ["xss", "script", "cross-site"], "ssti": ["ssti", "template"], "xxe": ["xxe", "external entit", "xml"], "ldap_injection": ["ldap"],
    "deserialisation": ["deserial", "serialised", "serialized"], "limit_ignored": ["limit", "429", "quota", "rate"],
    "log4shell": ["log4", "jndi"], "crlf_injection": ["crlf", "header-injection", "header injection", "splitting"],
    "smuggling": ["smuggl", "desync"], "secrets_in_answer": ["secret", "keys-in-answers", "private key", "credential"],
    "stack_trace": ["stack", "error detail", "verbose", "misconfig"], "cors": ["cors", "cross-origin"],
    "debug_route": ["debug", "actuator", "management", "recon", "probe"],
    "directory_listing": ["listing", "recon", "probe"], "graphql_introspection": ["introspection"],
    "mcp_tool_drift": ["drift", "tool-definition", "tool definition", "changed"], "mcp_prompt_injection": ["prompt"],
    "recon_404": ["recon", "scan", "probe", "discovery", "wordlist"], "method_probing": ["recon", "method", "probe", "scan"],
    "port_scan": ["port", "scan", "recon"],
    # Of the corpus.
    "sqli": ["sql"], "scanner": ["scan", "fuzz", "probe", "recon", "sql", "inject"], "graphql_duplication": GRAPHQL + ["duplic", "repeat"],
    "graphql_brute_force": LOGINS + ["batch", "alias"],
}
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
        label["actors"] = sorted({name.lower() for name in label["actor_ips"] + label["actor_users"] + label.get("token_sha256_16", [])})
    return found


class Finding:
    """What somebody says: who, when, what, and whether it worked."""

    def __init__(self, incident, detector, text, names, start, end, outcome=None, judges=True, places=""):
        self.incident, self.detector, self.text, self.names = incident, detector, text.lower().replace("_", "-"), names
        self.start, self.end, self.outcome, self.judges, self.places = start, end, outcome, judges, places

    def near(self, label):
        host = label.get("host", label["service"])
        if not self.judges:
            # One for a policy and a service: it stands from when it was first said.
            return label["outcome"] == "confirmed" and self.start <= label["end"] + SLACK and host in self.places
        if self.end < label["start"] - 5 or self.start > label["end"] + SLACK:
            return False
        if label["actors"]:
            return not self.names.isdisjoint(label["actors"])
        return host in self.places

    def names_kind(self, label):
        return any(word in self.text for word in WORDS.get(label["kind"], [label["kind"].replace("_", "-")]))

    def in_category(self, label):
        return label["owasp"].lower() in self.text


def findings(path):
    return [of_event(event, number) for number, event in enumerate(rows(path)) if event.get("class_uid") in (2004, 2006, 2007)]


def scalars(node, keys, inside=False):
    """Every scalar below one of these keys."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from scalars(value, keys, inside or key in keys)
    elif isinstance(node, list):
        for value in node:
            yield from scalars(value, keys, inside)
    elif inside and node is not None:
        yield str(node).lower()


def of_event(event, number):
    extra, info = event.get("unmapped") or {}, event.get("finding_info") or {}
    detector = str(extra.get("detector") or (info.get("analytic") or {}).get("name") or "")
    said = [detector, info.get("title", ""), *(info.get("types") or []), extra.get("owasp") or ""]
    who = [event.get("actor"), event.get("src_endpoint"), event.get("evidences"), extra.get("actor"), extra.get("actors")]
    # The server's address stands beside the client's.
    servers = set(scalars([evidence.get("dst_endpoint") for evidence in event.get("evidences") or []], {"ip"}))
    names = set(scalars(who, {"ip", "name", "uid", "email_addr", "user", "addresses", "ips", "subject"})) - servers
    times = [event.get(key) for key in ("start_time", "end_time", "time")] + [info.get("first_seen_time"), info.get("last_seen_time")]
    stamps = [stamp / 1000 for stamp in times if stamp]
    places = json.dumps([event.get("resources"), event.get("evidences"), event.get("message"), extra.get("endpoint"), extra.get("service"), extra.get("context")])
    incident = str(extra.get("incident") or info.get("uid") or number)
    return Finding(incident, detector, " ".join(map(str, said)), names, min(stamps), max(stamps), extra.get("outcome"),
                   event.get("class_uid") == DETECTION, places)


def score(labels, said):
    """A verdict for each label, and the incidents that touch none."""
    verdicts, right = [], set()
    for label in labels:
        near = [finding for finding in said if finding.near(label)]
        right.update(finding.incident for finding in near)
        named = [finding for finding in near if finding.names_kind(label)]
        told = [finding.outcome for finding in named if finding.outcome in ORDER]
        verdicts.append({
            "named": bool(named),
            "found": bool(named) or any(finding.judges and finding.in_category(label) for finding in near),
            "outcome": max(told, key=ORDER.index, default=None),
            "delay": round(max(0.0, min(finding.start for finding in named) - label["start"]), 1) if named else None,
        })
    false = sorted({finding.incident for finding in said if finding.judges} - right)
    return Result(verdicts, false)


def outcomes(labels):
    """How many outcomes were told rightly, and how many were told."""
    told = [label for label in labels if label["tapwire"]["outcome"]]
    return sum((label["tapwire"]["outcome"] in WORKED) == (label["outcome"] == "confirmed") for label in told), len(told)


def outcome_f1(labels):
    """The mean of two F1: of attacks that worked, and of those that did not; 0 where nothing was told."""
    told = [(label["tapwire"]["outcome"] in WORKED, label["outcome"] == "confirmed") for label in labels if label["tapwire"]["outcome"]]
    scores = []
    for side in (True, False):
        true = sum(said == side == truth for said, truth in told)
        wrong = sum((said == side) != (truth == side) for said, truth in told)
        scores.append(2 * true / (2 * true + wrong) if true else 0.0)
    return sum(scores) / 2
