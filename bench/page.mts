// The sections of docs/benchmarks.md, with their text and tables. The page has no other source.
import { cpus, release } from 'node:os';
import { RATIO } from './cases.mjs';
import type { CgroupTables } from './cgroups.mjs';
import type { GrowthTables } from './growth.mjs';
import type { LibraryTables } from './library.mjs';
import { formatTable, type Rows } from './table.mjs';

/** The kernel in which instructions are counted. */
export const KERNEL = '6.12';

/** This machine. */
const PROCESSOR = cpus()[0]?.model.trim();
const LINUX = `Linux ${release().split('.', 2).join('.')}`;

export const INTRODUCTION = `# Benchmarks

\`npm run bench -- --write\` measures everything and writes this page. Each section names the commit at which it was
measured.

The kernel's part is counted in instructions, because times differ from machine to machine and from run to run. A
virtual machine (QEMU with \`-icount shift=0\`) advances its clock by one nanosecond for each instruction, so a clock
reading before and after a loop gives the instructions of an operation. Except where a section says otherwise, the
counts repeat to within one per cent.

\`npm test\` runs two short parts, which fail when a limit is exceeded. \`npm run bench -- --short\` compares what user
space does with an event to plain code that reads the same record, and to a program in C that writes the same lines. It
compares starting to Node.js by itself, and, as root, loading to a loop. \`npm run bench -- --limits\` counts operations
of the kernel.
`;

// The text of each section. run.mts puts the commit above it.

export function kernelSection(rows: Rows, preemptible: Rows): string {
  return `Linux ${KERNEL}. The column "nothing" is the operation without a tracer. Each other column is what a tracer
adds to it. The tracer's process is stopped while the operation runs, so its own work is not in the figures.

- **base sensor**: polytrace without a policy.
- **our example**: [file-monitoring.yaml](../policies/file-monitoring.yaml).
- **upstream policy**: the file monitoring policy that Tetragon publishes. polytrace attaches it by trampolines.
- **kprobes**: the upstream policy, attached by kprobes.
- **no cache**: the upstream policy by trampolines, where the kernel does not show the addresses of its locks. Its
  hooks have no negative cache, which stores paths that no selector can match.
- **Tetragon**: see below.

${formatTable(rows)}

"Depth" is the number of folders in the file's path. \`pread, match\` includes writing the event. The rows of \`pread\`
without a match are of a file that is read again and again: its path is in the negative cache of the hook. The column
"no cache" has the cost of a path that is not in the cache. \`first of a file\` opens and reads 4,800 files, each of them
once. \`among renames\` reads the same file, and after every 15 reads another file is renamed.

### On a preemptible kernel

The same kernel with \`preempt=full\`. Functions are hooked by kprobes there, because the kernel skips programs on
trampolines while it has suspended them.

${formatTable(preemptible)}

### Where Tetragon's figures come from

They were counted once, when polytrace was designed, with the same method: Linux 6.12 in a virtual machine that counts
instructions, Tetragon's main branch of August 2026, attached by fentry. This benchmark does not run Tetragon. Take the
figures as an order of magnitude.

- The rows of \`pread\` are with the upstream policy. \`pread, match\` includes Tetragon's agent, which read the events on
  the same processor. The reader of polytrace is not in its figure.
- The exec row is with Tetragon's base sensor alone and no client, so it compares with the column "base sensor". It was
  made in another way than ours, which does not include what the tracer costs outside its BPF programs.

### The rows of an exec

An exec allocates pages, and its cost varies by more than a tracer adds: differences of two runs were between -31,000
and +22,000 instructions. These rows therefore do not use differences. The kernel counts the time inside of each BPF
program (\`bpf_stats_enabled\`), and 136 instructions are added for each call of a program: what the kernel needs to call
an empty one. In three runs, the sums repeated to within one per cent. As a check, 1,000 execs without and 1,000 with
the base sensor were alternated three times in one guest, at commit 4b02156. The lower quartiles differed by 1,485,
3,556 and 3,130 instructions.

The rows of fork, exec and exit are parts of the row above them. The workload makes its processes with vfork, in the
folder /srv. An event of an exec has the working folder, and each level of it adds about 100 instructions. The column
"nothing" is the minimum of three runs and varies by about 10 per cent.`;
}

