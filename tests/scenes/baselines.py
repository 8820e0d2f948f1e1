"""What simple rules find, on labels of requests alone: as gateways and log searches are often set up.

counting: more than 50 distinct objects from one address in five minutes.
thresholds: fixed numbers of failed logins, refusals, missing pages, sign-ups and requests from one address in five minutes."""

import collections

import score

WINDOW = 300
OBJECTS = 50
# What is counted, and above which number in five minutes; `families.json` says which kinds each stands for.
LIMITS = {"failed-logins": 10, "refusals": 20, "missing": 30, "sign-ups": 10, "requests": 300}
LOGINS = ("/login", "/session")
SIGN_UPS = ("/api/v1/users", "/api/customers", "/v2/patients", "/v1/signups")

Rules = collections.namedtuple("Rules", "counting thresholds benign")


def what(row):
    """The counters that a request adds to."""
    path, status = row["path"].split("?")[0], row["status"]
    yield "requests"
    if row["method"] == "POST" and path.endswith(LOGINS) and status == 401:
        yield "failed-logins"
    elif status in (401, 403, 405):
        yield "refusals"
    elif status == 404:
        yield "missing"
    if row["method"] == "POST" and path in SIGN_UPS:
        yield "sign-ups"


class Alarms:
    """One alarm for an address and a rule; it lasts while the rule fires, with breaks of half an hour at most."""

    def __init__(self):
        self.open, self.all = {}, []

    def add(self, rule, address, start, now):
        last = self.open.get((rule, address))
        if last and now - last.end < 1800:
            last.end = now
            return
        number = f"{rule}-{len(self.all)}"
        self.open[rule, address] = score.Finding(number, rule, start, now, addresses={address})
        self.all.append(self.open[rule, address])


def run(rows):
    counting, thresholds, benign = Alarms(), Alarms(), 0
    seen, events = collections.defaultdict(collections.deque), collections.defaultdict(collections.deque)
    for row in rows:
        if row.get("knock"):
            continue
        now, address = row["time"], row["client_ip"]
        benign += not row["label"]
        if row.get("object"):
            count_objects(counting, seen[address], row["object"], address, now)
        for name in what(row):
            times = events[name, address]
            times.append(now)
            while now - times[0] > WINDOW:
                times.popleft()
            if len(times) > LIMITS[name]:
                thresholds.add(name, address, times[0], now)
    return Rules(counting.all, thresholds.all, benign)


def count_objects(alarms, window, thing, address, now):
    window.append((now, thing))
    while now - window[0][0] > WINDOW:
        window.popleft()
    if len(window) > OBJECTS and len({thing for _, thing in window}) > OBJECTS:
        alarms.add("distinct-objects", address, window[0][0], now)
