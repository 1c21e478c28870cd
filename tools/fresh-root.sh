#!/bin/sh
# Try the set-up on a bare Debian 12: make one with mmdebstrap, copy this clone into it, and run tools/provision.sh there.
#
#   tools/fresh-root.sh [SCOPE [COMMAND...]]
#
# SCOPE is one of tools/bootstrap.sh (host without it); COMMAND is run after it as an ordinary user, in the copy
# (`.venv/bin/ikelab version` without it). Needs root, mmdebstrap, some minutes and up to 3 GB below TMPDIR, which are
# given back. The root reaches the registries as this machine does: it is given its apt sources, pip's configuration and
# the certificates it trusts, and nothing else. Nothing outside of the new root is changed.
set -eu

cd "$(dirname "$0")/.."
scope=${1:-host}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- .venv/bin/ikelab version
say() { echo "fresh-root: $*" >&2; }

[ "$(id -u)" -eq 0 ] || { say "needs root, to make a root file system and to mount in it"; exit 3; }
command -v mmdebstrap >/dev/null || { say "mmdebstrap is missing: tools/bootstrap.sh test"; exit 3; }

place=$(mktemp -d "${TMPDIR:-/tmp}/ikelab-root.XXXXXX")
root=$place/root
# The mounts are in a mount namespace of their own and end with it, so this cannot reach through one.
trap 'rm -rf --one-file-system "$place"' EXIT
trap 'exit 130' INT TERM
began=$(date +%s)
took() { say "$1 after $(($(date +%s) - began)) s"; }

# shellcheck disable=SC2016  # apt's own placeholders
mirror=${IKELAB_DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
  awk '$2 ~ /^(bookworm|oldstable)$/ && !found { print $1; found = 1 }')}
mmdebstrap --quiet --variant=minbase --include=ca-certificates bookworm "$root" "${mirror:-http://deb.debian.org/debian}"
took "a bare Debian 12 stands"

useradd --root "$root" --create-home --shell /bin/sh stranger
mkdir "$root/ikelab"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$root/ikelab"
cp /etc/resolv.conf "$root/etc/" 2>/dev/null || true
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
for file in /etc/pip.conf /etc/xdg/pip; do
  [ ! -e "$file" ] || { mkdir -p "$root$(dirname "$file")" && cp -r "$file" "$root$file"; }
done
chown -R stranger "$root/ikelab" 2>/dev/null || chroot "$root" chown -R stranger: /ikelab

# In namespaces that take their mounts and processes with them.
inside() {
  # shellcheck disable=SC2016  # for the inner shell
  unshare --mount --pid --fork --kill-child -- sh -eu -c '
    root=$1; shift
    mount --bind "$root" "$root"; cd "$root"
    mount -t proc proc proc; mount --rbind /dev dev; mount -t tmpfs tmpfs run; mount -t tmpfs -o mode=1777 tmpfs dev/shm
    exec chroot . "$@"' sh "$root" "$@"
}

inside /ikelab/tools/provision.sh "$scope" stranger
took "tools/provision.sh $scope is done"
inside /ikelab/tools/provision.sh "$scope" stranger
took "a second time, which finds all of it done,"
inside setpriv --reuid stranger --regid stranger --init-groups env HOME=/home/stranger sh -c 'cd /ikelab && exec "$@"' sh "$@"
took "done"
