#!/usr/bin/env python3
"""Makes labelled exchanges: pip install python-stdnum==2.2; python3 generate.py tuning|held-out > FILE.jsonl"""

import json
import re
import sys
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

from templates import HELD_OUT, TUNING
from values import Values

CLASSES = {"card_grouped": "card", "phone_local": "phone", "first_name": "person-name", "geo_pair": "geo"}
SEEDS = {"tuning": range(100, 106), "held-out": range(31000, 31006)}


def class_of(name):
    return CLASSES.get(name, name.replace("_", "-"))


class Document:
    def __init__(self, seed):
        self.values, self.truth = Values(seed), []

    def leaf(self, text, where):
        make = lambda name: getattr(self.values, name)()
        if text.startswith("?off:"):
            return self.values.off(text[5:])
        if text.startswith("?"):
            return make(text[1:])
        if text.startswith("!"):
            self.truth.append([class_of(text[1:]), where])
            return make(text[1:])
        if text.startswith("~"):
            self.truth += [[class_of(name), where] for name in re.findall(r"{(\w+)}", text)]
            return re.sub(r"{(\w+)}", lambda found: make(found[1]), text[1:])
        return text

    def tree(self, spec, where):
        if isinstance(spec, dict):
            return {key: self.tree(value, f"{where}.{key}") for key, value in spec.items()}
        if isinstance(spec, list):
            return [self.tree(value, where + "[]") for value in spec]
        value = self.leaf(spec, where)
        # Numbers are numbers half of the time.
        plain = value.isdigit() and not value.startswith("0") and len(value) < 17
        return int(value) if plain and self.values.r.random() < 0.5 else value


def xml(tree):
    if isinstance(tree, dict):
        return "".join(f"<{key}>{xml(value)}</{key}>" for key, value in tree.items())
    return escape(str(tree))


def exchange(kind, spec, seed):
    document = Document(seed)
    method, target, headers, asked, answer, answer_type = "GET", "/v1/things/17", {}, "", '{"ok":true}', "application/json"
    if kind == "json" and seed % 2:
        method, asked = "POST", json.dumps(document.tree(spec, "request.body.$"), ensure_ascii=seed % 4 == 1)
        headers["Content-Type"] = "application/json"
    elif kind == "json":
        answer = json.dumps(document.tree(spec, "response.body.$"), indent=None if seed % 4 else 2)
    elif kind == "form":
        fields = {key: document.leaf(value, f"request.body.$.{key}") for key, value in spec.items()}
        method, asked = "POST", "&".join(f"{key}={quote_plus(value)}" for key, value in fields.items())
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    elif kind == "xml":
        answer, answer_type = xml(document.tree(spec, "response.body.$")), "application/xml"
    elif kind == "headers":
        headers.update({key: document.leaf(value, f"request.header.{key.lower()}") for key, value in spec.items()})
    elif kind == "query":
        fields = {key: document.leaf(value, f"request.query.{key}") for key, value in spec.items()}
        target += "?" + "&".join(f"{key}={quote(value)}" for key, value in fields.items())
    elif kind == "path":
        target = "/v1/" + "/".join(quote(document.leaf(value, f"request.path.{at + 1}")) for at, value in enumerate(spec))
    request = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
    return {"method": method, "target": target, "headers": request, "request": asked, "type": answer_type, "response": answer,
            "truth": sorted(map(list, {tuple(pair) for pair in document.truth}))}


def main():
    half = sys.argv[1]
    templates = {"tuning": TUNING, "held-out": HELD_OUT}[half]
    for seed in SEEDS[half]:
        for number, (kind, spec) in enumerate(templates):
            print(json.dumps({"template": number, "seed": seed, **exchange(kind, spec, seed * 1000 + number * 3 + seed)}, ensure_ascii=False))


if __name__ == "__main__":
    main()
