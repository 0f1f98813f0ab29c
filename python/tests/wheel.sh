#!/usr/bin/env bash
# Installs a wheel into an environment of its own and runs what its README shows. Usage: wheel.sh PYTHON WHEEL
set -euo pipefail
wheel=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$1" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-index "$wheel"
cd "$folder"
unset PYTHONPATH
awk '/^```python$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$here/../README.md" >quickstart.py
"$folder/venv/bin/python" -W error -i quickstart.py <<<'assert tool_registry.execute("calculate", expression="2 + 2") == 4; import gathering; print("gathering", gathering.__version__)'
"$folder/venv/bin/gathering" --version
ls -l "$wheel" | awk '{ printf "%s: %.1f MB\n", $NF, $5 / 1e6 }' | sed 's|.*/||'