export function filterSection(filters: Rows, scaling: Rows): string {
  return `Linux ${KERNEL}. One policy with one filter is attached to the operation.

- **by itself**: the operation without a hook.
- **empty fentry**, **empty kprobe**: what a BPF program that does nothing adds, attached in this way.
- **fentry**, **kprobe**: what polytrace's program adds. The difference is what the filter and, where the call matches,
  the event cost.

The operation on \`__x64_sys_openat\` is an open and a close. The connection of \`tcp_connect\` is refused. Its rows
vary by about 100 instructions from run to run.

${formatTable(filters, 2)}

The next table shows a call that matches, by fentry, with one value or selector and with many. It includes the event.
\`npm run bench\` fails when a ratio is above ${RATIO.toFixed(2)}.

${formatTable(scaling)}`;
}

export function stackSection(costs: Rows): string {
  return `\`npm run bench -- --stacks\`, Linux ${KERNEL}. What a match adds to a read (\`security_file_permission\`), in
instructions, without and with the stack traces of a \`Post\` action. The event is included. \`npm run bench\` fails when
a row is above its limit.

${formatTable(costs)}

- **fentry**: the kernel stack is one that the hook knows ([architecture.md](architecture.md)). The first call from a
  place costs what the column kprobe has, and more: the kernel has to unwind the frames of the BPF programs, too.
- **kprobe**: the kernel unwinds the stack of each call.
- The stack of the program has two frames here. The kernel finds it by frame pointers.

For comparison, counted once by hand on the same kernel: a program on this function that does nothing but call
\`bpf_get_stack()\` adds 6,493 instructions for the kernel stack, 1,589 for the program's, and 7,938 for both. With
buffers of 256 bytes instead of 1,016 it adds 6,424 for both, because the kernel clears the rest of a buffer.
\`bpf_get_stackid()\` adds 5,742 for the kernel stack, and 636 for the program's. A program that does nothing adds 149.`;
}

export function countSection(costs: Rows): string {
  return `\`npm run bench -- --counts\`, Linux ${KERNEL}. What a hook that only counts ([metrics.md](metrics.md)) adds to a
call of \`__x64_sys_lseek\`, or to a read (\`security_file_permission\`). No event is written. An empty program would
cost 129 by fentry, and 360 by kprobe. A duration needs a program at the entry and one at the return. Another row shows
what \`matchMarks\` adds for a process without marks. \`npm run bench\` fails when a row is above its limit.

${formatTable(costs)}

The column **bpftrace** has programs that count the same by fentry. They are in \`bench/count-cases.mts\`, and run as

    bpftrace -e 'fentry:__x64_sys_lseek { @[comm, args.regs->di] = count(); }'
    bpftrace -e 'fentry:security_file_permission { @[comm, path(args.file->f_path)] = count(); }'
    bpftrace -e 'fentry:__x64_sys_lseek { @start[tid] = nsecs; }
      fexit:__x64_sys_lseek { @ = hist(nsecs - @start[tid]); delete(@start, tid); }'

- \`comm\` is a name of 16 bytes that each process can choose. The label \`binary\` is the file that it executes.
- \`path()\` resolves the whole path for each call, and so does polytrace.
- A tool is stopped (SIGSTOP) while the calls are counted.`;
}

