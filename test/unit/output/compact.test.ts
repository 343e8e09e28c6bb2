import assert from 'node:assert/strict';
import { formatCompact } from '../../../lib/output/compact.js';
import { displayWidth } from '../../../lib/output/escape.js';
import type { KnownFunction } from '../../../lib/output/known-functions.js';
import type { HookArgument, PlainEvent } from '../../../types/events.js';
import { fileArgument, intArgument, sizeArgument, stringArgument } from './arguments.js';
import { ALL_CAPABILITIES, execEvent, exitEvent, kprobeEvent, lostEvent, plainProcess } from './events.js';
import {
  bpfMapArgument,
  EXAMPLE_ARGUMENTS,
  packetArgument,
  perfEventArgument,
  bpfProgramArgument,
  socketArgument,
} from './values.js';

/** A call of a function, and what its line has in front of the process and after it. */
type CallLine = readonly [args: readonly HookArgument[], emoji: string, label: string, detail: string];

const MAP = 'BPF_MAP_TYPE_HASH counts key size 4 value size 8 max entries 16';

describe('compact output', () => {
  const lines: readonly (readonly [event: PlainEvent, line: string])[] = [
    [
      execEvent({ binary: '/usr/bin/bash', argv: ['-c', 'cat /etc/shadow'] }, { nodeName: '(none)' }),
      '🚀 process (none) /usr/bin/bash -c "cat /etc/shadow"',
    ],
    [execEvent({ binary: '/bin/true', argv: [] }), '🚀 process node /bin/true'],
    [exitEvent({ binary: '', argv: [], flags: 'procFS unknown' }), '💥 exit    node (unknown)  0'],
    [execEvent({ argv: [''] }), '🚀 process node /usr/bin/cat ""'],
    [execEvent({ argv: ['-n', 'x'], flags: 'execve truncArgs' }), '🚀 process node /usr/bin/cat -n x …'],
    [exitEvent(), '💥 exit    node /usr/bin/cat /etc/shadow 0'],
    [exitEvent({ argv: [] }, { status: 127 }), '💥 exit    node /usr/bin/cat  127'],
    [exitEvent({ argv: [] }, { signal: 'SIGKILL' }), '💥 exit    node /usr/bin/cat  SIGKILL'],
    [exitEvent({}, { signal: 'SIGKILL' }), '💥 exit    node /usr/bin/cat /etc/shadow SIGKILL'],
    [execEvent({ pod: { namespace: 'default', name: 'web-0' } }), '🚀 process default/web-0 /usr/bin/cat /etc/shadow'],
    [execEvent({ container: { id: 'c', name: 'web' } }), '🚀 process web /usr/bin/cat /etc/shadow'],
    [execEvent({ container: { id: 'c', name: 'a b\n' } }), '🚀 process "a b\\n" /usr/bin/cat /etc/shadow'],
    [execEvent({ container: { id: 'c' } }), '🚀 process node /usr/bin/cat /etc/shadow'],
    [lostEvent(), '⚠️  lost    node security_file_permission 12 events (ring_full)'],
    [
      lostEvent({ hook: 'process_exec', reason: 'slow_consumer', count: 1 }),
      '⚠️  lost    node process_exec 1 event (slow_consumer)',
    ],
  ];
  for (const [event, line] of lines) {
    it(line, () => {
      assert.equal(formatCompact(event), line);
    });
  }

  describe('known functions', () => {
    const shadow = fileArgument('/etc/shadow');
    const pathArgument = (path: string, index: number): HookArgument => fileArgument(path, index, { type: 'path' });
    const unreadable: HookArgument = { type: 'string', index: 0, value: '', truncated: false, unreadable: true };
    const lines: Readonly<Record<KnownFunction, readonly [CallLine, ...CallLine[]]>> = {
      security_file_permission: [
        [[shadow, intArgument(4, 1)], '📚', 'read   ', '/etc/shadow'],
        [[shadow, intArgument(2, 1)], '📝', 'write  ', '/etc/shadow'],
        [[shadow, intArgument(1, 1)], '❓', 'security_file_permission', '/etc/shadow'],
        [[shadow], '❓', 'security_file_permission', '/etc/shadow'],
      ],
      security_mmap_file: [
        [[shadow, intArgument(3, 1, 'uint32'), intArgument(1, 2, 'uint32')], '📝', 'mmap-rw', '/etc/shadow'],
        [[shadow, intArgument(5, 1, 'uint32')], '📝', 'mmap-rx', '/etc/shadow'],
        [[shadow, intArgument(0, 1, 'uint32')], '📝', 'mmap-  ', '/etc/shadow'],
        [[shadow, sizeArgument(6n, 1)], '📝', 'mmap-wx', '/etc/shadow'],
      ],
      security_path_truncate: [[[fileArgument('/etc/x', 0, { type: 'path' })], '📝', 'truncate', '/etc/x']],
      security_file_truncate: [[[shadow], '📝', 'truncate', '/etc/shadow']],
      security_file_mprotect: [
        [[shadow, intArgument(3, 2, 'uint32'), intArgument(8, 0, 'uint32')], '📝', 'mprotect-rw', '/etc/shadow'],
      ],
      security_path_rename: [
        [
          [
            pathArgument('/etc', 0),
            fileArgument('/shadow', 1, { type: 'dentry', flags: ['unreachable'] }),
            pathArgument('/', 2),
            fileArgument('/new name', 3, { type: 'dentry' }),
          ],
          '🔀',
          'rename ',
          '/etc/shadow -> "/new name"',
        ],
        [[fileArgument('/etc/x', 1, { type: 'dentry' })], '🔀', 'rename ', '/etc/x'],
        [[pathArgument('/etc', 0)], '🔀', 'rename ', ''],
      ],
      security_path_link: [
        [
          [
            fileArgument('/etc/x', 0, { type: 'dentry', flags: ['deleted'] }),
            fileArgument('/srv', 1, { type: 'path', flags: ['unreachable'] }),
            fileArgument('/srv/y', 2, { type: 'dentry' }),
          ],
          '🔗',
          'link   ',
          '/etc/x (deleted) -> /srv/y (unreachable)',
        ],
        [[], '🔗', 'link   ', ''],
      ],
      security_path_chroot: [[[pathArgument('/etc', 0)], '📂', 'chroot ', '/etc']],
      __do_loopback: [[[pathArgument('/etc', 0)], '💾', 'bind   ', '/etc']],
      clone_private_mount: [[[pathArgument('/etc', 0)], '💾', 'layer  ', '/etc']],
      security_sb_mount: [
        [
          [stringArgument('none', 0), pathArgument('/etc', 1), stringArgument('tmpfs', 2), sizeArgument(0n, 3)],
          '💾',
          'mount  ',
          'none /etc',
        ],
      ],
      security_move_mount: [[[pathArgument('/srv', 0), pathArgument('/etc', 1)], '💾', 'move_mount', '/srv /etc']],
      sys_read: [
        [
          [fileArgument('/etc/x', 0, { type: 'fd', fd: 3 }), sizeArgument(4096n, 2)],
          '📚',
          'read   ',
          '/etc/x 4096 bytes',
        ],
        [[intArgument(3, 0), intArgument(4096, 2)], '📚', 'read   ', '4096 bytes'],
      ],
      sys_write: [[[intArgument(1, 0), sizeArgument(5n, 2)], '📝', 'write  ', '5 bytes']],
      fd_install: [[[intArgument(3, 0), fileArgument('/etc/x', 1)], '📬', 'open   ', '/etc/x']],
      sys_open: [[[stringArgument('../x', 0)], '📬', 'open   ', '../x']],
      sys_openat: [[[intArgument(-100, 0), stringArgument('/etc/x', 1)], '📬', 'openat ', '/etc/x']],
      sys_close: [[[fileArgument('/etc/x', 0, { type: 'fd', fd: 3 })], '📪', 'close  ', '/etc/x']],
      sys_mount: [
        [
          [stringArgument('/dev/sda', 0), stringArgument('/mnt', 1), stringArgument('ext4', 2)],
          '💾',
          'mount  ',
          '/dev/sda /mnt',
        ],
        [[unreadable, stringArgument('/mnt', 1)], '💾', 'mount  ', '(unreadable) /mnt'],
      ],
      sys_pivot_root: [[[stringArgument('/new', 0), stringArgument('/old', 1)], '💾', 'pivot_root', '/new /old']],
      sys_setuid: [
        [[intArgument(0, 0)], '🔑', 'setuid ', '0'],
        [[{ type: 'uint64', index: 0, value: 1000n }], '🔑', 'setuid ', '1000'],
      ],
      sys_setns: [
        [[intArgument(3, 0), intArgument(0x40000000, 1)], '🔧', 'setns  ', 'net'],
        [[intArgument(3, 0), intArgument(0x20020000, 1)], '🔧', 'setns  ', 'mnt,pid'],
        [[intArgument(3, 0), intArgument(0, 1)], '🔧', 'setns  ', 'any'],
      ],
      sys_clock_settime: [[[], '⏰', 'clock_settime', '']],
      tcp_connect: [
        [[], '🔌', 'connect', ''],
        [[socketArgument()], '🔌', 'connect', 'tcp 10.0.0.1:40000 -> 192.0.2.7:443'],
        [[packetArgument({ protocol: '200' })], '🔌', 'connect', '200 10.0.0.1:40000 -> 192.0.2.7:443'],
      ],
      tcp_close: [
        [
          [socketArgument({ family: 'AF_INET6', sourceAddress: '::1', destinationAddress: '2001:db8::1' })],
          '🧹',
          'close  ',
          'tcp [::1]:40000 -> [2001:db8::1]:443',
        ],
        [[socketArgument({ family: 'AF_UNIX', sourceAddress: '' })], '🧹', 'close  ', 'AF_UNIX'],
        [[socketArgument({ unreadable: true })], '🧹', 'close  ', ''],
      ],
      tcp_sendmsg: [
        [[socketArgument(), sizeArgument(5n, 2)], '📤', 'sendmsg', 'tcp 10.0.0.1:40000 -> 192.0.2.7:443 bytes 5'],
        [[socketArgument(), intArgument(5, 2)], '📤', 'sendmsg', 'tcp 10.0.0.1:40000 -> 192.0.2.7:443 bytes 5'],
        [
          [{ type: 'uint64', index: 2, value: 2n ** 63n }, socketArgument()],
          '📤',
          'sendmsg',
          'tcp 10.0.0.1:40000 -> 192.0.2.7:443 bytes 9223372036854775808',
        ],
      ],
      bpf_check: [
        [[bpfProgramArgument()], '🐝', 'bpf_load', 'BPF_PROG_TYPE_KPROBE probe instruction count 12'],
        [[bpfProgramArgument({ name: '\n' })], '🐝', 'bpf_load', 'BPF_PROG_TYPE_KPROBE "\\n" instruction count 12'],
      ],
      security_perf_event_alloc: [
        [[perfEventArgument()], '🐝', 'perf_event_alloc', 'PERF_TYPE_TRACEPOINT do_exit'],
        [[perfEventArgument({ function: '' })], '🐝', 'perf_event_alloc', 'PERF_TYPE_TRACEPOINT'],
      ],
      security_bpf_map_alloc: [[[bpfMapArgument()], '🗺', 'bpf_map_create', MAP]],
      security_bpf_map_create: [[[bpfMapArgument()], '🗺', 'bpf_map_create', MAP]],
    };
    for (const [name, calls] of Object.entries(lines)) {
      const functionName = name.startsWith('sys_') ? `__x64_${name}` : name;
      for (const call of calls) addTest(functionName, ...call);
    }
    for (const [name, ...call] of [
      [
        '__arm64_sys_write',
        [fileArgument('/etc/x', 0, { type: 'fd', fd: 3 }), sizeArgument(5n, 2)],
        '📝',
        'write  ',
        '/etc/x 5 bytes',
      ],
      ['__x64_sys_ptrace', [intArgument(16, 0)], '❓', 'syscall', '__x64_sys_ptrace 16 # files'],
      ['__arm64_sys_ptrace', [intArgument(16, 0)], '❓', 'syscall', '__arm64_sys_ptrace 16 # files'],
      ['toString', [], '❓', 'kprobe ', 'toString # files'],
    ] satisfies (readonly [name: string, ...CallLine])[])
      addTest(name, ...call);

    function addTest(name: string, ...[args, emoji, label, detail]: CallLine): void {
      it(`${name}: ${emoji} ${label} ${detail}`, () => {
        const line = `${emoji} ${label} node /usr/bin/cat ${detail}`.trimEnd();
        assert.equal(formatCompact(kprobeEvent(name, args)), line);
      });
    }
  });

  describe('other functions', () => {
    const charBuffer = (text: string, size = text.length): HookArgument => {
      const value = Buffer.from(text, 'latin1');
      return { type: 'char_buf', index: 1, value, size, truncated: size > value.length };
    };
    const rows: readonly (readonly [args: readonly HookArgument[], line: string])[] = [
      [[fileArgument('/etc/a b', 0, { flags: ['deleted'] }), intArgument(4, 1)], '"/etc/a b" (deleted) 4'],
      [[{ ...intArgument(438, 1), label: 'the mode' }], '"the mode"=438'],
      [[socketArgument()], 'tcp 10.0.0.1:40000 -> 192.0.2.7:443'],
      [[socketArgument({ unreadable: true })], '(unreadable)'],
      [[{ type: 'sockaddr', index: 1, family: 'AF_INET6', address: '2001:db8::1', port: 53 }], '[2001:db8::1]:53'],
      [[{ type: 'sockaddr', index: 1, family: 'AF_NETLINK', address: '', port: 0 }], 'AF_NETLINK'],
      [[{ type: 'capability', index: 0, value: 21, name: 'CAP_SYS_ADMIN' }], 'CAP_SYS_ADMIN'],
      [[{ type: 'cap_effective', index: 0, value: 3n, names: ['CAP_CHOWN', 'CAP_DAC_OVERRIDE'] }], '0x3'],
      [[{ type: 'module', index: 0, name: 'evil mod', taints: 0n }], '"evil mod"'],
      [
        [bpfProgramArgument(), bpfMapArgument(), perfEventArgument()],
        `BPF_PROG_TYPE_KPROBE probe instruction count 12 ${MAP} PERF_TYPE_TRACEPOINT do_exit`,
      ],
      [[charBuffer('GET / HTTP/1.1\r\n')], '"GET / HTTP/1.1\\r\\n"'],
      [[charBuffer('\u0000\u00ff')], '0x00ff'],
      [[charBuffer('a'.repeat(40))], `${'a'.repeat(32)}… (40 bytes)`],
      [[{ ...charBuffer('', 9), unreadable: true } as HookArgument], '(unreadable)'],
      [[0, 1, 2, 3, 4, 5].map((value) => intArgument(value, value)), '0 1 2 3 4 …'],
    ];
    for (const [args, line] of rows) {
      it(line, () => {
        assert.equal(formatCompact(kprobeEvent('do_x', args)), `❓ kprobe  node /usr/bin/cat do_x ${line} # files`);
      });
    }

    it('show a value of each type', () => {
      const texts: Readonly<Record<HookArgument['type'], string>> = {
        int: '-2147483648',
        int8: '-128',
        sint8: '127',
        int16: '-32768',
        sint16: '32767',
        int32: '-1',
        sint32: '2147483647',
        uint8: '255',
        uint16: '65535',
        uint32: '4294967295',
        int64: '-9223372036854775808',
        sint64: '9223372036854775807',
        long: '-1',
        uint64: '18446744073709551615',
        ulong: '4294967296',
        size_t: '4096',
        string: '"ü b"',
        data_loc: 'eth0',
        filename: '/etc/a (truncated)',
        net_device: 'lo',
        sockaddr_un: '@x',
        sockaddr_alg: 'hash/sha256',
        char_buf: 'abc',
        const_buf: '0x0061',
        char_iovec: 'abc… (99 bytes)',
        iov_iter: '""',
        file: '"/etc/a b"',
        path: '/a (deleted)',
        fd: '/a',
        dentry: '/a (unreachable)',
        linux_binprm: '/bin/a',
        kiocb: '/a',
        sock: 'tcp 10.0.0.1:40000 -> 192.0.2.7:443',
        socket: 'tcp 10.0.0.1:40000 -> 192.0.2.7:443',
        skb: 'tcp 10.0.0.1:40000 -> 192.0.2.7:443',
        sockaddr: '[2001:db8::1]:53',
        capability: 'CAP_SYS_ADMIN',
        kernel_cap_t: '0x1',
        cap_inheritable: '0x0',
        cap_permitted: '0x2',
        cap_effective: '0x3',
        syscall64: 'openat',
        cred: 'uid 0 euid 2',
        user_namespace: 'user namespace 4026531837',
        bpf_cmd: 'BPF_PROG_LOAD',
        bpf_attr: 'BPF_PROG_TYPE_KPROBE probe instruction count 12',
        bpf_prog: 'BPF_PROG_TYPE_KPROBE probe instruction count 12',
        bpf_map: MAP,
        perf_event: 'PERF_TYPE_TRACEPOINT do_exit',
        module: 'dummy',
        load_info: 'dummy',
      };
      for (const [type, text] of Object.entries(texts) as [HookArgument['type'], string][]) {
        const line = formatCompact(kprobeEvent('do_x', [EXAMPLE_ARGUMENTS[type]]));
        assert.equal(line, `❓ kprobe  node /usr/bin/cat do_x ${text} # files`);
      }
    });

    it('shows the message of the hook, and the return value', () => {
      const event = kprobeEvent('do_x', [], { message: 'somebody calls x', return: intArgument(-13, 0) });
      assert.equal(formatCompact(event), '❓ kprobe  node /usr/bin/cat do_x = -13 # "somebody calls x"');
    });

    it('have the format of Tetragon', () => {
      const lines = ['__x64_sys_ptrace', 'do_x'].map((name) =>
        formatCompact(kprobeEvent(name, [fileArgument('/etc/x')], { message: 'seen' }), { style: 'tetragon' }),
      );
      assert.deepEqual(lines, ['❓ syscall node /usr/bin/cat __x64_sys_ptrace', '❓ syscall node /usr/bin/cat do_x']);
    });
  });

  it('names process, user and parent with the option `who`', () => {
    const parent = plainProcess({ binary: '/usr/bin/my shell' });
    const process = plainProcess({ pid: 42, uid: 1000 });
    assert.equal(
      formatCompact(execEvent({ pid: 42, uid: 1000 }, { parent }), { who: true }),
      '🚀 process node /usr/bin/cat /etc/shadow (pid 42, uid 1000, "my shell")',
    );
    assert.equal(
      formatCompact(kprobeEvent('fd_install', [fileArgument('/etc/x')], { process }), { who: true }),
      '📬 open    node /usr/bin/cat /etc/x (pid 42, uid 1000)',
    );
  });

  describe('incomplete paths', () => {
    const paths = [
      [fileArgument('/tmp/x', 0, { flags: ['deleted'] }), '/tmp/x (deleted)'],
      [fileArgument('/a/b', 0, { flags: ['truncated', 'unreachable'] }), '/a/b (truncated) (unreachable)'],
      [fileArgument('pipe:[12]', 0, { flags: ['pseudo'] }), 'pipe:[12]'],
      [fileArgument('', 0, { flags: ['fault'] }), '(fault)'],
      [stringArgument('/etc/x', 0, true), '/etc/x (truncated)'],
    ] as const;
    for (const [argument, path] of paths) {
      it(path, () => {
        const line = formatCompact(kprobeEvent('security_path_truncate', [argument]));
        assert.equal(line, `📝 truncate node /usr/bin/cat ${path}`);
      });
    }
  });

  it('keeps an event in one line and is safe for a terminal, whatever strings the event has', () => {
    const evil = 'a\nb\u001b[2J\u202e"\\ \u009b';
    const line = formatCompact(
      kprobeEvent('security_file_truncate', [fileArgument(evil)], {
        process: plainProcess({ binary: evil }),
        nodeName: evil,
      }),
    );
    const quoted = '"a\\nb\\x1b[2J\\u202e\\"\\\\ \\x9b"';
    assert.equal(line, `📝 truncate ${quoted} ${quoted} ${quoted}`);
  });

  it('shows the time first when asked', () => {
    assert.equal(
      formatCompact(exitEvent(), { timestamps: true }),
      '2026-11-24T14:36:50.316744941Z 💥 exit    node /usr/bin/cat /etc/shadow 0',
    );
  });

  it('adds colours without changing the text', () => {
    for (const event of [execEvent(), exitEvent(), kprobeEvent('fd_install', []), lostEvent()]) {
      const line = formatCompact(event, { color: true, timestamps: true });
      assert.match(line, /\u001b\[\d+m/);
      assert.equal(line.replace(/\u001b\[\d+m/g, ''), formatCompact(event, { timestamps: true }));
    }
  });

  describe('capability trailer', () => {
    const admin = { capabilities: { permitted: ALL_CAPABILITIES, effective: 0n, inheritable: 0n } };

    it('ends the line at column 120', () => {
      const line = formatCompact(execEvent(admin), { capabilities: true });
      assert.match(line, /^🚀 process node \/usr\/bin\/cat \/etc\/shadow {2,}🛑 CAP_SYS_ADMIN$/);
      assert.equal(displayWidth(line), 120);
    });

    it('is in the same column with colours and wide characters', () => {
      const process = { ...admin, argv: ['日本語'] };
      const line = formatCompact(execEvent(process), { capabilities: true, color: true });
      assert.equal(displayWidth(line.replace(/\u001b\[\d+m/g, '')), 120);
    });

    it('follows a longer line after one space', () => {
      const line = formatCompact(execEvent({ ...admin, argv: ['x'.repeat(200)] }), { capabilities: true });
      assert.match(line, /x 🛑 CAP_SYS_ADMIN$/);
    });

    it('is absent without the capability, and by default', () => {
      assert.doesNotMatch(formatCompact(execEvent(), { capabilities: true }), /🛑/);
      assert.doesNotMatch(formatCompact(execEvent(admin)), /🛑/);
    });
  });
});
