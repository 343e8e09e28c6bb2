#!/bin/bash
# Process 1 of the guest. The host's / is mounted read-only, but tests write to /etc and other folders and expect plain
# paths. An overlay file system would report each access twice. So the root becomes a tmpfs: small folders are copied
# into it, and large ones are bind-mounted read-only (guest-root.mjs made the lists). Paths are the same as on any machine.
# Then it runs /run/vm/command and powers off. Each external command takes about 70 ms here, so it uses few of them.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
new=/mnt

mount -t proc proc /proc
# With the parameter vm.systemd, the guest is as a machine of its own: one file system as its root, which can be written,
# and systemd can become process 1.
[[ $(</proc/cmdline) != *' vm.systemd'* ]] || systemd=1
if [ -v systemd ]; then
  mount -t tmpfs layers $new && cd $new && mkdir upper work root || exit
  # what is mounted on the host is none of the overlay's
  for name in proc sys dev run tmp; do mknod upper/$name c 0 0; done
  mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work root root && cd root && mkdir .old proc sys dev run tmp || exit
  mount -t tmpfs -o mode=755 run run && mkdir run/vm && mount -t virtiofs out run/vm || exit
  mount -t tmpfs -o mode=1777 tmp tmp && mount -t tmpfs -o mode=1777 tmp var/tmp && mount -t tmpfs -o mode=700 root root
else
  mount -t tmpfs -o mode=755 root $new && cd $new || exit
  mkdir run && mount -t tmpfs -o mode=755 run run && mkdir run/vm && mount -t virtiofs out run/vm || exit
  tar -xf run/vm/root.tar
  mount -a -T run/vm/fstab
  tar -xf run/vm/local.tar -C usr/local
fi
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
if [ -v systemd ]; then
  trap 'exec /usr/lib/systemd/systemd' USR1
  run_command &
  wait
else
  run_command
fi
