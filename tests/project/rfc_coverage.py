#!/usr/bin/env python3
"""Writes docs/rfc.md: every cited section of an RFC, the code that cites it, the tests that show it.

A citation is `RFC 9051 §6.4.6`, more sections of the same RFC may follow (`, §6.4.7`), and
`Appendix A` stands for a section too, `§6.3.4 to §6.3.6` for all three. Where the RFC's text is at hand (../shared/rfc), a section that
it does not have is an error.
"""

import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXTS = ROOT.parent / "shared" / "rfc"
PAGE = ROOT / "docs" / "rfc.md"
# Where citations count; docs/rfc.md itself is not read.
SOURCES = [("crates", "*.rs"), ("crates", "*.txt"), ("fuzz/src", "*.rs"), ("fuzz/tests", "*.rs"),
           ("tests", "*.py")]
# Of these IMAP sections the page says which no transcript shows.
WATCHED = {"9051": ("6", "7")}

# A citation may go on in the next line of a comment.
GAP = r"(?:\s|\n\s*(?://[/!]?|#)\s*)+"
SECTION = r"(?:§\s?|Appendix" + GAP + r")([0-9]+(?:\.[0-9]+)*|[A-Z](?:\.[0-9]+)*)\b"
CITATION = re.compile(r"RFC" + GAP + r"([0-9]{3,5})\b"
                      r"((?:(?:,|;)?" + GAP + r"(?:(?:and|or|to)" + GAP + r")?" + SECTION + r")*)")
# A heading: `6.4.6.  FETCH`, `Appendix A.  Title`, `A.1  Title`.
HEADING = re.compile(r"^#*\s?(?:Appendix\s+)?([0-9]+(?:\.[0-9]+)*|[A-Z](?:\.[0-9]+)*)[.:]?[ \t]+"
                     r"(?:[-—]+\s+)?(\S.*)$", re.IGNORECASE)

REMARKS = "## Remarks"

Citation = collections.namedtuple("Citation", "rfc section path line")


def sections_in(text):
    """The sections named; `§6.3.4 to §6.3.6` names those between as well."""
    found = []
    for match in re.finditer(r"(to" + GAP + r")?" + SECTION, text):
        section = match[2]
        if match[1] and found:
            (first_in, _, first), (last_in, _, last) = found[-1].rpartition("."), section.rpartition(".")
            if first_in == last_in and first.isdigit() and last.isdigit():
                between = range(int(first) + 1, int(last))
                found += [f"{first_in}.{number}".strip(".") for number in between]
        found.append(section)
    return found


def citations_in(text, path):
    """Every section cited, and the RFC as a whole (section "") where none is named."""
    for match in CITATION.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        for section in sections_in(match[2]) or [""]:
            yield Citation(match[1], section, path, line)


def files():
    own = pathlib.Path(__file__).resolve()
    for directory, pattern in SOURCES:
        for path in sorted((ROOT / directory).rglob(pattern)):
            if path.resolve() != own and path.name != "test_rfc.py":
                yield path


def citations():
    return [found for path in files()
            for found in citations_in(path.read_text(errors="replace"),
                                      path.relative_to(ROOT).as_posix())]


def headings(text):
    """Section to title; of several the last, which is past the table of contents."""
    found = {}
    for line in text.splitlines():
        match = HEADING.match(line)
        if match and not re.search(r"\.{4,}|(?: \.){3,}", line):
            found[match[1].upper()] = match[2].strip()
    return found


def texts():
    """RFC to its sections, for those whose text is at hand."""
    return {path.stem.removeprefix("rfc"): headings(path.read_text(errors="replace"))
            for path in TEXTS.glob("rfc*.txt")}


def faults(cited, known):
    """Citations of sections that do not exist."""
    return [f"{c.path}:{c.line}: RFC {c.rfc} has no section {c.section}"
            for c in cited if c.section and c.rfc in known and c.section not in known[c.rfc]]


def kind(path):
    if "/transcripts/" in path:
        return "transcripts"
    if path.startswith("tests/") or "/tests/" in path or path.endswith("/tests.rs"):
        return "tests"
    return "code"


def order(section):
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part)
            for part in section.split(".")] if section else []


def written_titles(page):
    """RFC and section to the title that the page has, for when the texts are not at hand."""
    titles, rfc = {}, None
    for line in page.splitlines():
        if line.startswith("## RFC "):
            rfc = line.removeprefix("## RFC ").strip()
        elif rfc and (match := re.match(r"\| §(\S+) (.*?) \| ", line)):
            titles[rfc, match[1]] = match[2]
    return titles


def name(path):
    """How the page calls a file: transcripts by protocol, code without the common parts."""
    path = path.replace("crates/server/tests/transcripts/", "")
    return path.removeprefix("crates/").replace("/src/", "/").removesuffix(".txt")


def page(cited, known, old=""):
    """The whole page; what only the texts tell is taken from the old page when they are not at hand."""
    titles = written_titles(old)
    rows = collections.defaultdict(lambda: collections.defaultdict(set))
    for c in cited:
        rows[c.rfc, c.section][kind(c.path)].add(name(c.path))
    lines = [
        "# RFC coverage", "",
        "Which code and which tests cite which section. Made by `tests/project/rfc_coverage.py`, which fails",
        "on a section that does not exist; `./test` checks that this page is current.",
    ]
    previous = None
    for rfc, section in sorted(rows, key=lambda row: (int(row[0]), order(row[1]))):
        if rfc != previous:
            lines += ["", f"## RFC {rfc}", "",
                      "| section | code | transcripts | other tests |", "|---|---|---|---|"]
            previous = rfc
        title = known[rfc].get(section) if rfc in known else titles.get((rfc, section))
        shown = f"§{section} {(title or '-').replace('|', '/')}" if section else "whole"
        cells = [", ".join(sorted(rows[rfc, section][column]))
                 for column in ("code", "transcripts", "tests")]
        lines.append("| " + " | ".join([shown, *cells]) + " |")
    ending = remarks(cited, known) if known else old[old.find(REMARKS):]
    return "\n".join(lines) + "\n\n" + ending


def remarks(cited, known):
    """RFCs whose sections nobody checked, and the watched sections that no transcript cites."""
    absent = sorted({c.rfc for c in cited} - known.keys(), key=int)
    lines = [REMARKS, "", f"Not among the texts, so that their sections are not checked: {', '.join(absent)}.", "",
             "Sections of commands and responses that no transcript cites, neither whole nor in part:", ""]
    for rfc, parts in WATCHED.items():
        shown = {c.section for c in cited if c.rfc == rfc and kind(c.path) == "transcripts"}
        for section, title in sorted(known.get(rfc, {}).items(), key=lambda item: order(item[0])):
            is_shown = any(s == section or s.startswith(section + ".") for s in shown)
            if section.split(".")[0] in parts and not is_shown:
                lines.append(f"- RFC {rfc} §{section} {title}")
    return "\n".join(lines) + "\n"


def main():
    cited, known = citations(), texts()
    wrong = faults(cited, known)
    for fault in wrong:
        print(fault, file=sys.stderr)
    old = PAGE.read_text() if PAGE.exists() else ""
    PAGE.write_text(page(cited, known, old))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
