#!/bin/bash
# Process 1 of the guest. The host's / is mounted read-only, but tests write to /etc and other folders and expect plain
# paths. An overlay file system would report each access twice. So the root becomes a tmpfs: small folders are copied
# into it, and large ones are bind-mounted read-only (guest-root.mjs made the lists). Paths are the same as on any machine.
# Then it runs /run/vm/command and powers off. Each external command takes about 70 ms here, so it uses few of them.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
new=/mnt

mount -t proc proc /proc
mount -t tmpfs -o mode=755 root $new && cd $new || exit
mkdir run && mount -t tmpfs -o mode=755 run run && mkdir run/vm && mount -t virtiofs out run/vm || exit
tar -xf run/vm/root.tar
mount -a -T run/vm/fstab
tar -xf run/vm/local.tar -C usr/local
pivot_root . .old && cd / || exit

# One `mount` command mounts everything in this order.
echo 'proc /proc proc
sys /sys sysfs
dev /dev devtmpfs
shm /dev/shm tmpfs mode=1777,X-mount.mkdir
pts /dev/pts devpts X-mount.mkdir
trace /sys/kernel/tracing tracefs
debug /sys/kernel/debug debugfs
bpf /sys/fs/bpf bpf
security /sys/kernel/security securityfs
cgroup /sys/fs/cgroup cgroup2' >/run/fstab
mount -a -T /run/fstab
umount -l /.old && rmdir /.old
ln -s /proc/self/fd /dev/fd
ip link set lo up
echo guest >/proc/sys/kernel/hostname

export HOME=/root TERM=dumb LANG=C.UTF-8
: >/run/vm/ready
run_command() {
  bash /run/vm/command >/run/vm/stdout 2>/run/vm/stderr </dev/null
  echo $? >/run/vm/status
  echo o >/proc/sysrq-trigger
  sleep 10
}
# With the parameter vm.systemd, the command can let systemd become process 1: kill -USR1 1
if [[ $(</proc/cmdline) == *' vm.systemd'* ]]; then
  trap 'exec /usr/lib/systemd/systemd' USR1
  run_command &
  wait
else
  run_command
fi
