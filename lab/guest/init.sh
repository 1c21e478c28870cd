#!/bin/bash
# shellcheck disable=SC2154  # ikelab_boot comes from the command line of the kernel
# The guest's first process (started by ikelab-init with its directory on the host mounted at /srv). Gives the guest a
# writable root in memory over the shared read-only image, mounts what the run asked for, runs the job, writes its exit
# status and powers off. `mounts` and `environment` lie beside this file; so do `job` and later `status`.

fail() { echo "guest: $1"; echo o >/proc/sysrq-trigger; while :; do sleep 1; done; }

mount -t proc proc /proc
echo 1 >/proc/sys/kernel/printk # only a panic reaches the console
mount -t tmpfs -o mode=755 tmpfs /mnt || fail "no memory for the writable root"
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root || fail "no writable root"
cd /mnt/root || fail "no writable root"

mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t devtmpfs devtmpfs dev
mkdir -p dev/pts dev/shm dev/net
mount -t devpts -o mode=620,ptmxmode=666 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
[ -e dev/net/tun ] || mknod dev/net/tun c 10 200
ln -sf /proc/self/fd dev/fd
mkdir -p run/ikelab run/lock run/netns
mount -t hostfs -o "hostfs=$ikelab_boot" none run/ikelab || fail "cannot mount $ikelab_boot"
while IFS=$'\t' read -r mode host guest; do
  mkdir -p ".$guest"
  mount -t hostfs -o "$mode,hostfs=$host" none ".$guest" || fail "cannot mount $host at $guest"
done </srv/mounts

pivot_root . mnt || fail "cannot enter the writable root"
umount -l /mnt
echo guest >/proc/sys/kernel/hostname
ip link set lo up
# Without this each new network namespace gets ten tunnel devices that nobody asked for.
echo 1 >/proc/sys/net/core/fb_tunnels_only_for_init_net
# shellcheck disable=SC1091
. /run/ikelab/environment
# shellcheck disable=SC1091
(. /run/ikelab/job) </dev/null
echo $? >/run/ikelab/status
printf '\004%s\004' "$ikelab_boot" # what follows is the kernel's farewell
echo o >/proc/sysrq-trigger
while :; do sleep 1; done
