#!/usr/bin/env python3
"""Turns incidents into a file of nginx `deny` lines that end by themselves.

    nginx-deny.py --file /etc/nginx/tapwire.deny --secret-file /etc/tapwire/webhook.secret \\
        --listen 127.0.0.1:8480 --reload 'nginx -s reload'
    tapwire replay -q --only incidents --events - day.pcap | nginx-deny.py --file tapwire.deny

The first receives signed webhooks; the second reads incidents as JSON lines. nginx reads the file with `include`, in `http`,
`server` or `location`. It is written beside and renamed, so that nginx never reads half of it.

An address is denied where an incident suggests `block-address`, is bad enough (--at-least), and nobody honest is known to be
hit (--also-honest takes the others, too). Its time counts from the end of the incident, not from when it was told: a
webhook that somebody recorded and sends again changes nothing. Networks of --never are never denied.
"""

import argparse
import hashlib
import hmac
import http.server
import ipaddress
import json
import os
import shlex
import subprocess
import sys
import threading
import time

LEVELS = ["informational", "low", "medium", "high", "critical"]
MOST_BYTES = 1 << 20
MOST_ENTRIES = 10_000


def is_ours(body, header, secret):
    expected = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), (header or "").encode())


class Denied:
    """The file: an address a line, until when, and for which incident."""

    def __init__(self, options):
        self.options = options
        self.lock = threading.Lock()
        self.never = [ipaddress.ip_network(one) for one in options.never]

    def read(self):
        entries = {}
        try:
            lines = open(self.options.file, encoding="ascii").read().splitlines()
        except FileNotFoundError:
            return entries
        for line in lines:
            words = line.split()
            if len(words) == 5 and words[0] == "deny":
                entries[words[1].rstrip(";")] = (int(words[3].removeprefix("until=")), words[4])
        return entries

    def wanted(self, event):
        """Addresses that the event wants denied, until when, and for which incident."""
        options, extra = self.options, event.get("unmapped", {})
        bad = LEVELS.index(event.get("severity", "Low").lower()) >= LEVELS.index(options.at_least)
        if event.get("class_uid") != 2005 or not bad:
            return [], 0, ""
        until = int(event["end_time"]) // 1000 + int(options.hours * 3600)
        addresses = []
        for one in extra.get("suggestions", []):
            honest = one.get("honest_callers") != "none-known"
            if one.get("action") == "block-address" and (options.also_honest or not honest):
                addresses += one.get("target", {}).get("addresses", [])
        return addresses, until, str(int(extra["incident"], 16))

    def add(self, event):
        addresses, until, incident = self.wanted(event)
        with self.lock:
            entries = self.read()
            for text in addresses:
                address = ipaddress.ip_address(text)
                if any(address in network for network in self.never):
                    continue
                known = entries.get(str(address), (0, ""))
                entries[str(address)] = max(known, (until, f"incident={int(incident):032x}"))
            self.write(entries)

    def sweep(self):
        with self.lock:
            self.write(self.read())

    def write(self, entries):
        now = time.time()
        kept = sorted((until, address, why) for address, (until, why) in entries.items() if until > now)
        # Where there is no room, those stay that last longest.
        lines = [f"deny {address}; # until={until} {why}\n" for until, address, why in kept[-MOST_ENTRIES:]]
        text = "".join(lines)
        path = self.options.file
        if os.path.exists(path) and open(path, encoding="ascii").read() == text:
            return
        beside = f"{path}.new"
        with open(beside, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
        if self.options.reload:
            subprocess.run(shlex.split(self.options.reload), check=False)


def receiver(denied, secret):
    class Receiver(http.server.BaseHTTPRequestHandler):
        timeout = 30

        def do_POST(self):
            told = self.headers.get("Content-Length") or ""
            length = int(told) if told.isdecimal() and len(told) < 10 else 0
            if not 0 < length <= MOST_BYTES:
                return self.answer(413)
            body = self.rfile.read(length)
            if not is_ours(body, self.headers.get("X-Tapwire-Signature"), secret):
                return self.answer(403)
            try:
                denied.add(json.loads(body))
            except (ValueError, KeyError, TypeError, AttributeError):
                return self.answer(422)
            except OSError as error:
                # Tapwire keeps the event and sends it again.
                print(f"nginx-deny: {error}", file=sys.stderr, flush=True)
                return self.answer(503)
            return self.answer(204)

        def answer(self, status):
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    return Receiver


def serve(options, denied):
    secret = open(options.secret_file, "rb").read().strip()
    if not secret:
        sys.exit(f"nginx-deny: {options.secret_file} is empty")
    host, _, port = options.listen.rpartition(":")
    server = http.server.ThreadingHTTPServer((host.strip("[]"), int(port)), receiver(denied, secret))
    print(f"listening on {host}:{server.server_address[1]}", flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while True:
        denied.sweep()
        time.sleep(60)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", required=True, help="what nginx includes")
    parser.add_argument("--hours", type=float, default=4, help="how long an address is denied (4)")
    parser.add_argument("--at-least", choices=LEVELS, default="high", help="the least severity (high)")
    parser.add_argument("--also-honest", action="store_true", help="also where honest callers would be hit, or nobody counted")
    parser.add_argument("--never", action="append", default=[], metavar="NETWORK", help="is never denied; repeatable")
    parser.add_argument("--reload", help="what to run when the file has changed")
    parser.add_argument("--listen", metavar="HOST:PORT", help="receive webhooks, instead of lines on standard input")
    parser.add_argument("--secret-file", help="the secret of the webhooks")
    options = parser.parse_args()
    denied = Denied(options)
    if options.listen:
        if not options.secret_file:
            parser.error("--listen needs --secret-file")
        serve(options, denied)
    for line in sys.stdin:
        denied.add(json.loads(line))
    denied.sweep()


if __name__ == "__main__":
    main()