export function policySection(costs: Rows): string {
  return `\`npm run bench -- --policies\`, Linux ${KERNEL}. What policies on \`security_file_permission\` add to a read,
in instructions; each names other paths, by Equal, Prefix or Postfix. **in groups**: as by default, where one policy
has a program of its own. **separate**: with \`groupPolicies: false\`.
**add** and **remove** are processor time for one more policy, in a guest whose clock counts instructions, one
nanosecond each. \`npm run bench\` fails when an unmatched call costs more than 1.15 (2 and 10 policies), 1.4 (100) or
2 times (1,000) or 2.4 times (2,000, in two groups) what it costs with one.

${formatTable(costs)}

- **hot file**: read again and again, and named by no policy. **first read**: each read is of another file.
  From ten policies on, one of them has a Postfix, and the last two bytes of each name are compared. A file whose
  name ends like a value (\`other.key\`) has an entry of its own, which costs 137 instructions more.
- **match**: one policy reports each read, by Equal. With 100 policies, a match by Prefix costs 2,338 instructions and
  one by Postfix 2,131. Alone, they cost 1,628 and 1,555.
- **kprobes**: with \`attach: 'kprobe'\`, as on kernels that can suspend programs on trampolines. The limit
  of 2 and 10 policies is 1.19 there.
- **a signal**: the policies send one that programs ignore. **an override**: reads fail, so a match is not measured.
  **stack traces**: of the kernel and of the program.
- **exclusions**: reads below a folder, by Prefix, apart from other files and folders, by NotEqual and NotPrefix, among
  which is the hot file. **all others**: reads of all files, apart from those of some folders, by NotPrefix alone.
- **ports**, **networks**: policies on \`tcp_connect\` with a port or a network of the destination; what they add to a
  connection. A group compares the hash of the port or address before it describes the socket. **both in turn**: they
  are two groups, so the limit of 2 and 10 policies is 1.5. **TrackSock**: on networks, and this action stores the
  owner of the socket. These rows vary by 100 and more.
- **renames**: policies on \`security_path_rename\` with the old or the new path of a file; what they add to a rename.
  Such calls have no negative cache.
- A trampoline of the kernel holds 38 programs. Further separate policies are kprobes.`;
}

export function growthSection({ kernel, loading, limits }: GrowthTables, processes: Rows): string {
  return `\`npm run bench -- --growth\`, Linux ${KERNEL}. What a policy of growing size adds to an operation, in instructions.
\`npm run bench\` fails when a cost grows more than it may.

${formatTable(kernel)}

Processor time to load such a policy, in a guest whose clock counts instructions, one nanosecond each:

${formatTable(loading)}

- The first policy also pays for the first hook of a tracer.
- The containers of the table are known when the policy is loaded. Adding one costs 0.9 ms of CPU beside 1,000 cgroups,
  and 10 ms beside 10,000.
- A list of values is a hash or a trie in the kernel, so a match costs the same wherever the value stands.
- More policies: see [Policies on one function](#policies-on-one-function). More files: see
  [operations](#in-the-kernel-operations), whose rows of files in turn have 300 and 10,000. More cgroups: see
  [Cgroups and scopes](#cgroups-and-scopes). More events a second: see [Ordinary rates](#ordinary-rates). More clients:
  see [Clients of an agent](#clients-of-an-agent).

${PROCESSOR}, ${LINUX}, as root. Opening a tracer beside more processes, the median of three:

${formatTable(processes)}

- **longest block** is the longest time in which the event loop of the program did not run. It is read once in a
  millisecond, and other programs of the machine are in it.

What ends, and what it says. These are the messages of the library, with one more than the limit:

${limits.join('\n')}`;
}

export function cgroupSection({ mkdir, load }: CgroupTables): string {
  return `${PROCESSOR}, ${LINUX}, as root. The kernel keeps the scopes of each cgroup while a policy
has a scope, see [policy.md](policy.md#scopes). The tables above have what a hook with a scope costs. A hook of a
policy without a scope has no instruction of it.

${formatTable(mkdir)}

- **CPU** is the processor time of the process that makes the cgroups: the median of the rounds, 2,000 cgroups each.
- **added** is the median of the differences within a round. If they are not clearly above zero, the table has their
  spread instead: what a tracer adds is less than that.

The times of the next table are those of one run.

${formatTable(load)}`;
}

