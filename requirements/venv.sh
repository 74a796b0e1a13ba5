#!/bin/sh
# Makes or refreshes .venv from the pinned, hash-checked files beside this script.
#
#   sh requirements/venv.sh runtime    what the site needs
#   sh requirements/venv.sh dev        the same and the tools of `make test` and `make check`
#
# Needs Python >= 3.11 and pip. PYTHON=/path/to/python3.x chooses the interpreter. What is already in
# place is left alone, by content and not by file time, so that it also works unplugged.
set -eu
cd "$(dirname "$0")/.."
kind=${1:?runtime or dev}
venv=.venv
python=$venv/bin/python

fail() {
    echo "dramafeed: $*" >&2
    exit 2
}

suitable() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

choose_python() {
    if [ -n "${PYTHON:-}" ]; then
        suitable "$PYTHON" || fail "PYTHON=$PYTHON is not a Python of version 3.11 or newer."
        echo "$PYTHON"
        return
    fi
    for name in python3.14 python3.13 python3.12 python3.11 python3 python; do
        if suitable "$name"; then
            echo "$name"
            return
        fi
    done
    fail "no Python of version 3.11 or newer is on the PATH. Install one, or type: make PYTHON=/path/to/python3.x"
}

has_pip() {
    "$python" -c 'import pip' >/dev/null 2>&1
}

# Debian keeps ensurepip in a package of its own (python3-venv); without it, the pip of the system
# puts a pip into the new environment.
make_venv() {
    base=$(choose_python)
    echo "Making $venv with $("$base" -c 'import sys; print(sys.executable, sys.version.split()[0])')"
    rm -rf "$venv"
    if "$base" -c 'import ensurepip, venv' >/dev/null 2>&1 && "$base" -m venv "$venv" >/dev/null 2>&1; then
        return
    fi
    rm -rf "$venv"
    if "$base" -m venv --without-pip "$venv" >/dev/null 2>&1; then
        for pip in "$base -m pip" pip3 pip; do
            if $pip --python "$python" install --quiet --require-hashes -r requirements/build.txt; then
                return
            fi
        done 2>/dev/null
        # A pip older than 22.3 does not know --python, but can install into a folder.
        site=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
        if "$base" -m pip install --quiet --require-hashes --target "$site" -r requirements/build.txt 2>/dev/null; then
            return
        fi
    fi
    rm -rf "$venv"
    fail "this Python cannot make environments. On Debian or Ubuntu type: sudo apt-get install python3-venv python3-pip"
}

sum() {
    # The place belongs to it: an environment that was moved or copied is made anew.
    { pwd; cat "$@"; } | cksum
}

current() { # name of the stamp, then the files that it stands for
    stamp=$venv/.dramafeed-$1
    shift
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(sum "$@")" ]
}

record() {
    stamp=$venv/.dramafeed-$1
    shift
    sum "$@" >"$stamp"
}

pip() {
    "$python" -m pip "$@" --quiet --disable-pip-version-check
}

if [ -f $venv/.dramafeed-place ] && [ "$(cat $venv/.dramafeed-place)" != "$(pwd)" ]; then
    rm -rf $venv
fi
if ! "$python" -c '' >/dev/null 2>&1 || ! has_pip; then
    make_venv
fi
pwd >$venv/.dramafeed-place

files="requirements/build.txt requirements/$kind.txt"
# The list of the developers holds the whole runtime list.
if [ "$kind" = runtime ] && current dev requirements/build.txt requirements/dev.txt; then
    :
elif ! current "$kind" $files; then
    echo "Installing requirements/$kind.txt into $venv"
    pip install --require-hashes -r requirements/build.txt
    # feedgen comes as source: built with the pinned setuptools, not with a fetched one.
    pip install --require-hashes --no-build-isolation -r "requirements/$kind.txt"
    # Nothing may lean on setuptools at run time: new environments no longer have it.
    pip uninstall --yes setuptools
    # feedgen also installs its own tests, as a top-level package that would hide ours.
    rm -rf "$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/tests"
    record "$kind" $files
fi
if ! current package pyproject.toml requirements/build.txt; then
    pip install --no-deps --no-build-isolation -e .
    record package pyproject.toml requirements/build.txt
fi
