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

tree.words("one way to allocate", WORDS, FOLDERS, "tests/lint/memory-allowed.txt")
