#!/usr/bin/env bash
# format.sh        fail when a C or C++ file is not as clang-format would write it
# format.sh -i     rewrite them
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

how=(--dry-run -Werror)
[[ ${1:-} == -i ]] && how=(-i)

folders=(base alloc model encoding storage wire snapshot promql server tests bench)
find "${folders[@]}" \( -name '*.[ch]' -o -name '*.cc' \) -print0 |
    xargs -0 -P "$(nproc)" -n 16 clang-format "${how[@]}"
