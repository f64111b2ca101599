#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""All file calls of the library stand in one table, runtime/base/system.c, where tests make
them fail and record them. Exceptions with their reasons stand in calls-allowed.txt: a path, a
word, the reason; an exception nobody needs is a fault."""
import re

import tree

TABLE = "runtime/base/system.c"
WORDS = re.compile(r"(?<![\w.>])(open|openat|openat2|creat|read|write|pread|pwrite|readv|writev|close|stat|lstat|"
                   r"fstat|fstatat|statx|rename|renameat2?|unlink|unlinkat|link|linkat|symlink|fsync|fdatasync|mmap|"
                   r"munmap|mremap|msync|f?truncate|fallocate|posix_fallocate|copy_file_range|sendfile|fopen|fdopen|"
                   r"fread|fwrite|fclose|opendir|fdopendir|readdir|closedir|scandir|flock|lockf|fcntl|f?chmod|"
                   r"realpath|readlink|readlinkat|access|mkdir|rmdir|mkstemp|g_file_\w+|g_dir_\w+|g_open|g_fopen|"
                   r"g_mapped_file_\w+|g_unlink|g_remove|g_rename|g_l?stat|g_mkdir\w*|g_rmdir|g_access) \(")


def allowed():
    rules = {}
    for line in tree.text("tests/lint/calls-allowed.txt").splitlines():
        if line.strip() and not line.startswith("#"):
            words = line.split(None, 2)
            rules[(words[0], words[1])] = words[2] if len(words) > 2 else ""
    return rules


def main():
    tap, rules = tree.Tap(), allowed()
    used, faults = set(), []
    for path in tree.files(".c", ".h"):
        if not path.startswith(("runtime/", "ops/")) or path == TABLE:
            continue
        for number, line in enumerate(tree.code(path).split("\n"), 1):
            for word in WORDS.findall(line):
                if (path, word) in rules:
                    used.add((path, word))
                else:
                    faults.append(f"{path}:{number}: {word}")
    tap.case("file calls go through the table", faults)
    tap.case("each exception has a reason and is needed",
             [f"{p} {w}: no reason" for (p, w), why in rules.items() if len(why) < 12]
             + [f"{p} {w}: not used any more" for p, w in sorted(set(rules) - used)])
    tap.done()


main()
