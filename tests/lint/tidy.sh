#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# clang-tidy with .clang-tidy over the sources of library, operators, plugins and tools:
# tidy.sh BUILD_FOLDER [FILE...]; prints findings, ends with status 1 if there are any.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
build=$1; shift
[ $# -gt 0 ] || mapfile -t files < <(find runtime ops plugins tools examples -name '*.c' | sort)
[ $# = 0 ] || files=("$@")
tidy=$(command -v clang-tidy-14 || command -v clang-tidy) || { echo 'tidy.sh: no clang-tidy' >&2; exit 1; }
rc=0
found=$(printf '%s\0' "${files[@]}" | xargs -0 -n 4 -P "$(nproc)" "$tidy" -p "$build" --quiet --extra-arg=-Wno-error 2>&1) || rc=1
grep -v '^[0-9]* warnings\? generated\.$\|^Suppressed \|^Use -header-filter\|^$' <<<"$found" || true
exit $rc
