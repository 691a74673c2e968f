#!/bin/sh
# dev fresh 12|13: demo and tests on a fresh Debian (root and mounts needed)
#
# A minimal Debian with nothing but git, made by debootstrap from the mirror
# that this machine's apt uses; the last commit is cloned into it and ./dev
# does the rest, as it would for a newcomer. Exit status 77: this user or
# machine may not do that.
#
# The base system and the packages that were downloaded are kept in
# ${XDG_CACHE_HOME:-~/.cache}/greenroom; remove that folder to start afresh.
set -eu
. tools/common.sh

case ${1-} in
12) suite=bookworm ;;
13) suite=trixie ;;
*) die "usage: ./dev fresh 12|13" ;;
esac

cannot() {
    say "./dev fresh: $*"
    exit 77
}

[ "$(id -u)" -eq 0 ] || cannot "needs root"
unshare --mount true 2>/dev/null || cannot "needs the right to mount"
# A user namespace lets its root mount, but not own a whole system's files.
awk '{ n += $3 } END { exit n < 65536 }' /proc/self/uid_map ||
    cannot "needs root outside of a user namespace"
sh tools/setup.sh fresh

top=$PWD
cache=${XDG_CACHE_HOME:-$HOME/.cache}/greenroom
base=$cache/$suite-$(dpkg --print-architecture).tar
mkdir -p "$cache/packages-$suite"
work=$(mktemp -d "${TMPDIR:-/var/tmp}/greenroom-fresh.XXXXXX")
root=$work/root
# What is mounted below $work lives in another namespace and is gone by then.
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# How apt gets at packages here: proxies, certificates, checks. In the new
# system's own files, as apt's other settings are none of its business.
host_settings() {
    apt-config dump | grep '^Acquire::' | grep -v '^Acquire::IndexTargets'
}

# The address of Debian's main archive in this machine's apt sources.
mirror() {
    # shellcheck disable=SC2016 # apt's own dollars
    apt-get indextargets \
        --format '$(REPO_URI) $(LABEL)' 'Created-By: Packages' |
        awk '$2 == "Debian" { debian = $1; exit }
            first == "" { first = $1 }
            END { print debian != "" ? debian : first }'
}

make_base() {
    uri=$(mirror)
    [ -n "$uri" ] || die "apt's sources on this machine name no mirror"
    packages=git
    case $uri in
    https:*) packages=git,ca-certificates ;;
    esac
    # debootstrap does not ask apt, so it is told of apt's proxy.
    proxy=$(apt-config dump --format '%v%n' Acquire::http::Proxy)
    case $proxy in
    http*) export http_proxy="$proxy" ;;
    esac
    say "making a minimal Debian ($suite) from $uri"
    debootstrap --variant=minbase --include="$packages" "$suite" "$root" \
        "$uri" >"$work/debootstrap.log" 2>&1 || {
        tail -n 20 "$work/debootstrap.log" >&2
        die "debootstrap failed"
    }
    rm -f "$root"/var/cache/apt/archives/*.deb
    # Under another name until it is whole.
    tar -C "$root" -cf "$base.new" .
    mv "$base.new" "$base"
}

if [ ! -f "$base" ]; then
    make_base
else
    mkdir "$root"
    tar -C "$root" -xf "$base"
fi

host_settings >"$root/etc/apt/apt.conf.d/90host"
for file in /etc/apt/auth.conf /etc/apt/auth.conf.d /etc/resolv.conf \
    /etc/hosts /etc/ssl/certs/ca-certificates.crt; do
    if [ -e "$file" ]; then
        mkdir -p "$root$(dirname "$file")"
        cp -RL "$file" "$root$(dirname "$file")"
    fi
done

commit=$(git -c safe.directory="$top" rev-parse HEAD)
if [ -n "$(git -c safe.directory="$top" status --porcelain)" ]; then
    say "note: what is not committed is not part of this"
fi
# git asks for this setting in a file, as the clone runs a second git.
git config --file "$work/gitconfig" --add safe.directory "$top"
git config --file "$work/gitconfig" --add safe.directory "$top/.git"
export GIT_CONFIG_GLOBAL="$work/gitconfig"
git clone --quiet --no-hardlinks --no-checkout "$top" "$root/root/greenroom"
git -C "$root/root/greenroom" checkout --quiet --detach "$commit"
unset GIT_CONFIG_GLOBAL

say "commit $commit on Debian $1 ($suite)"
cat >"$work/inside" <<'INSIDE'
set -eu
mount -t proc proc "$root/proc"
mkdir -p "$root/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
# apt keeps here what it downloads, for the next time.
mount --bind "$packages" "$root/var/cache/apt/archives"

# The environment of a login, with nothing of this one but its proxies.
set -- HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin "TERM=${TERM:-dumb}"
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    if value=$(printenv "$name"); then
        set -- "$@" "$name=$value"
    fi
done
exec chroot "$root" /usr/bin/env -i "$@" sh -c '
    set -eu
    cd /root/greenroom
    result=$(./dev demo)
    echo "$result"
    case $result in
    *identical) ;;
    *) echo "the demo did not say: identical" >&2; exit 1 ;;
    esac
    ./dev test'
INSIDE
root=$root packages=$cache/packages-$suite unshare --mount sh "$work/inside"
say "Debian $1: demo and tests passed"
