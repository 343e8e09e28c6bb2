#!/bin/bash
# Compares tracers of `polytrace trace` with tools of bpftrace: what both print for the same workload, and the processor time
# that an operation of the workload needs with each. The reader of the events is not part of that time. Run it in a guest:
#   node test/vm/run.mjs --timeout 1800 --folder FOLDER bash bench/trace-compare.sh /run/vm/compare
# or, for the tracers that need no kprobes, on this machine: bash bench/trace-compare.sh FOLDER open exec tcp kill blockio
polytrace="node dist/cli/main.js"
out=$1
shift
only=" $* "
mkdir -p "$out"
cc -O1 -o /tmp/trace-workload test/kernel/trace-workload.c || exit
export POLYTRACE_SOCKET= COLUMNS=100 PATH=$PATH:/tmp:/usr/sbin

# measure WORKLOAD COUNT: the least of five measurements, in nanoseconds
measure() {
	for _ in 1 2 3 4 5; do
		trace-workload "$1" "$2" "$argument"
	done | sort -n | head -1
}

# with NAME READY WORKLOAD COUNT COMMAND...: measures the workload while the command runs
with() {
	local name=$1 ready=$2 workload=$3 count=$4 pid
	shift 4
	"$@" >"$out/$name.txt" 2>"$out/$name.err" &
	pid=$!
	until grep -q -e "$ready" "$out/$name.txt" "$out/$name.err"; do
		kill -0 $pid 2>/dev/null || { cat "$out/$name.err"; return; }
		read -rt 0.1 <> <(:)
	done
	trace-workload "$workload" 2 "$argument" >/dev/null
	measure "$workload" "$count"
	read -rt 1 <> <(:)
	kill -INT $pid
	wait $pid
}

# compare NAME WORKLOAD COUNT TRACER-WITH-OPTIONS -- COMMAND...
compare() {
	local name=$1 workload=$2 count=$3 tracer=() base ours theirs
	[ "$only" != "  " ] && [[ "$only" != *" $name "* ]] && return
	shift 3
	while [ "$1" != -- ]; do
		tracer+=("$1")
		shift
	done
	shift
	trace-workload "$workload" 5 "$argument" >/dev/null
	base=$(measure "$workload" "$count")
	ours=$(with "$name-polytrace" ^ready "$workload" "$count" $polytrace trace "${tracer[@]}")
	theirs=$(with "$name-bpftrace" "racing\|PID\|TIME\|ready" "$workload" "$count" "$@")
	echo "$name | $base | $ours | $theirs | $(wc -l <"$out/$name-polytrace.txt") | $(wc -l <"$out/$name-bpftrace.txt")"
}

tool() { echo bpftrace -B line "/usr/sbin/$1.bt"; }
# The file of the workload, or the command of the workload "shell".
argument=
truncate -s 16M /var/tmp/trace-disk && disk=/var/tmp/trace-disk
[ "$only" = "  " ] && modprobe loop && disk=$(losetup -f --show $disk)

echo 'tracer | without | polytrace | bpftrace | lines of polytrace | lines of bpftrace'
compare open open 1000 open -- $(tool opensnoop)
compare exec exec 50 exec -- $(tool execsnoop)
compare accept tcp 100 accept -- $(tool tcpaccept)
compare bind bind 500 bind -- bpftrace -B line -e 'BEGIN { printf("ready\n"); } kprobe:inet_bind, kprobe:inet_listen { printf("%d %s %s\n", pid, comm, func); }'
compare mount mount 50 mount -- bpftrace -B line -e 'BEGIN { printf("ready\n"); } tracepoint:syscalls:sys_enter_mount { printf("%d %s %s %s\n", pid, comm, str(args.dev_name), str(args.dir_name)); } tracepoint:syscalls:sys_enter_umount { printf("%d %s %s\n", pid, comm, str(args.name)); }'
compare signals kill 1000 signals -- bpftrace -B line -e 'BEGIN { printf("ready\n"); } tracepoint:signal:signal_generate { printf("%d %s %d %d\n", pid, comm, args.sig, args.pid); }'
compare tcp tcp 100 tcp -- $(tool tcplife)
compare connect tcp 100 connect -- $(tool tcpconnect)
compare kill kill 1000 kill -- $(tool killsnoop)
compare capable capable 500 capable -- $(tool capable)
argument=$disk
compare blockio block 200 blockio -- $(tool biolatency)
compare files files 500 files -- bpftrace -B line -e 'BEGIN { printf("ready\n"); } kretfunc:vfs_read { @read[comm] = sum(retval); } kretfunc:vfs_write { @written[comm] = sum(retval); }'
compare slow-fs files 500 slow-fs -- bpftrace -B line -e 'BEGIN { printf("ready\n"); } kfunc:vfs_write { @s[tid] = nsecs; } kretfunc:vfs_write /@s[tid] && nsecs - @s[tid] > 10000000/ { printf("%s %d\n", comm, nsecs - @s[tid]); } kretfunc:vfs_write { delete(@s[tid]); }'
compare latency files 500 latency vfs_write -- bpftrace -B line -e 'BEGIN { printf("ready\n"); } kfunc:vfs_write { @s[tid] = nsecs; } kretfunc:vfs_write /@s[tid]/ { @ns[comm] = hist(nsecs - @s[tid]); delete(@s[tid]); }'
compare dns dns 100 dns -- bpftrace -B line -e 'BEGIN { printf("ready\n"); } kprobe:skb_consume_udp { printf("%d %s\n", pid, comm); }'
argument='modprobe dummy numdummies=0; modprobe -r dummy'
compare modules shell 3 modules -- bpftrace -B line -e 'BEGIN { printf("ready\n"); } rawtracepoint:module_load, rawtracepoint:module_free { printf("%d %s\n", pid, comm); }'
mkdir -p /sys/fs/cgroup/trace && echo +memory >/sys/fs/cgroup/cgroup.subtree_control
echo 20M >/sys/fs/cgroup/trace/memory.max
argument='(echo 0 >/sys/fs/cgroup/trace/cgroup.procs; exec tail /dev/zero)'
compare oom shell 2 oom -- $(tool oomkill)
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /tmp/k.pem -out /tmp/c.pem -days 2 -subj /CN=localhost 2>/dev/null
openssl s_server -www -accept 18443 -key /tmp/k.pem -cert /tmp/c.pem >/tmp/server.out 2>&1 &
until grep -q ACCEPT /tmp/server.out; do read -rt 0.1 <> <(:); done
argument='curl -sk https://127.0.0.1:18443/ >/dev/null'
compare tls shell 3 tls --binary curl -- bpftrace -B line -e 'BEGIN { printf("ready\n"); } uprobe:/usr/lib/x86_64-linux-gnu/libssl.so.3:SSL_write /comm == "curl"/ { printf("%d %s\n", pid, str(arg1, arg2)); } uretprobe:/usr/lib/x86_64-linux-gnu/libssl.so.3:SSL_read /comm == "curl"/ { printf("%d %d\n", pid, retval); }'
kill %1
