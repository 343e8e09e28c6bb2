/** Names of signals by number. The names of `os.constants` are not used because they have aliases: 6 would be SIGIOT. */

/** The numbers from 1 on, equal on x86 and arm64 (arch/x86/include/uapi/asm/signal.h, include/uapi/asm-generic/signal.h). */
const SIGNAL_NAMES = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGILL',
  'SIGTRAP',
  'SIGABRT',
  'SIGBUS',
  'SIGFPE',
  'SIGKILL',
  'SIGUSR1',
  'SIGSEGV',
  'SIGUSR2',
  'SIGPIPE',
  'SIGALRM',
  'SIGTERM',
  'SIGSTKFLT',
  'SIGCHLD',
  'SIGCONT',
  'SIGSTOP',
  'SIGTSTP',
  'SIGTTIN',
  'SIGTTOU',
  'SIGURG',
  'SIGXCPU',
  'SIGXFSZ',
  'SIGVTALRM',
  'SIGPROF',
  'SIGWINCH',
  'SIGIO',
  'SIGPWR',
  'SIGSYS',
] as const;

export const SIGKILL = SIGNAL_NAMES.indexOf('SIGKILL') + 1;
/** The largest number of a signal: _NSIG of the kernel. */
export const SIGNALS_MAX = 64;

/** The first realtime signal of the C library and of `kill -l`. The C library uses the kernel's 32 and 33 itself. */
const REALTIME_FIRST = 34;

export function signalName(number: number): string {
  if (number === REALTIME_FIRST) return 'SIGRTMIN';
  if (number > REALTIME_FIRST) return `SIGRTMIN+${number - REALTIME_FIRST}`;
  return SIGNAL_NAMES[number - 1] ?? `SIG${number}`;
}

/** The number of a signal by its name, with or without SIG; undefined if the name is not known. */
export function signalNumber(name: string): number | undefined {
  const wanted = name.toUpperCase();
  const index = SIGNAL_NAMES.findIndex((each) => each === wanted || each === `SIG${wanted}`);
  return index < 0 ? undefined : index + 1;
}