export function librarySection({ costs, noise }: LibraryTables): string {
  return `Linux ${KERNEL}. The table has the instructions that a policy adds to an operation that it does not report. The
file has two folders in its path, and the connection is refused. An exec is counted as explained above. The columns of
connect and exec vary by about 50 from run to run.

${formatTable(costs)}

All policies were loaded while nothing was wrong, on a machine without services. These were the tasks:
${noise.tasks.join('; ')}.
The policies reported these events, and no others:

${noise.events.join('\n')}

The tasks are small:

- **a shell looks around**: a login shell runs \`id\`, \`ls\`, \`ps\`, \`df\` and \`uname\`.
- **compile**: a login shell runs \`cc\` on a small file, and its result.
- **archive /etc**: \`tar\` reads each file below /etc, with the password hashes.
- **search /usr/share**: \`find\` and \`grep\` read configuration files.`;
}

export function loadingSection(start: Rows, loading: Rows, corpus: Rows | undefined): string {
  return `One core of ${PROCESSOR}, Node.js ${process.version}, ${LINUX}, as root. Processor time; that of loading
contains the kernel's part, its verifier above all. A ratio is the cost beside the first row, and the short benchmark
fails above "at most".

${formatTable(start)}

${formatTable(loading)}

- **polytrace validate** checks one file.
- **a further hook** is a raw tracepoint, after the first one.
${
  corpus === undefined
    ? ''
    : `
${formatTable(corpus)}

The machine is emulated, with Linux ${KERNEL}. The policies are added and removed one after the other. Those that are refused
name functions that are not in this kernel, or variables that the user has to replace.`
}`;
}

export function peerSection(rows: Rows): string {
  return `\`npm run bench -- --peers\`: Linux ${KERNEL}, in the virtual machine that counts instructions. Each tool reports
reads and opens of \`/etc/shadow\`, as far as it can. The figures are what it adds to an operation on another file,
and on that file (match).

${formatTable(rows)}

- **polytrace** and **bpftrace** are stopped meanwhile, so only their part in the kernel counts. Both compare in the
  kernel, on \`security_file_permission\` and \`security_file_open\`: polytrace and **bpftrace, path()** the whole path,
  **bpftrace, names** the name without its folders.
- **perf trace** is stopped, too. It cannot compare paths: it reports each \`pread64\` and \`openat\`.
- **strace** (\`-P /etc/shadow\`) works while the traced process waits, so all of its work counts, and it slows only the
  command that it was started with.
- **audit** has a rule on \`openat\` with this path. Its service does not run, so its records go to the kernel's log,
  which is slow. It does not see reads.`;
}

export function hostSection(rows: Rows): string {
  return `One core of ${PROCESSOR}, Node.js ${process.version}. A source in the benchmark copies made-up
records into the reader's buffer. From there on, everything is the library's code: the reader, the process cache, the
iterators.

${formatTable(rows)}

- One event of 64 is an exec. The others are calls of \`security_file_permission\` with a file and a number, or, where
  an address is read, of \`tcp_connect\` with a socket.
- **realistic stream**: 50 processes with parents read 1,000 files, in proportion to 1 / n for the n-th process and the
  n-th file, and each record has a time of its own. In the other rows, one process reads one file at one time.
- **lines** and **encoded** are written into a buffer: a string that nobody has read would cost less. The lines come
  from \`formatCompact\` and \`toJson\`; **bytes of JSON lines** come from \`jsonLines\`.
- **without events** is \`tracer.lines()\`: each record becomes a line, and no event is made.
- **a program in C** is \`bench/lines.c\`, which knows nothing but these records. It writes the same bytes, which a test
  compares, and is the bound of what is possible.
- **CPU per event** is the processor time of all threads of the process, garbage collection included.
- **events a second** is what one core reaches at this price.
- **memory grown by** is the growth of the resident set during the row.`;
}

export function countedSection(rows: Rows): string {
  return `Linux ${KERNEL}, Node.js ${process.version}, in the virtual machine that counts instructions. The figures contain the compilers and the
garbage collection of V8, and the kernel's part of writing the file. They repeat to within some per cent, because V8
compiles functions at other times in each run.

${formatTable(rows)}`;
}

