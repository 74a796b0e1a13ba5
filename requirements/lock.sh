#!/bin/sh
# Compiles requirements/*.txt: exact versions and hashes for every Python >= 3.11 on Linux and macOS.
# Needs the network; `make lock` runs it. Arguments go to the compiler, for example: --upgrade-package flask
set -eu
cd "$(dirname "$0")/.."
tool=$(mktemp -d)
trap 'rm -rf "$tool"' EXIT
"${PYTHON:-python3}" -m venv "$tool"
"$tool/bin/python" -m pip install --quiet --disable-pip-version-check \
    --require-hashes -r requirements/lock.txt

compile() {
    "$tool/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --custom-compile-command "make lock" "$@"
}

extras="--extra watch --extra postgres --extra server"
compile requirements/lock.in -o requirements/lock.txt "$@"
compile requirements/build.in -o requirements/build.txt "$@"
compile pyproject.toml $extras -o requirements/runtime.txt "$@"
compile pyproject.toml requirements/dev.in $extras -c requirements/runtime.txt -o requirements/dev.txt "$@"
if grep -nE '://|^--(index|extra-index|find-links)' requirements/*.txt | grep -v '^[^:]*:[0-9]*:#'; then
    echo "dramafeed: an address got into a lock file (above); take it out." >&2
    exit 1
fi
