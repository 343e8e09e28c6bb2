#!/bin/bash
# Runs each tracer of `polytrace trace` with a small workload in a guest, at 80 and 160 columns, and writes what it prints to
# $1/trace-NAME-WIDTH.txt. `node bench/trace-captures.mjs` starts the guest and copies the files to docs/samples. With names
# after the folder, only these tracers run: for those that need no kprobes, no guest is needed.
out=$1
shift
only=" $* "
mkdir -p "$out"
tmp=$(mktemp -d)
polytrace="node dist/cli/main.js"
cc -O1 -o /tmp/trace-workload test/kernel/trace-workload.c || exit
export POLYTRACE_SOCKET= PATH=$PATH:/tmp

# capture NAME WORKLOAD [OPTION...]: waits until both commands are ready, runs the workload, and stops them
capture() {
	local name=$1 workload=$2 width pids=() i
	[ "$only" != "  " ] && [[ "$only" != *" $name "* ]] && return
	shift 2
	for width in 80 160; do
		COLUMNS=$width $polytrace trace "$name" "$@" >"$tmp/$name-$width" 2>"$tmp/$name-$width.err" &
		pids+=($!)
	done
	for width in 80 160; do
		until grep -q -e ^ready "$tmp/$name-$width.err"; do
			kill -0 "${pids[-1]}" 2>/dev/null || break
			read -rt 0.1 <> <(:)
		done
	done
	eval "$workload" >$tmp/workload.out 2>&1
	read -rt 0.3 <> <(:)
	kill -INT "${pids[@]}" 2>/dev/null
	for i in 0 1; do
		wait "${pids[i]}" || cat "$tmp/$name-80.err"
	done
	for width in 80 160; do
		{
			echo "\$ polytrace trace $name${*:+ $*}"
			cat "$tmp/$name-$width"
		} >"$out/trace-$name-$width.txt"
	done
}

capture open 'trace-workload open' --binary trace-workload
capture exec 'trace-workload exec; bash -c "exit 3"' --exits --binary trace-workload true bash
capture files 'trace-workload files 5; dd if=/dev/zero of=$tmp/big bs=64k count=20; dd if=$tmp/big of=/dev/null bs=64k' --binary dd trace-workload
capture connect 'trace-workload tcp'
capture accept 'trace-workload tcp'
capture tcp 'trace-workload tcp'
capture dns 'trace-workload dns 2'
capture bind 'trace-workload bind'
capture mount 'trace-workload mount; mount -t tmpfs new /mnt; mount --bind /etc /mnt; umount /mnt; umount /mnt'
capture signals 'trace-workload kill' --binary trace-workload
capture kill 'trace-workload kill' --binary trace-workload
capture capable 'trace-workload capable' --binary trace-workload
if [ "$only" = "  " ] || [[ "$only" == *" oom "* ]]; then
	mkdir -p /sys/fs/cgroup/trace && echo +memory >/sys/fs/cgroup/cgroup.subtree_control
	echo 20M >/sys/fs/cgroup/trace/memory.max
fi
capture oom 'bash -c "echo \$\$ >/sys/fs/cgroup/trace/cgroup.procs; exec tail /dev/zero"'
capture modules 'modprobe loop; modprobe -r loop'
truncate -s 16M /var/tmp/trace-disk && disk=/var/tmp/trace-disk
[ "$only" = "  " ] && modprobe loop && disk=$(losetup -f --show $disk)
capture blockio 'trace-workload block 200 $disk'
capture slow-fs 'trace-workload slow 2' --min 2ms
capture latency 'trace-workload files 50' vfs_write sys_fsync --binary trace-workload
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /tmp/k.pem -out /tmp/c.pem -days 2 -subj /CN=localhost 2>/dev/null
openssl s_server -www -accept 18443 -key /tmp/k.pem -cert /tmp/c.pem >/tmp/server.out 2>&1 &
server=$!
until grep -q ACCEPT /tmp/server.out; do read -rt 0.1 <> <(:); done
capture tls 'curl -sk https://127.0.0.1:18443/'
kill $server

# the processes and sockets of new namespaces, so that nothing else of the machine is in them
export out polytrace key=/tmp/k.pem
[ "$only" = "  " ] || [[ "$only" == *" ps "* ]] && unshare -pfn --mount-proc bash -c '
ip link set lo up
openssl s_server -www -accept 18443 -key $key -cert /tmp/c.pem >/dev/null 2>&1 &
until $polytrace sockets | grep -q LISTEN; do :; done
exec 3<>/dev/tcp/127.0.0.1/18443
for width in 80 160; do
	for name in ps sockets; do
		option=
		[ $name = ps ] && option=" --policy polytrace:egress"
		{
			echo "\$ polytrace $name$option"
			COLUMNS=$width $polytrace $name $option
		} >"$out/trace-$name-$width.txt"
	done
done
kill %1'
