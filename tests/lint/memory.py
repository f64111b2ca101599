#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Memory whose size comes from a file, a tensor or a model is asked for by _kette_alloc alone:
GLib's allocations end the process when they are refused. Exceptions with their reasons stand
in memory-allowed.txt: a path, a word, the reason; an exception nobody needs is a fault."""
import re

import tree

FOLDERS = tuple(f"runtime/{floor}/" for floor in ("io", "graph", "op", "pass", "exec", "train")) + ("ops/",)
WORDS = re.compile(r"\b(malloc|calloc|realloc|reallocarray|strdup|strndup|asprintf|alloca|g_alloca|g_newa\w*|"
                   r"g_(?:try_)?(?:malloc|new|realloc|renew)\w*|g_str(?:n?dup)\w*|g_memdup2?|"
                   r"GArray|GPtrArray|GByteArray|GHashTable|GString|GList|GSList|GQueue|"
                   r"g_array_new\w*|g_hash_table_new\w*|g_string_new\w*|g_ptr_array_new\w*)\b")


def allowed():
    rules = {}
    for line in tree.text("tests/lint/memory-allowed.txt").splitlines():
        if line.strip() and not line.startswith("#"):
            words = line.split(None, 2)
            rules[(words[0], words[1])] = words[2] if len(words) > 2 else ""
    return rules


def main():
    tap, rules = tree.Tap(), allowed()
    used, faults = set(), []
    for path in tree.files(".c", ".h"):
        if not path.startswith(FOLDERS):
            continue
        for number, line in enumerate(tree.code(path).split("\n"), 1):
            for word in WORDS.findall(line):
                if (path, word) in rules:
                    used.add((path, word))
                else:
                    faults.append(f"{path}:{number}: {word}")
    tap.case("one way to allocate", faults)
    tap.case("each exception has a reason and is needed",
             [f"{p} {w}: no reason" for (p, w), why in rules.items() if len(why) < 12]
             + [f"{p} {w}: not used any more" for p, w in sorted(set(rules) - used)])
    tap.done()


main()
