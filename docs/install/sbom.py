#!/usr/bin/env python3
"""Writes what a tapwire is made of, as CycloneDX 1.5, from Cargo.lock alone: the same tree gives the same bytes.

    docs/install/sbom.py --features sigma,lake > tapwire.cdx.json
"""

import argparse
import hashlib
import json
import subprocess
import tomllib
import uuid
from datetime import datetime, timezone
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
# What is linked and comes with the machine.
SYSTEM = {"type": "library", "name": "libpcap", "bom-ref": "pkg:generic/libpcap", "purl": "pkg:generic/libpcap",
          "description": "packets; of the system, not of this package"}


def run(*command):
    return subprocess.run(command, cwd=TREE, check=True, capture_output=True, text=True).stdout


def metadata(features, target):
    features = ",".join(f"tapwire/{name}" for name in features.split(",") if name)
    return json.loads(run("cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target,
                          "--features", features))


def reachable(resolved, root):
    """Packages that are built into the program, each with those it needs; what only tests need is none of it."""
    nodes = {node["id"]: node for node in resolved["nodes"]}
    needs, waiting = {}, [root]
    while waiting:
        package = waiting.pop()
        if package in needs:
            continue
        linked = [one["pkg"] for one in nodes[package]["deps"] if any(kind["kind"] is None for kind in one["dep_kinds"])]
        needs[package] = sorted(linked)
        waiting.extend(linked)
    return needs


def sums():
    lock = tomllib.loads((TREE / "Cargo.lock").read_text())
    return {(one["name"], one["version"]): one.get("checksum") for one in lock["package"]}


def component(package, checksums):
    purl = f"pkg:cargo/{package['name']}@{package['version']}"
    found = {"type": "library", "bom-ref": purl, "name": package["name"], "version": package["version"], "purl": purl}
    if package["license"]:
        found["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    if checksum := checksums.get((package["name"], package["version"])):
        found["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if (package["repository"] or "").startswith("https://"):
        found["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return found


def bom(features, target):
    about = metadata(features, target)
    packages = {package["id"]: package for package in about["packages"]}
    root = next(package["id"] for package in packages.values() if package["name"] == "tapwire")
    needs, checksums = reachable(about["resolve"], root), sums()
    made = {package: component(packages[package], checksums) for package in needs}
    own = made.pop(root)
    depends = [{"ref": (made.get(package) or own)["bom-ref"],
                "dependsOn": sorted(made[one]["bom-ref"] for one in linked)} for package, linked in needs.items()]
    next(one for one in depends if one["ref"] == own["bom-ref"])["dependsOn"].append(SYSTEM["bom-ref"])
    parts = sorted([*made.values(), SYSTEM], key=lambda part: part["bom-ref"])
    depends.append({"ref": SYSTEM["bom-ref"], "dependsOn": []})
    content = json.dumps([own, parts], sort_keys=True).encode()
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, hashlib.sha256(content).hexdigest())}",
        "version": 1,
        "metadata": {
            "timestamp": committed(),
            "component": own | {"type": "application"},
            "properties": [{"name": "tapwire:features", "value": features}, {"name": "tapwire:target", "value": target},
                           {"name": "tapwire:lock-sha256", "value": hashlib.sha256((TREE / "Cargo.lock").read_bytes()).hexdigest()}],
        },
        "components": parts,
        "dependencies": sorted(depends, key=lambda one: one["ref"]),
    }


def committed():
    """When the tree was committed; without its history, a day that is the same for everybody."""
    try:
        seconds = int(run("git", "log", "-1", "--format=%ct").strip() or 0)
    except (OSError, subprocess.CalledProcessError):
        seconds = 0
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--features", default="sigma,lake")
    parser.add_argument("--target", default=None)
    options = parser.parse_args()
    host = next(line.removeprefix("host: ") for line in run("rustc", "-vV").splitlines() if line.startswith("host: "))
    print(json.dumps(bom(options.features, options.target or host), indent=1))


if __name__ == "__main__":
    main()
