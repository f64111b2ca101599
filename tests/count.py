#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts the test cases of a meson run: count.py TESTLOG.json EXIT_STATUS

A program that speaks TAP counts as often as it says "ok" and "not ok"; any other program is one
case. A program that dies or breaks its plan is one failure more. The reasons of skipped cases
are printed, then the line `N passed, N failed`; the two numbers are also added to the file
$KETTE_TOTALS. The exit status is 1 after a failure or when nothing ran.
"""
import json
import os
import re
import sys

TAP = re.compile(r"^(not )?ok\b(?:[^#]|(?<=\\)#)*(?:#\s*(\w+)\s*(.*))?$")


def cases(entry):
    """(passed, failed, reasons of skips) of one line of meson's log."""
    output, result = entry.get("stdout") or "", entry["result"]
    passed = failed = 0
    skips, is_tap = [], False
    for line in output.splitlines():
        found = TAP.match(line)
        if not found:
            continue
        is_tap = True
        word = (found.group(2) or "").upper()
        if word == "SKIP":
            skips.append(found.group(3))
        elif found.group(1):
            failed += 1
        else:
            passed += 1
    if not is_tap:
        if result == "SKIP":
            last = "".join(output.strip().splitlines()[-1:])
            skips.append(re.sub(r"^1\.\.0\s*#\s*SKIP\S*\s*", "", last, flags=re.I))
        elif result == "OK":
            passed = 1
    if result not in ("OK", "SKIP", "EXPECTEDFAIL") and failed == 0:
        failed = 1
    return passed, failed, skips


def main():
    passed = failed = 0
    bad, skipped = [], {}
    try:
        with open(sys.argv[1], encoding="utf-8") as log:
            for line in log:
                entry = json.loads(line)
                p, f, skips = cases(entry)
                passed, failed = passed + p, failed + f
                if f:
                    bad.append(entry["name"])
                for reason in skips:
                    key = (entry["name"], reason)
                    skipped[key] = skipped.get(key, 0) + 1
    except OSError as error:
        print(f"count.py: {error}", file=sys.stderr)
    if int(sys.argv[2]) != 0 and failed == 0:
        failed = 1
    for (name, reason), times in sorted(skipped.items()):
        print(f"skipped: {name}: {reason or 'no reason given'}" + (f" ({times})" if times > 1 else ""))
    for name in bad:
        print(f"failed: {name}")
    if os.environ.get("KETTE_TOTALS"):
        with open(os.environ["KETTE_TOTALS"], "a", encoding="utf-8") as totals:
            totals.write(f"{passed} {failed}\n")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or passed == 0 else 0)


main()
