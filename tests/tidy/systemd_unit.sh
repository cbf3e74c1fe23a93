#!/usr/bin/env bash
# systemd_unit.sh <unit> <binary>: systemd's own opinion of the unit. Exit 77: cannot be asked here.
#
# verify wants the program to exist, so the copy it sees names the one that was just built.
set -euo pipefail

unit=$1 binary=$2
exposure_max=20 # tenths; systemd calls up to 2.0 OK and names what is left open

command -v systemd-analyze >/dev/null || {
    echo "skipped: no systemd-analyze"
    exit 77
}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
copy=$folder/$(basename "$unit")
sed "s#^ExecStart=/usr/bin/hearth#ExecStart=$binary#" "$unit" >"$copy"
grep -q "^ExecStart=$binary" "$copy"

said=$(systemd-analyze verify "$copy" 2>&1) || {
    echo "$said"
    exit 1
}
# verify also warns, with exit 0, about directives it does not know.
if [[ -n $said ]]; then
    echo "$said"
    exit 1
fi
systemd-analyze security --no-pager --offline=true --threshold=$exposure_max "$copy" | tail -1
