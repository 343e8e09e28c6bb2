#!/bin/bash
# Process 1 of the arm64 guest. Its root is read-only, and becomes a tmpfs with copies of the small folders and bind mounts of
# the large ones, as in init.sh.
export PATH=/usr/sbin:/usr/bin HOME=/root TERM=dumb LANG=C.UTF-8
mount -t proc proc /proc
for word in $(</proc/cmdline); do
  case $word in vm.checkout=*) checkout=${word#vm.checkout=} ;; esac
done
mount -t tmpfs -o mode=755 root /mnt && cd /mnt || exit
mkdir -p run usr tmp proc sys dev mnt root .old var/tmp usr/local/bin ".$checkout" && chmod 1777 tmp var/tmp
cp -a /etc . && cp -a /bin /lib /sbin . || exit
for folder in bin lib sbin share libexec include; do
  [ -e /usr/$folder ] && mkdir -p usr/$folder && mount --bind /usr/$folder usr/$folder
done
mount -t tmpfs -o mode=755 run run && mkdir run/vm
mount -t virtiofs out run/vm && mount -t virtiofs -o ro checkout ".$checkout" || exit
mount -t sysfs sys sys && mount -t devtmpfs dev dev && mkdir -p dev/shm && mount -t tmpfs -o mode=1777 shm dev/shm
mount -t proc proc proc
mount -t tracefs trace sys/kernel/tracing && mount -t debugfs debug sys/kernel/debug
mount -t bpf bpf sys/fs/bpf && mount -t securityfs security sys/kernel/security && mount -t cgroup2 cgroup sys/fs/cgroup
pivot_root . .old && cd / && umount -l /.old && rmdir /.old
ln -s /proc/self/fd /dev/fd
echo guest >/proc/sys/kernel/hostname
bash /run/vm/command >/run/vm/stdout 2>/run/vm/stderr </dev/null
echo $? >/run/vm/status
echo o >/proc/sysrq-trigger
sleep 10
