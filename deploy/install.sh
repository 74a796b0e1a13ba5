#!/bin/sh
# Puts a dramafeed site on a server with Debian 12, Ubuntu 24.04 or newer, so that it can be followed from Mastodon.
#
#   sudo sh deploy/install.sh                                   asks for the domain and the name of the blog
#   sudo sh deploy/install.sh --domain blog.example --name "My blog" [--proxy caddy] [--mail me@blog.example]
#   sh deploy/install.sh --root DIR --domain ... --name ...     only writes the files, below DIR, and runs nothing
#
# Run it again after a `git pull` to upgrade: it repeats what is missing, and keeps settings, texts and certificate.
# The proxy is nginx (copies of pages, limits per client) or Caddy. Either gets a certificate of Let's Encrypt; by
# running this you agree to its terms.
set -eu

domain="" name="" proxy=nginx mail="" root=""
source=$(cd "$(dirname "$0")/.." && pwd)
code=/opt/dramafeed settings=/etc/dramafeed.env home=/srv/dramafeed

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

while [ $# -gt 0 ]; do
    case $1 in
        --domain | --name | --proxy | --mail | --root)
            [ $# -gt 1 ] || fail "$1 needs a value."
            eval "${1#--}=\$2"
            shift 2
            ;;
        *) fail "$1 is not an option; the first lines of this file list them." ;;
    esac
done

say() { printf '\n== %s\n' "$*"; }
run() { if [ -n "$root" ]; then echo "would run: $*"; else "$@"; fi; }

put() { # mode, path; the text comes from standard input
    mkdir -p "$root$(dirname "$2")"
    cat >"$root$2.new"
    chmod "$1" "$root$2.new"
    mv "$root$2.new" "$root$2"
}

questions() {
    if [ -f "$root$settings" ]; then
        known=$(sed -n 's#^DRAMAFEED_BASE_URL=https://##p' "$root$settings")
        [ -z "$domain" ] || [ "$domain" = "$known" ] ||
            fail "this site is https://$known, and followers know it by that name; edit $settings if nobody follows yet."
        domain=$known
    fi
    [ -n "$domain" ] || { printf 'Domain of the site (its DNS must lead to this machine), e.g. blog.example: ' && read -r domain; }
    echo "$domain" | grep -Eqx '([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]' ||
        fail "'$domain' is not a domain in lower case, such as blog.example."
    [ -f "$root$home/content/site.yaml" ] && return
    [ -n "$name" ] || { printf 'Name of the blog, as readers see it: ' && read -r name; }
    [ -n "$name" ] || fail "a blog needs a name."
}

packages() {
    command -v apt-get >/dev/null || fail "this script knows Debian and Ubuntu; docs/how-to/put-it-on-a-server.md lists the steps."
    case $proxy in
        nginx) wanted="nginx certbot" ;;
        caddy) wanted="caddy" ;;
        *) fail "--proxy is nginx or caddy." ;;
    esac
    export DEBIAN_FRONTEND=noninteractive
    run apt-get update -qq
    # shellcheck disable=SC2086 # one word per package
    run apt-get install -y -qq --no-install-recommends ca-certificates python3 python3-venv python3-pip $wanted
}

program() {
    run mkdir -p "$code"
    for part in src requirements pyproject.toml README.md LICENSE; do
        run rm -rf "$code/$part"
        run cp -R "$source/$part" "$code/$part"
    done
    run sh "$code/requirements/venv.sh" runtime
    # Whoever types `dramafeed` is the site's user with the site's settings.
    put 755 /usr/local/bin/dramafeed <<EOF
#!/bin/sh
set -eu
[ "\$(id -u)" = 0 ] || exec sudo "\$0" "\$@"
set -a
. $settings
set +a
umask 0002
cd $home
exec runuser -u dramafeed -- $code/.venv/bin/dramafeed "\$@"
EOF
}

