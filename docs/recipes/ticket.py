#!/usr/bin/env python3
"""Makes the body of a ticket from what Tapwire says of an incident.

    ticket.py jira.json < incident.json | curl --data @- -H 'Content-Type: application/json' ...

A template is JSON. In its texts ${/unmapped/incident} is what stands there in the event (RFC 6901), a list joined by commas, and
${/severity|High=2,*=3} is chosen by what stands there; * is anything else. A list whose only element is {"each": "/path",
"of": ...} has an element for each that stands there; in it, pointers begin at that element.
"""

import json
import re
import sys

PLACE = re.compile(r"\$\{(/[^}|]*)(?:\|([^}]*))?\}")


def at(event, pointer):
    for part in pointer.split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        if isinstance(event, list):
            event = event[int(part)] if part.isdecimal() and int(part) < len(event) else None
        else:
            event = event.get(part) if isinstance(event, dict) else None
    return event


def text(value):
    if isinstance(value, list):
        return ", ".join(text(one) for one in value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {text(one)}" for name, one in value.items())
    return "unknown" if value is None else str(value)


def place(match, event):
    value = text(at(event, match[1]))
    if match[2] is None:
        return value
    cases = dict(case.split("=", 1) for case in match[2].split(","))
    return cases.get(value, cases.get("*", value))


def render(template, event):
    if isinstance(template, str):
        return PLACE.sub(lambda match: place(match, event), template)
    if isinstance(template, dict):
        return {name: render(value, event) for name, value in template.items()}
    if isinstance(template, list):
        if len(template) == 1 and isinstance(template[0], dict) and set(template[0]) == {"each", "of"}:
            return [render(template[0]["of"], one) for one in at(event, template[0]["each"]) or []]
        return [render(one, event) for one in template]
    return template


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    json.dump(render(json.load(open(sys.argv[1], encoding="utf-8")), json.load(sys.stdin)), sys.stdout, indent=2)
    print()
