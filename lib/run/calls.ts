/** Describes system calls that reach other processes or the kernel. Pure. */
import type { BehaviorKind } from '../../types/run.js';
import type { OtherCall } from './observed-calls.js';

export interface CallValues {
  readonly result: number;
  readonly numbers: readonly [number, number, number];
  readonly texts: readonly [string, string, string];
  readonly pid: number;
  readonly uid: number;
  readonly signalName: (signal: number) => string;
  readonly describeProcess: (pid: number) => { readonly binary: string; readonly isOwn: boolean };
}

export interface DescribedCall {
  readonly kind: BehaviorKind;
  readonly text: string;
  /** The text without process ids. */
  readonly fact?: string;
  /** The file that the call changes, absolute or relative; `text` follows it. */
  readonly path?: string;
}

/** Requests of ptrace(2) that need no other process. */
const PTRACE_TRACEME = 0;
const PTRACE_NAMES: Readonly<Record<number, string>> = { 16: 'attach', 0x4206: 'seize', 4: 'poke', 5: 'poke' };
/** unshare(2) and setns(2): CLONE_NEWUSER and the other namespaces. */
const NEW_USER = 0x1000_0000;
const NAMESPACES: readonly (readonly [number, string])[] = [
  [0x0002_0000, 'mount'], [0x0200_0000, 'cgroup'], [0x0400_0000, 'uts'], [0x0800_0000, 'ipc'], [NEW_USER, 'user'],
  [0x2000_0000, 'pid'], [0x4000_0000, 'net'],
]; // prettier-ignore
const BPF_LOAD = 5;

/** Undefined for calls that are not worth a line: a process about itself, or one that changes nothing. */
export function describeCall(name: OtherCall, values: CallValues): DescribedCall | undefined {
  const { result, numbers, texts, pid, uid } = values;
  const [one, two] = numbers;
  const failed = result < 0 ? ' (refused)' : '';
  const kernel = (text: string): DescribedCall => ({ kind: 'kernel', text: text + failed, fact: text });
  switch (name) {
    case 'kill':
      return describeKill(values);
    case 'ptrace': {
      if (one === PTRACE_TRACEME) return undefined;
      const request = PTRACE_NAMES[one];
      return request === undefined ? undefined : aboutProcess('memory', `ptrace ${request}`, two, values);
    }
    case 'process_vm_readv':
      return one === pid ? undefined : aboutProcess('memory', 'read memory', one, values);
    case 'process_vm_writev':
      return one === pid ? undefined : aboutProcess('memory', 'write memory', one, values);
    case 'pidfd_getfd':
      return { kind: 'memory', text: 'take a descriptor of another process' };
    case 'pidfd_send_signal':
      return two === 0 ? undefined : { kind: 'signal', text: `${values.signalName(two)} by a pidfd` };
    case 'setuid':
    case 'setreuid':
    case 'setresuid':
    case 'setgid':
    case 'setregid':
    case 'setresgid': {
      const ids = (name.startsWith('setres') ? numbers : name.startsWith('setre') ? numbers.slice(0, 2) : [one]).map(
        (id) => id >>> 0,
      );
      // a process that stays what it is changes nothing
      if (result < 0 || ids.every((id) => id === 0xffff_ffff || (id === uid && uid !== 0))) return undefined;
      return { kind: 'privilege', text: `${name} ${ids.map((id) => (id === 0xffff_ffff ? -1 : id)).join(' ')}` };
    }
    case 'setgroups':
    case 'capset':
      return result < 0 ? undefined : { kind: 'privilege', text: name };
    case 'unshare': {
      const names = NAMESPACES.flatMap(([flag, namespace]) => ((one & flag) !== 0 ? [namespace] : []));
      return names.length === 0
        ? undefined
        : { kind: 'privilege', text: `unshare ${names.join(', ')}${failed}`, fact: `unshare ${names.join(', ')}` };
    }
    case 'setns':
      return { kind: 'privilege', text: `setns${failed}`, fact: 'setns' };
    case 'mount':
      return {
        kind: 'mount',
        text: `mount ${texts[0] === '' ? 'none' : texts[0]} on ${texts[1]}${failed}`,
        fact: `mount on ${texts[1]}`,
      };
    case 'umount2':
      return { kind: 'mount', text: `unmount ${texts[0]}${failed}`, fact: `unmount ${texts[0]}` };
    case 'chroot':
      return { kind: 'mount', text: `chroot ${texts[0]}${failed}`, fact: `chroot ${texts[0]}` };
    case 'pivot_root':
    case 'open_tree':
    case 'move_mount':
    case 'fsmount':
      return { kind: 'mount', text: name + failed, fact: name };
    case 'bpf':
      return kernel(one === BPF_LOAD ? 'load a BPF program' : 'use BPF');
    case 'init_module':
    case 'finit_module':
      return kernel('load a kernel module');
    case 'delete_module':
      return kernel(`remove the kernel module ${texts[0]}`);
    case 'kexec_load':
    case 'kexec_file_load':
      return kernel('load another kernel');
    case 'perf_event_open':
    case 'reboot':
    case 'iopl':
    case 'ioperm':
      return kernel(name);
    case 'io_uring_setup':
      return result < 0 ? undefined : { kind: 'unseen', text: 'io_uring' };
    case 'symlinkat':
      return result < 0 ? undefined : { kind: 'write', path: texts[2], text: ' (link)' };
  }
}

function describeKill({
  numbers: [target, signal],
  pid,
  describeProcess,
  signalName,
}: CallValues): DescribedCall | undefined {
  const id = target | 0;
  if (signal === 0 || id === pid || id === 0) return undefined;
  if (id === -1) return { kind: 'signal', text: `${signalName(signal)} to all processes` };
  const { binary, isOwn } = describeProcess(Math.abs(id));
  if (isOwn) return undefined;
  const what = id < 0 ? 'the group of ' : '';
  return {
    kind: 'signal',
    text: `${signalName(signal)} to ${what}${binary} (pid ${id})`,
    fact: `${signalName(signal)} to ${what}${binary}`,
  };
}

function aboutProcess(
  kind: BehaviorKind,
  what: string,
  pid: number,
  { describeProcess, result }: CallValues,
): DescribedCall {
  const { binary, isOwn } = describeProcess(pid);
  const whose = isOwn ? '' : ' outside of the run';
  const failed = result < 0 ? ' (refused)' : '';
  return { kind, text: `${what} of ${binary} (pid ${pid})${whose}${failed}`, fact: `${what} of ${binary}${whose}` };
}