site() {
    id dramafeed >/dev/null 2>&1 ||
        run useradd --system --user-group --home-dir "$home" --shell /usr/sbin/nologin dramafeed
    run install -d -o dramafeed -g dramafeed -m 2775 "$home" "$home/content"
    run install -d -o dramafeed -g dramafeed -m 0700 /var/lib/dramafeed
    [ -f "$root$settings" ] || put 640 "$settings" <<EOF
# Read by systemd and by the command \`dramafeed\`. All settings: docs/reference/settings.md
DRAMAFEED_BASE_URL=https://$domain
DRAMAFEED_CONTENT=$home/content
DRAMAFEED_DATA=/var/lib/dramafeed
EOF
    run chown root:dramafeed "$settings"
    if [ ! -f "$root$home/content/site.yaml" ]; then
        quoted=$(printf '%s' "$name" | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g')
        put 664 "$home/content/site.yaml" <<EOF
# What the site is called and who speaks for it. Everything here can be changed later,
# except the handle once people follow it.
title: "$quoted"
description: Reviews of Korean series by people who love them
language: en
timezone: UTC
handle: blog
EOF
        run chown dramafeed:dramafeed "$home/content/site.yaml"
        run /usr/local/bin/dramafeed init "$home"
    fi
    put 644 /etc/systemd/system/dramafeed.service <"$source/deploy/systemd/dramafeed.service"
    run systemctl daemon-reload
    run systemctl enable dramafeed
    run systemctl restart dramafeed
}

with_nginx() {
    conf=/etc/nginx/conf.d/dramafeed.conf
    sed "s/blog\.example/$domain/g" "$source/deploy/nginx/dramafeed.conf" >"${TMPDIR:-/tmp}/dramafeed-$$.conf"
    if [ ! -f "$root/etc/letsencrypt/live/$domain/fullchain.pem" ]; then
        # Only the server of port 80, until there is a certificate.
        awk '/^server \{/ { on = 1 } on { print } on && /^}/ { exit }' "${TMPDIR:-/tmp}/dramafeed-$$.conf" | put 644 "$conf"
        run install -d /var/www/acme
        run systemctl reload-or-restart nginx
        if [ -n "$mail" ]; then contact="--email $mail"; else contact=--register-unsafely-without-email; fi
        # shellcheck disable=SC2086 # two words with an address
        run certbot certonly --webroot --webroot-path /var/www/acme --domain "$domain" --non-interactive --agree-tos \
            $contact --deploy-hook "systemctl reload nginx" ||
            fail "no certificate: see that the DNS of $domain leads to this machine and that ports 80 and 443 are open; then run this again."
    fi
    put 644 "$conf" <"${TMPDIR:-/tmp}/dramafeed-$$.conf"
    rm -f "${TMPDIR:-/tmp}/dramafeed-$$.conf"
    run nginx -t -q
    run systemctl reload-or-restart nginx
}

with_caddy() {
    file=/etc/caddy/Caddyfile
    if [ -f "$root$file" ] && ! grep -q dramafeed "$root$file"; then
        cp "$root$file" "$root$file.before-dramafeed"
        echo "What was in $file is in $file.before-dramafeed now."
    fi
    sed "s/blog\.example/$domain/g" "$source/deploy/caddy/Caddyfile" | put 644 "$file"
    run caddy validate --config "$file" --adapter caddyfile
    run systemctl reload-or-restart caddy
}

open_firewall() {
    if command -v ufw >/dev/null 2>&1 && ufw status | grep -q 'Status: active'; then
        run ufw allow 80,443/tcp
    fi
}

ready() {
    "$code/.venv/bin/python" -c 'import urllib.request as r; r.urlopen("http://127.0.0.1:8000/readyz", timeout=2)' 2>/dev/null
}

[ -n "$root" ] || [ "$(id -u)" = 0 ] || fail "this needs root: sudo sh $0"
questions
say "Packages" && packages
say "dramafeed in $code" && program
say "The site in $home, as a service" && site
say "The way from outside" && open_firewall && "with_$proxy"
[ -z "$root" ] || exit 0
say "Waiting for the site"
tries=0
until ready; do
    tries=$((tries + 1))
    [ $tries -lt 60 ] || fail "the site does not answer; journalctl -u dramafeed says why."
    sleep 1
done
say "How other servers see it"
/usr/local/bin/dramafeed doctor || fail "mend what is wrong above, then type: dramafeed doctor"
cat <<EOF

Search for the first address above in Mastodon, and follow it. Put reviews into $home/content/reviews/;
\`usermod --append --groups dramafeed YOU\` lets YOU do that. \`dramafeed --help\` lists what else there is.
EOF
