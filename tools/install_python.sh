#!/bin/sh
# Makes a Python environment in a folder, the first argument, with the packages named after it, unless all are
# there. The first package comes without what it says that it needs: name what is really used of that.
set -eu
folder="$1"
shift
[ "$(cat "$folder/.installed" 2>/dev/null)" = "$*" ] && exit 0
all="$*"
bare="$1"
shift
rm -rf "$folder"
"${PYTHON:-python3}" -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "$bare"
echo "$all" >"$folder/.installed"
