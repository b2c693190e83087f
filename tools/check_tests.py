#!/usr/bin/env python3
"""Refuses real time, threads and sockets in the tests that must do without.

    tools/check_tests.py [ROOT]

tests/unit, tests/scenario and tests/regress run on a virtual clock and in memory, so that they are
quick and every failure repeats. What needs the real thing belongs into tests/live.
"""

import pathlib
import re
import sys

FOLDERS = ["tests/unit", "tests/scenario", "tests/regress"]
REFUSED = [
    ("sleeps", r"\b(sleep_for|sleep_until|usleep|nanosleep|clock_nanosleep)\b|\b(?<![.>])sleep\s*\("),
    ("reads a real clock", r"\b(system_clock|steady_clock|high_resolution_clock|utc_clock)::now\b"),
    ("reads a real clock", r"\b(clock_gettime|gettimeofday|GetCurrentTimeNanos|absl::Now)\b"),
    # A timer that never expires is how a coroutine waits to be woken, and no time.
    ("waits on a real timer", r"\bexpires_(after|at|from_now)\s*\((?!.*\bmax\(\))"),
    ("waits on a real timer", r"\b(steady|system|deadline)_timer\s+\w+[({][^;]*,(?!.*\bmax\(\))"),
    ("starts a thread", r"\bstd::(thread|jthread|async)\b|\bpthread_create\b|\bthread_pool\b"),
    ("starts a process", r"\b(fork|vfork|posix_spawnp?|popen)\s*\(|\bstd::system\b"),
    ("opens a socket", r"\bip::(tcp|udp)\b|\blocal::(stream|datagram)_protocol\b|\bsocketpair\b"),
    ("opens a socket", r"(?<![\w.>])(::)?(socket|bind|listen|accept4?)\s*\(\s*(AF_|PF_|fd)"),
    ("includes sockets", r"#\s*include\s*<(sys/socket\.h|netinet/|boost/beast|boost/asio/ip/)"),
]
PATTERNS = [(why, re.compile(pattern)) for why, pattern in REFUSED]
# Comments and literals may speak of anything. Raw strings first: they may hold quotes.
SKIPPED = re.compile(
    r'R"(?P<tag>[^()\\\s]{0,16})\(.*?\)(?P=tag)"'
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'(?:[^'\\\n]|\\.[^'\n]*)'"
    r"|//[^\n]*|/\*.*?\*/",
    re.DOTALL,
)


def code_lines(text):
    """The lines of the text with comments and string literals blanked out."""
    return SKIPPED.sub(lambda m: "\n" * m.group().count("\n"), text).split("\n")


def main():
    here = pathlib.Path(__file__).resolve().parent
    root = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else here.parent
    count, breaches = 0, 0
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in {".h", ".cc"}:
                continue
            count += 1
            for number, line in enumerate(code_lines(path.read_text(encoding="utf-8")), 1):
                for why, pattern in PATTERNS:
                    if pattern.search(line):
                        print(f"{path.relative_to(root)}:{number}: {why}: {line.strip()}")
                        breaches += 1
    print(f"{count} files, {breaches} breaches")
    return 1 if breaches or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
