#!/bin/sh
# Installs the outside programs that the tests in this folder need; `make peers` runs it.
# As root on Debian or Ubuntu it installs what is missing. Otherwise it names it and ends with code 2.
set -eu
cd "$(dirname "$0")"
PATH=$PATH:/usr/sbin:/usr/local/sbin
export PATH
: "${CI:=}"

have_postgres() {
    for dir in /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql@*/bin; do
        [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ] && return 0
    done
    command -v initdb >/dev/null 2>&1 && command -v postgres >/dev/null 2>&1
}

have_chromium() {
    command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 ||
        command -v google-chrome >/dev/null 2>&1
}

missing=""
command -v nginx >/dev/null 2>&1 || missing="$missing nginx-light"
command -v caddy >/dev/null 2>&1 || missing="$missing caddy"
command -v systemd-analyze >/dev/null 2>&1 || missing="$missing systemd"
command -v newsboat >/dev/null 2>&1 || missing="$missing newsboat"
have_postgres || missing="$missing postgresql"
have_chromium || missing="$missing chromium"
command -v npm >/dev/null 2>&1 || missing="$missing npm"

if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "Installing$missing"
        export DEBIAN_FRONTEND=noninteractive
        # No server is to be started by its package: the tests start their own.
        policy=/usr/sbin/policy-rc.d
        if [ ! -e $policy ]; then
            printf '#!/bin/sh\nexit 101\n' >$policy
            chmod 755 $policy
            trap 'rm -f $policy' EXIT
        fi
        log=$(mktemp)
        # shellcheck disable=SC2086 # one word per package
        if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing; } \
            </dev/null >"$log" 2>&1; then
            tail -20 "$log" >&2
            echo "dramafeed: apt-get could not install$missing (above)." >&2
            exit 2
        fi
        rm -f "$log"
    elif command -v apt-get >/dev/null 2>&1; then
        echo "dramafeed: missing:$missing. Type: sudo apt-get install$missing" >&2
        exit 2
    else
        echo "dramafeed: missing programs, by their Debian names:$missing. Install them and try again." >&2
        exit 2
    fi
fi

# Node packages, only when the lock file changed. The lock has no addresses: npm asks its own registry.
for folder in */package-lock.json; do
    folder=$(dirname "$folder")
    mark=$folder/node_modules/.dramafeed-installed
    sum=$(cat "$folder/package-lock.json" | cksum)
    if [ ! -f "$mark" ] || [ "$(cat "$mark")" != "$sum" ]; then
        echo "Installing tests/peers/$folder/node_modules"
        (cd "$folder" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error </dev/null)
        echo "$sum" >"$mark"
    fi
done
