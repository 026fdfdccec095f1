#!/usr/bin/env python3
"""Measures the length, fragmentation and comments of the code in src.

    tests/shape.py [SRC]

Test code is left out: files named tests.rs or testing.rs, folders named tests, testing or contract,
and everything from the first `#[cfg(test)]` at the start of a line that opens an inline module.
"""

import re
import sys
from collections import Counter
from pathlib import Path

TEST_NAMES = {"tests", "testing", "contract", "crash", "vectors", "wycheproof"}


def product_lines(path):
    lines = path.read_text().splitlines()
    kept, skip = [], False
    for number, line in enumerate(lines):
        if line.startswith("#[cfg(test)]"):
            following = lines[number + 1] if number + 1 < len(lines) else ""
            if re.match(r"(pub(\([a-z]+\))? )?mod \w+ \{", following):
                break
            skip = True
            continue
        if skip:
            skip = not (line.rstrip().endswith(";") or line.rstrip() == "}")
            continue
        kept.append(line)
    return kept


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else "src")
    files = {}
    for path in sorted(root.rglob("*.rs")):
        names = set(path.relative_to(root).with_suffix("").parts)
        if not names & TEST_NAMES:
            files[path] = product_lines(path)
    everything = [line for lines in files.values() for line in lines]
    text = "\n".join(everything)
    literals = r"""//[^\n]*|b?'(?:\\.|[^'\\])'|b?r(#*)".*?"\1|"(?:\\.|[^"\\])*\""""
    code = re.sub(literals, "", text, flags=re.S)
    uses = Counter(re.findall(r"\b[a-z_][a-z0-9_]*\b", code))
    private = re.findall(r"^\s*(?:const |async )*fn ([a-z_0-9]+)", code, re.M)
    once = [name for name in private if uses[name] == 2 and private.count(name) == 1]
    doc = sum(1 for line in everything if re.match(r"\s*//[/!]", line))
    plain = sum(1 for line in everything if re.match(r"\s*//(?![/!])", line))
    total = len(everything)
    rows = [
        ("files", len(files)),
        ("files under 60 lines", sum(1 for lines in files.values() if len(lines) < 60)),
        ("lines", total),
        ("code lines", sum(1 for line in everything if line.strip() and not line.strip().startswith("//"))),
        ("private functions", len(private)),
        ("private functions with one caller", len(once)),
        ("doc comment lines per 1,000", round(1000 * doc / total)),
        ("plain comment lines per 1,000", round(1000 * plain / total, 1)),
        ("doc comments of three words or fewer", len(re.findall(r"^\s*/// \S+( \S+){0,2}$", text, re.M))),
        ("saturating operations", len(re.findall(r"\.saturating_", code))),
    ]
    for name, value in rows:
        print(f"{name:40} {value:>8}")


if __name__ == "__main__":
    main()
