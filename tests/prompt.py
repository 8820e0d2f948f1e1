"""Talks with a program on a terminal of its own: `prompt.py LINES PROGRAM ARGUMENT…`.

LINES is a list of pairs: what is typed, and what is then waited for, and after it, where one was sent off, for the next
prompt: what is typed while the program is not reading a line may be lost to it, as on any terminal. What the program writes
goes to standard output.
"""

import json
import os
import pty
import re
import select
import sys
import time

# Longer than any machine takes that still works.
PATIENCE = 60
# A prompt on a line of its own with nothing typed behind it.
PROMPT = rb"tapwire> "
ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\r")


def main():
    lines = json.loads(sys.argv[1])
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.argv[2], sys.argv[2:])
    seen = b""

    def wait_until(reached, what):
        nonlocal seen
        until = time.monotonic() + PATIENCE
        while not reached():
            if time.monotonic() > until:
                sys.exit(f"{what!r} did not come: {seen.decode(errors='replace')}")
            ready, _, _ = select.select([terminal], [], [], 1)
            if ready:
                try:
                    seen += os.read(terminal, 4096)
                except OSError:
                    sys.exit(f"it ended before {what!r}: {seen.decode(errors='replace')}")

    def prompted(begin):
        # Before anything is typed there is no line to end.
        _, ended, last = (b"\n" + seen if begin == 0 else seen[begin:]).rpartition(b"\n")
        return bool(ended) and ESCAPES.sub(b"", last) == PROMPT

    wait_until(lambda: prompted(0), "the prompt")
    for typed, expected in lines:
        begin = len(seen)
        os.write(terminal, typed.encode())
        wait_until(lambda: expected.encode() in seen[begin:], expected)
        if expected and typed.endswith("\r"):
            wait_until(lambda: prompted(begin), "the prompt")
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
