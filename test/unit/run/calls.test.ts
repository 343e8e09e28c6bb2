import assert from 'node:assert/strict';
import { describeCall, type CallValues } from '../../../lib/run/calls.js';

const values = (numbers: readonly number[], more: Partial<CallValues> = {}): CallValues => ({
  result: 0,
  numbers: [numbers[0] ?? 0, numbers[1] ?? 0, numbers[2] ?? 0],
  texts: ['', '', ''],
  pid: 10,
  uid: 1000,
  signalName: (signal) => `SIG${signal}`,
  describeProcess: (pid) => ({ binary: `/bin/p${pid}`, isOwn: pid < 100 }),
  ...more,
});

describe('system calls of a run', () => {
  const table: readonly (readonly [string, Parameters<typeof describeCall>[0], CallValues, string | undefined])[] = [
    ['a signal to a process outside', 'kill', values([200, 9]), 'signal: SIG9 to /bin/p200'],
    ['a signal to a group outside', 'kill', values([-200, 9]), 'signal: SIG9 to the group of /bin/p200'],
    ['a signal to everybody', 'kill', values([-1, 9]), 'signal: SIG9 to all processes'],
    ['a signal to an own process', 'kill', values([20, 9]), undefined],
    ['a test whether a process exists', 'kill', values([200, 0]), undefined],
    ['its own group', 'kill', values([0, 9]), undefined],
    ['ptrace of itself', 'ptrace', values([0, 0]), undefined],
    ['ptrace attach', 'ptrace', values([16, 200]), 'memory: ptrace attach of /bin/p200 outside of the run'],
    ['ptrace seize of an own process', 'ptrace', values([0x4206, 20]), 'memory: ptrace seize of /bin/p20'],
    ['another request', 'ptrace', values([7, 20]), undefined],
    ['its own memory', 'process_vm_readv', values([10]), undefined],
    ['memory that is read', 'process_vm_readv', values([20]), 'memory: read memory of /bin/p20'],
    [
      'memory that is written',
      'process_vm_writev',
      values([200]),
      'memory: write memory of /bin/p200 outside of the run',
    ],
    ['its own memory, written', 'process_vm_writev', values([10]), undefined],
    ['a descriptor', 'pidfd_getfd', values([3, 4]), 'memory: take a descriptor of another process'],
    ['a signal by a pidfd', 'pidfd_send_signal', values([3, 9]), 'signal: SIG9 by a pidfd'],
    ['a test by a pidfd', 'pidfd_send_signal', values([3, 0]), undefined],
    ['setuid to another user', 'setuid', values([0]), 'privilege: setuid 0'],
    ['setuid to the same user', 'setuid', values([1000]), undefined],
    ['setuid that failed', 'setuid', values([0], { result: -1 }), undefined],
    ['setresuid', 'setresuid', values([0xffff_ffff, 0, 0xffff_ffff]), 'privilege: setresuid -1 0 -1'],
    ['setreuid', 'setreuid', values([0, 5]), 'privilege: setreuid 0 5'],
    ['capset', 'capset', values([]), 'privilege: capset'],
    ['setgroups that failed', 'setgroups', values([], { result: -1 }), undefined],
    ['a user namespace', 'unshare', values([0x1002_0000]), 'privilege: unshare mount, user'],
    ['other parts', 'unshare', values([0x400]), undefined],
    ['setns', 'setns', values([3], { result: -1 }), 'privilege: setns'],
    ['mount', 'mount', values([], { texts: ['/dev/x', '/mnt', ''] }), 'mount: mount on /mnt'],
    ['unmount', 'umount2', values([], { texts: ['/mnt', '', ''] }), 'mount: unmount /mnt'],
    ['chroot', 'chroot', values([], { texts: ['/new', '', ''] }), 'mount: chroot /new'],
    ['move_mount', 'move_mount', values([]), 'mount: move_mount'],
    ['a BPF program', 'bpf', values([5]), 'kernel: load a BPF program'],
    ['BPF', 'bpf', values([1]), 'kernel: use BPF'],
    ['a module', 'finit_module', values([3]), 'kernel: load a kernel module'],
    ['a module that goes', 'delete_module', values([], { texts: ['x', '', ''] }), 'kernel: remove the kernel module x'],
    ['kexec', 'kexec_load', values([]), 'kernel: load another kernel'],
    ['reboot', 'reboot', values([]), 'kernel: reboot'],
    ['io_uring', 'io_uring_setup', values([]), 'unseen: io_uring'],
    ['io_uring that is not there', 'io_uring_setup', values([], { result: -38 }), undefined],
    ['a symbolic link', 'symlinkat', values([], { texts: ['to', '', '/from'] }), 'write:  (link)'],
  ];
  for (const [what, name, given, expected] of table) {
    it(what, () => {
      const described = describeCall(name, given);
      assert.equal(described && `${described.kind}: ${described.fact ?? described.text}`, expected);
    });
  }

  it('what was refused says so, but its fact is the same', () => {
    const described = describeCall('ptrace', values([16, 200], { result: -1 }));
    assert.equal(described?.text, 'ptrace attach of /bin/p200 (pid 200) outside of the run (refused)');
  });
});
