#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Is every error raised by a test? Every text that the loader, the graph, resolving and inference
can raise, every text of an operator, and every code. What cannot be raised by a file stands in
unreached.txt with the reason.

complete.py            the test (TAP)
complete.py --list     all checks: file, name, the sentence of the design that asks for it
complete.py --missing  what no test raises, in the form of unreached.txt
"""
import os
import re
import sys

import texts

SOURCES = ("runtime/io/*.c", "runtime/graph/*.c", "runtime/op/resolve.c", "runtime/op/infer-node.c",
           "runtime/op/host.c", "runtime/base/limits.c", "runtime/pass/check.c", "runtime/pass/inline.c",
           "runtime/exec/cache.c", "runtime/exec/session.c")
OPERATORS = ("ops/**/*.c", "ops/**/*.h")
TESTS = ("tests/unit/*.c", "tests/train/*.c", "tests/cli/*.py", "tests/pairs/*.py", "tests/onnx/*.py",
         "tests/faults/*.py", "tests/faults/*.c", "tests/fuzz/*.c", "tests/abi/*.py", "tests/train/*.py")


def unreached():
    """{key: reason}."""
    out, reason = {}, None
    for line in texts.read("tests/pairs/unreached.txt").split("\n"):
        if line.startswith("= "):
            reason = line[2:]
        elif line and not line.startswith("#"):
            out[line] = reason
    return out


def raised_by_pair(site, rows):
    """A pair's text is "CODE: WHERE: WHAT"."""
    for _, _, stage, text in rows:
        code = text.split(":")[0]
        if site.codes and code not in site.codes and stage != "warns":
            continue
        match = re.search(r"(?:^|: )" + site.regex.pattern + r"(?:;.*)?$", text, re.S)
        if match:
            return True
    return False


def fragment(text):
    """The longest piece of a format without conversions."""
    return max(texts.CONVERSION.split(text.replace("%%", "%"))[::2], key=len, default="").strip(" :;,")


def raised_by_test(site, words):
    piece = fragment(site.text)
    return len(piece) >= 8 and any(piece in text for _, text in words)


def missing_sites():
    rows, words = list(texts.pair_lines()), list(texts.literals(*TESTS))
    rows += [(path, "", "", text) for path, text in words if re.match(r"[a-z]+: \S", text)]
    for site in texts.sites(*SOURCES):
        if fragment(site.text) and not raised_by_pair(site, rows) and not raised_by_test(site, words):
            yield site


def missing_operator_sites():
    rows = [(code, text) for _, code, text in texts.operator_lines()]
    more = [text.split(": ") for _, _, _, text in texts.pair_lines()]
    rows += [(parts[0], ": ".join(parts[i:])) for parts in more for i in range(1, len(parts))]
    words = list(texts.literals("tests/unit/*.c", "tests/train/*.c"))
    for site in texts.sites(*OPERATORS):
        codes = ["memory" if c == "nomem" else c for c in site.codes]
        if not any((code in codes or not codes) and site.regex.fullmatch(text) for code, text in rows) \
                and not raised_by_test(site, words):
            yield site


def missing_codes():
    names = re.findall(r"\[KETTE_ERROR_\w+\]\s*=\s*\"(\w+)\"", texts.read("runtime/base/error.c"))
    seen = {text.split(":")[0] for _, _, _, text in texts.pair_lines()}
    seen |= {code for _, code, _ in texts.operator_lines()}
    for path, text in texts.literals(*TESTS):
        seen |= set(re.findall(r"(?:^|: )(\w+): ", text))
    for folder in ("unit", "train", "faults"):
        for name in sorted(os.listdir(os.path.join(texts.ROOT, "tests", folder)) if os.path.isdir(
                os.path.join(texts.ROOT, "tests", folder)) else []):
            if name.endswith(".c"):
                seen |= {c.lower() for c in re.findall(r"KETTE_ERROR, KETTE_ERROR_(\w+)",
                                                       texts.read(f"tests/{folder}/{name}"))}
    return [name for name in names if name not in seen] if names else ["runtime/base/error.c names no codes"]


def main():
    if "--list" in sys.argv:
        for file, pair, quote in texts.quotes():
            print(f"{file:10} {pair:28} {quote}")
        return
    known = unreached()
    missing = list(missing_sites()) + list(missing_operator_sites())
    keys = {site.key().replace("\n", " ") for site in missing}
    there = {site.key().replace("\n", " ") for site in texts.sites(*SOURCES, *OPERATORS)}
    if "--missing" in sys.argv:
        for key in sorted(keys - set(known)):
            print(key)
        return
    count, failed = 0, 0
    names = [pair for _, pair, _ in texts.quotes()]
    for title, faults in (
            ("every text of an error is raised by a test, or the reason why not is given",
             [f"{s.path}:{s.line}: {s.text}" for s in missing if s.key().replace("\n", " ") not in known]),
            ("what is said to be unreached is unreached", sorted(set(known) & there - keys)),
            ("what is said to be unreached is in the sources", sorted(set(known) - there)),
            ("every code is raised by a test", missing_codes()),
            ("names of pairs differ", sorted({name for name in names if names.count(name) > 1})),
            (f"there are pairs: {len(names)}", [] if len(names) > 300 else ["too few"])):
        count += 1
        failed += bool(faults)
        print(("not " if faults else "") + f"ok {count} - {title}")
        for fault in faults:
            print(f"#   {fault}")
    print(f"1..{count}")
    sys.exit(1 if failed else 0)


main()
