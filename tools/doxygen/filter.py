#!/usr/bin/env python3
"""Doxygen's INPUT_FILTER: plain // comments as documentation, so that headers need no other kind;
and headings of Markdown with the anchors that links within a document use.

    tools/doxygen/filter.py FILE        prints the file as Doxygen is to read it

The comment at the head of a file becomes the file's, one directly before a declaration becomes the
declaration's, and one behind a member becomes the member's. Lines indented by two or more spaces
within a comment are code, unless they go on with a list. What stands in the body of a function stays
as it is, and so does the number of lines.
"""

import os
import re
import sys

SCOPE = re.compile(r"\b(namespace|class|struct|union|enum)\b")
LITERAL = re.compile(r"R\"\((?:.*?)\)\"|\"(?:[^\"\\]|\\.)*\"|(?<![0-9a-fA-F])'(?:[^'\\]|\\.)+'")
LIST_ITEM = re.compile(r"\s*([-*+]|[0-9]+[.)])\s")


def split(line):
    """A line's code, literals blanked out, and where its // comment begins, or -1."""
    blank = LITERAL.sub(lambda m: "_" * len(m.group()), line)
    at = blank.find("//")
    return (blank if at < 0 else blank[:at]), at


def escape(text):
    """Text as Doxygen and Markdown print it, but for what stands in backticks."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(p if p.startswith("`") else re.sub(r"([\\@<>#&|*\"%\[\]])", r"\\\1", p) for p in parts)


def documentation(comment):
    """The lines of a comment, without //, as Doxygen's; as many lines as there were."""
    out, code, listed = [], False, False
    for index, line in enumerate(comment):
        text = line.strip()
        indented = line.startswith("   ") and not listed
        if text and indented and not code:
            code = True
            # No line may be added: the command goes to the end of the one before, or of this.
            if out:
                out[-1] += r" \code{.cpp}"
            else:
                out.append(r"\code{.cpp} " + text)
                continue
        elif code and text and not indented:
            code = False
            out[-1] += r" \endcode"
        item = LIST_ITEM.match(line) is not None
        listed = (listed and bool(text) and line.startswith("   ")) or (item and not code)
        out.append(line if code else escape_line(line, item))
    if code:
        out[-1] += r" \endcode"
    return out


def escape_line(line, item):
    """As escape(), but a list keeps its bullet."""
    if not item:
        return escape(line)
    bullet = LIST_ITEM.match(line).group()
    return bullet + escape(line[len(bullet) :])


class Scopes:
    """Follows the braces: whether a line stands among declarations."""

    def __init__(self):
        self.open = []
        self.statement = ""

    def declares(self):
        return not self.open or all(kind != "body" for kind in self.open)

    def inside_enum(self):
        return bool(self.open) and self.open[-1] == "enum"

    def between_statements(self):
        return not self.statement.strip() or self.inside_enum()

    def read(self, code):
        if code.lstrip().startswith("#"):
            return
        for char in code:
            if char == "{":
                words = re.sub(r"\btemplate\s*<[^{]*?>\s*(?=class|struct)", "", self.statement)
                scope = SCOPE.search(words) if "(" not in words or "alignas" in words else None
                self.open.append(scope.group() if scope else "body")
                self.statement = ""
            elif char == "}":
                if self.open:
                    self.open.pop()
                self.statement = ""
            elif char == ";":
                self.statement = ""
            else:
                self.statement += char
        self.statement = re.sub(r"\b(public|protected|private):", "", self.statement) + " "


def convert(lines):
    out, scopes, index = [], Scopes(), 0
    while index < len(lines):
        line = lines[index]
        code, at = split(line)
        if at < 0 or code.strip():
            text = line
            scopes.read(code)
            ends = code.rstrip().endswith((";", ",")) or scopes.inside_enum()
            plain = not code.lstrip().startswith(("}", "#")) and not code.rstrip().endswith("{")
            if at >= 0 and ends and plain and scopes.declares() and scopes.between_statements():
                text = line[:at] + "///< " + escape(line[at + 2 :].strip())
            out.append(text)
            index += 1
            continue
        # A comment on lines of its own.
        end = index
        while end < len(lines) and lines[end].lstrip().startswith("//"):
            end += 1
        comment = [text.lstrip()[2:] for text in lines[index:end]]
        indent = line[: len(line) - len(line.lstrip())]
        follows = lines[end].strip() if end < len(lines) else ""
        if index == 0:
            out += ["///" + text for text in documentation(comment)]
            out[-1] += " \\file"
        elif (
            follows
            and not follows.startswith(("#", "}", "public:", "private:", "protected:"))
            and scopes.declares()
            and scopes.between_statements()
        ):
            out += [indent + "///" + text for text in documentation(comment)]
        else:
            out += lines[index:end]
        index = end
    return out


def anchor(file, heading):
    """The name of a heading, the same that GitHub gives it, but one for all documents."""
    name = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
    return re.sub(r"\W", "-", file).lower() + "-" + name


def convert_markdown(file, lines):
    out, fenced = [], False
    for line in lines:
        fenced ^= line.startswith("```")
        if not fenced:
            heading = re.match(r"##+ (.*)", line)
            if heading:
                line += " {#" + anchor(file, heading.group(1)) + "}"
            line = re.sub(r"\]\(#([\w-]+)\)", lambda m: f"](#{anchor(file, m.group(1))})", line)
        out.append(line)
    return out


def main():
    path = sys.argv[1]
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    markdown = path.endswith(".md")
    lines = convert_markdown(os.path.relpath(path), lines) if markdown else convert(lines)
    print("\n".join(lines), end="")


if __name__ == "__main__":
    main()
