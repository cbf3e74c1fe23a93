#!/usr/bin/env bash
# Every script of the project, found by its first line.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

mapfile -t scripts < <(
    find dev .ci bench deploy tests -type f -exec \
        awk 'FNR == 1 { if (/^#!.*[\/ ](ba)?sh$/) print FILENAME; nextfile }' {} +
)
shellcheck "${scripts[@]}"
echo "shellcheck: ${scripts[*]}"
