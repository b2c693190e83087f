#!/usr/bin/env python3
"""Holds every #include of the tree against tools/layers.txt, which explains the rules.

    tools/check_layers.py [ROOT]

Prints each breach as file:line: what is wrong, and exits 1 when there is any. Also refuses includes
that are not rooted at the project's top, name no file, or go round in a circle.
"""

import pathlib
import re
import sys

SUFFIXES = {".h", ".cc"}
FOLDERS = ["serialization", "handlers", "grid", "tools", "tests", "bench", "fuzz"]
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
# <vector>, <cstdint>: no folder, no suffix. The few C headers that have no C++ name are libs.
STANDARD = re.compile(r"^[a-z0-9_]+$")


def compile_pattern(pattern):
    """A path pattern as a regular expression: ** crosses folders, * does not."""
    out = ""
    for part in re.split(r"(\*\*|\*)", pattern):
        out += {"**": ".*", "*": "[^/]*"}.get(part, re.escape(part))
    return re.compile(out + r"\Z")


class Rules:
    """layers.txt, read."""

    def __init__(self, text):
        self.libs = []  # (pattern, lib), the first that matches wins
        self.layers = []  # (pattern, layer)
        self.allowed = {}  # layer -> names
        self.closed = []  # [patterns, libs, patterns of exceptions]
        layer = None
        for number, line in enumerate(text.splitlines(), 1):
            line = line.split("#")[0].rstrip()
            if not line:
                continue
            head, _, tail = line.strip().partition(":")
            words = tail.split()
            if head.startswith("lib "):
                self.libs += [(compile_pattern(w), head[4:].strip()) for w in words]
            elif head.startswith("layer "):
                layer = head[6:].strip()
                self.allowed.setdefault(layer, set())
                self.layers += [(compile_pattern(w), layer) for w in words]
            elif head == "may include" and layer:
                self.allowed[layer].update(words)
            elif head.startswith("closed "):
                self.closed.append([[compile_pattern(w) for w in head.split()[1:]], set(), []])
            elif head == "never reaches" and self.closed:
                self.closed[-1][1].update(words)
            elif head == "except" and self.closed:
                self.closed[-1][2].extend(compile_pattern(w) for w in words)
            else:
                raise SystemExit(f"layers.txt:{number}: not understood: {line.strip()}")
        known = {lib for _, lib in self.libs} | set(self.allowed) | {"*"}
        named = set().union(*self.allowed.values(), *(libs for _, libs, _ in self.closed))
        if named - known:
            raise SystemExit(f"layers.txt: names nothing: {', '.join(sorted(named - known))}")

    def layer_of(self, path):
        return next((name for pattern, name in self.layers if pattern.match(path)), None)

    def lib_of(self, header):
        if STANDARD.match(header):
            return "std"
        return next((name for pattern, name in self.libs if pattern.match(header)), None)

    def allows(self, layer, target):
        allowed = self.allowed[layer]
        return target in (layer, "std") or target in allowed or "*" in allowed


def read_tree(root):
    """{path: [(line, quote, name)]} for every source file."""
    files = {}
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in SUFFIXES and path.is_file():
                lines = path.read_text(encoding="utf-8").splitlines()
                found = ((n, INCLUDE.match(line)) for n, line in enumerate(lines, 1))
                files[path.relative_to(root).as_posix()] = [(n, *m.groups()) for n, m in found if m]
    return files


def check_direct(rules, files):
    for path, includes in files.items():
        layer = rules.layer_of(path)
        if layer is None:
            yield f"{path}:1: belongs to no layer of layers.txt"
            continue
        for line, quote, name in includes:
            if name in files:
                target = rules.layer_of(name)
            elif quote == '"' and not name.startswith("absl/"):
                yield f'{path}:{line}: "{name}" names no file from the top of the project'
                continue
            else:
                target = rules.lib_of(name)
                if target is None and "*" in rules.allowed[layer]:
                    continue
            if target is None:
                yield f"{path}:{line}: <{name}> belongs to no lib of layers.txt"
            elif not rules.allows(layer, target):
                yield f"{path}:{line}: {layer} may not include {target} ({name})"


def check_closed(rules, files):
    for patterns, banned, exceptions in rules.closed:
        for start in files:
            if not any(pattern.match(start) for pattern in patterns):
                continue
            if any(pattern.match(start) for pattern in exceptions):
                continue
            came_from, queue = {start: None}, [start]
            for path in queue:
                for _, _, name in files[path]:
                    if name in came_from:
                        continue
                    came_from[name] = path
                    if name in files:
                        queue.append(name)
                    elif rules.lib_of(name) in banned:
                        chain = [name]
                        while came_from[chain[-1]] is not None:
                            chain.append(came_from[chain[-1]])
                        yield f"{start}:1: pulls in {' <- '.join(chain)}"


def check_circles(files):
    """Each circle once, found by walking depth first."""
    state = {}  # path -> "open" while on the current walk, then "done"

    def walk(path, trail):
        state[path] = "open"
        for line, _, name in files[path]:
            if state.get(name) == "open":
                circle = trail[trail.index(name):] + [name]
                yield f"{path}:{line}: includes go round in a circle: {' -> '.join(circle)}"
            elif name in files and name not in state:
                yield from walk(name, trail + [name])
        state[path] = "done"

    for path in files:
        if path not in state:
            yield from walk(path, [path])


def main():
    here = pathlib.Path(__file__).resolve().parent
    root = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else here.parent
    rules = Rules((root / "tools" / "layers.txt").read_text(encoding="utf-8"))
    files = read_tree(root)
    if not files:
        raise SystemExit(f"no sources below {root}")
    breaches = [*check_direct(rules, files), *check_closed(rules, files), *check_circles(files)]
    for breach in breaches:
        print(breach)
    print(f"{len(files)} files, {sum(map(len, files.values()))} includes, {len(breaches)} breaches")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