export function nodesSection(rows: Rows): string {
  return `One core of ${PROCESSOR}. The readings of the short benchmark, on versions of Node.js of the npm registry:
the minimum of some rounds, each of which measures all versions.

${formatTable(rows)}

"plain code" makes an object with the path of each record, without the library. The realistic stream is that of the
section above.`;
}

export function restSection(rows: Rows): string {
  return `${PROCESSOR}, Node.js ${process.version}, ${LINUX}, as root. A shell starts 300 programs, one after
the other, while the tracer has nothing else to do.

${formatTable(rows)}

- **an event** is the time from the start of a program in the kernel to its event in \`for await\`. Half of the events
  take at most the median. With other programs on the processors, the tracer waits for its turn.
- **a second without events** is the processor time of the process: the minimum of ten seconds, because other programs
  of the machine cause events.`;
}

export function ratesSection(rows: Rows): string {
  return `${PROCESSOR}, Node.js ${process.version}, ${LINUX}, as root. A program starts programs or opens files at a
steady rate. The figures are the processor time of all threads of the tracer's process, for an event and as a part of
one processor. Lines go into a file. A start and its end are two events. Before, the tracer gets as many events as the
program can make in 20 seconds.

${formatTable(rows)}

- **At low rates**, most of the time is for waking the process. Where three events or more are expected in the longest
  pause, it reads the ring buffer at intervals instead: from 150 events a second on in the library (20 ms), and from 60
  on for lines and in the agent (50 ms).
- **Node.js alone** writes as many bytes as the JSON lines of such a rate have, every 50 ms. It is the bound of what
  \`getevents\` can reach.
- **The first minute** of a tracer takes up to twice as long at 1,000 events a second, because V8 compiles functions.`;
}

export function clientsSection(rows: Rows): string {
  return `${PROCESSOR}, Node.js ${process.version}, ${LINUX}. An agent without a kernel sends the
realistic stream to clients without filters over a Unix socket. The figures are the processor time of all threads of the
agent's process: the medians of three runs. \`npm run bench -- --clients\` fails when a client loses an event, or does
not know of every one.

${formatTable(rows)}

- **a further client** is what each client after the first one adds to an event.
- **HTTP/2 alone** is a server of \`node:http2\` that makes no message: it writes the same number of bytes to each client,
  with one write for each batch. Reading the records of the events is in it. It is the bound of what an agent in Node.js
  can reach.
- The clients have a window of 1 MiB, like the client of this package. With the 64 KiB of HTTP/2, a further client costs
  more.`;
}

/** The text below the table of goals.mts. */
export const GOAL_NOTES = `- **A cached read**: about 130 instructions are the trampoline, 60 the filters of numbers and of the process, and 230
  the look-up in the negative cache and the comparison with its entry.
- **Beyond Node.js** is our reading of the goal. With Node.js itself, the two take 64 and 52 ms: more than 40.
- **require('polytrace')**: V8 takes about 30 ms to find the functions in 1.2 MB of code.
- **validate**: Node.js by itself takes 19 ms here, the code of the package 20 ms, the types of the kernel 20 ms, the
  package yaml 25 to 30 ms for 568 lines, with code that is not compiled yet. A reader of our own for plain YAML would
  take 5 ms, but YAML is no part of what this project is for. There is no cache of compiled code: a file that
  others can write would become code of root.
- **Path and messages**: the profiles are flat, and each string that is made costs.
- **Bytes of JSON lines**: a third is the addon, which writes the line, and a quarter are the texts of processes: each
  exec makes new ones, which takes 5 µs. The rest reads records and finds their processes.
- **All policies that Tetragon publishes**: a third of the time is the kernel's. Most of the rest is V8's, whose new
  code the emulator has to translate.
- **coalesceMs: 0**: 45 µs from the kernel to JavaScript, 37 µs to decode a first record with cold caches, 10 µs to the
  iterator.
`;
