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
		trace-workload "$1" "$2" $disk
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
	trace-workload "$workload" 2 $disk >/dev/null
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
	trace-workload "$workload" 5 $disk >/dev/null
	base=$(measure "$workload" "$count")
	ours=$(with "$name-polytrace" ^ready "$workload" "$count" $polytrace trace "${tracer[@]}")
	theirs=$(with "$name-bpftrace" "racing\|PID\|TIME\|ready" "$workload" "$count" "$@")
	echo "$name | $base | $ours | $theirs | $(wc -l <"$out/$name-polytrace.txt") | $(wc -l <"$out/$name-bpftrace.txt")"
}

tool() { echo bpftrace -B line "/usr/sbin/$1.bt"; }
truncate -s 16M /var/tmp/trace-disk && disk=/var/tmp/trace-disk
[ "$only" = "  " ] && modprobe loop && disk=$(losetup -f --show $disk)

echo 'tracer | without | polytrace | bpftrace | lines of polytrace | lines of bpftrace'
compare open open 1000 open -- $(tool opensnoop)
compare exec exec 50 exec -- $(tool execsnoop)
compare tcp tcp 100 tcp -- $(tool tcplife)
compare connect tcp 100 connect -- $(tool tcpconnect)
compare kill kill 1000 kill -- $(tool killsnoop)
compare capable capable 500 capable -- $(tool capable)
compare blockio block 200 blockio -- $(tool biolatency)
compare files files 500 files -- bpftrace -B line -e 'BEGIN { printf("ready\n"); } kretfunc:vfs_read { @read[comm] = sum(retval); } kretfunc:vfs_write { @written[comm] = sum(retval); }'
compare slow-fs files 500 slow-fs -- bpftrace -B line -e 'BEGIN { printf("ready\n"); } kfunc:vfs_write { @s[tid] = nsecs; } kretfunc:vfs_write /@s[tid] && nsecs - @s[tid] > 10000000/ { printf("%s %d\n", comm, nsecs - @s[tid]); } kretfunc:vfs_write { delete(@s[tid]); }'
compare latency files 500 latency vfs_write -- bpftrace -B line -e 'BEGIN { printf("ready\n"); } kfunc:vfs_write { @s[tid] = nsecs; } kretfunc:vfs_write /@s[tid]/ { @ns[comm] = hist(nsecs - @s[tid]); delete(@s[tid]); }'
compare dns dns 100 dns -- bpftrace -B line -e 'BEGIN { printf("ready\n"); } kprobe:skb_consume_udp { printf("%d %s\n", pid, comm); }'
