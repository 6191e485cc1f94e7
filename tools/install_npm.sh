#!/bin/sh
# Puts the npm packages named as arguments into a folder, the first argument, unless they are all there.
# Name what they need too, with versions: nothing of them is run here. Without npm, Debian's is installed.
set -eu
folder="$1"
shift
[ "$(cat "$folder/.installed" 2>/dev/null)" = "$*" ] && exit 0
command -v npm >/dev/null 2>&1 || sh "$(dirname "$0")/install_foreign.sh" npm
mkdir -p "$folder"
npm install --prefix "$folder" --no-save --ignore-scripts --no-audit --no-fund --loglevel=error --fetch-retries=1 "$@"
echo "$*" >"$folder/.installed"
