#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""All file calls of the library stand in one table, runtime/base/system.c, where tests make
them fail and record them. Exceptions with their reasons stand in calls-allowed.txt: a path, a
word, the reason; an exception nobody needs is a fault."""
import re

import tree

WORDS = re.compile(r"(?<![\w.>])(open|openat|openat2|creat|read|write|pread|pwrite|readv|writev|close|stat|lstat|"
                   r"fstat|fstatat|statx|rename|renameat2?|unlink|unlinkat|link|linkat|symlink|fsync|fdatasync|mmap|"
                   r"munmap|mremap|msync|f?truncate|fallocate|posix_fallocate|copy_file_range|sendfile|fopen|fdopen|"
                   r"fread|fwrite|fclose|opendir|fdopendir|readdir|closedir|scandir|flock|lockf|fcntl|f?chmod|"
                   r"realpath|readlink|readlinkat|access|mkdir|rmdir|mkstemp|g_file_\w+|g_dir_\w+|g_open|g_fopen|"
                   r"g_mapped_file_\w+|g_unlink|g_remove|g_rename|g_l?stat|g_mkdir\w*|g_rmdir|g_access) \(")

tree.words("file calls go through the table", WORDS, ("runtime/", "ops/"), "tests/lint/calls-allowed.txt",
           ["runtime/base/system.c"])
