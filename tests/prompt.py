"""Talks with a program on a terminal of its own: `prompt.py LINES PROGRAM ARGUMENT…`.

LINES is a list of pairs: what is typed, and what is then waited for. What the program writes goes to standard output.
"""

import json
import os
import pty
import select
import sys
import time

# Longer than any machine takes that still works.
PATIENCE = 60


def main():
    lines = json.loads(sys.argv[1])
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.argv[2], sys.argv[2:])
    seen = b""

    def wait_for(text, begin):
        nonlocal seen
        until = time.monotonic() + PATIENCE
        while text.encode() not in seen[begin:]:
            if time.monotonic() > until:
                sys.exit(f"{text!r} did not come: {seen.decode(errors='replace')}")
            ready, _, _ = select.select([terminal], [], [], 1)
            if ready:
                try:
                    seen += os.read(terminal, 4096)
                except OSError:
                    sys.exit(f"it ended before {text!r}: {seen.decode(errors='replace')}")

    wait_for("tapwire> ", 0)
    for typed, expected in lines:
        begin = len(seen)
        os.write(terminal, typed.encode())
        wait_for(expected, begin)
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    sys.stdout.write(seen.decode(errors="replace"))
    _, status = os.waitpid(child, 0)
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
