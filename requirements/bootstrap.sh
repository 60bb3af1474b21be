#!/bin/sh
# Finds a Python >= 3.11 and has it make .venv with the packages of one purpose: `bootstrap.sh up`, `check` or `test`.
# IKIRO_PYTHON names an interpreter to prefer. IKIRO_SKIP_BROWSER=1 leaves the browser out that `test` needs.
set -eu
cd "$(dirname "$0")/.."

for python in ${IKIRO_PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
    if "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; then
        exec "$python" -I requirements/bootstrap.py "$@"
    fi
done

echo "Ikiro Gateway needs Python 3.11, 3.12, 3.13 or 3.14, and none was found." >&2
echo "On Debian or Ubuntu: sudo apt-get install python3 python3-venv. Or name one: IKIRO_PYTHON=/path/to/python make up" >&2
exit 1
