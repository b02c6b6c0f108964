#!/usr/bin/env bash
# Runs the test-suite that mangum 0.22.0 was published with, unmodified, against this project.
#
#   scripts/upstream-suite.sh [PYTHON]            (default: python3)
#
# The suite comes from the package registry and is kept in .venv/. The project is installed from a
# clean copy, as a user would install it, and the suite runs outside the checkout. Arguments for
# pytest go into PYTEST_ARGS. Exits with 77, after a line that says SKIPPED, if the registry cannot
# be reached.
set -euo pipefail

release=mangum-0.22.0
sha256=701936891aaed8ed66479b871c2bda87ba288fd01c7d5dd6ba6c8e9ba1c239d1
passing=106 # all but the four that need a Docker engine

root=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
set -a
# shellcheck source=tests/aws.env
source "$root/tests/aws.env"
set +a
export PIP_DISABLE_PIP_VERSION_CHECK=1

# Shows what went wrong, and ends the script: as skipped if that was the network.
give_up() {
  cat "$1" >&2
  if grep -qiE 'failed to fetch|dns error|connection (error|refused|broken)|NewConnection|timed out' "$1"; then
    echo "SKIPPED: the package registry, which has the test-suite of $release, cannot be reached"
    exit 77
  fi
  exit 1
}

python=$("${1:-python3}" "$root/scripts/environments.py" upstream 2>"$scratch/log") ||
  give_up "$scratch/log"

suite=$(dirname "$python")/../$release
if [[ ! -d $suite ]]; then
  echo "mangum==${release#mangum-} --hash=sha256:$sha256" >"$scratch/suite.txt"
  "$python" -m pip download -q --no-deps --no-binary mangum -d "$scratch" \
    --require-hashes -r "$scratch/suite.txt" >"$scratch/log" 2>&1 || give_up "$scratch/log"
  tar -xzf "$scratch/$release.tar.gz" -C "$scratch" "$release/tests" "$release/pyproject.toml"
  mv "$scratch/$release" "$suite"
fi

# A build inside the checkout could pick up what an older build left there.
mkdir "$scratch/project"
tar -C "$root" --exclude=./.git --exclude=./.venv --exclude=./build --exclude='./*.egg-info' --exclude='*.so' -cf - . |
  tar -C "$scratch/project" -xf -
"$python" -m pip uninstall -q -y mangum >/dev/null 2>&1 || true
"$python" -m pip install -q --no-cache-dir "$scratch/project" >"$scratch/log" 2>&1 ||
  give_up "$scratch/log"

cd "$suite"
"$python" -c 'import mangum, sys; print("testing", mangum.__file__, "on", sys.version.split()[0])'
"$python" -c 'from mangum._speedups import COMPILED as it; print("mangum:", "compiled" if it else "pure")'
# shellcheck disable=SC2086
"$python" -m pytest -q -p no:cacheprovider -k 'not real_lambda' ${PYTEST_ARGS:-} |
  tee "$scratch/log"
if [[ -z ${PYTEST_ARGS:-} ]] && ! tail -n 1 "$scratch/log" | grep -q "^$passing passed"; then
  echo "expected $passing passed"
  exit 1
fi
