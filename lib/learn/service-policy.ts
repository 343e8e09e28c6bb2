/** Writes what a service does as an allow-list policy, a seccomp profile, and a NetworkPolicy. Pure. */
import type { LearnedService, LearnServiceOptions } from '../../types/learn.js';
import type { Behavior, BehaviorKind } from '../../types/run.js';
import { formatPattern, generalizePaths, type PathPattern } from '../generalize/patterns.js';
import { formatPolicy, quoteForComment, quoteYaml, type Filter, type PolicyHook } from '../generalize/policy-text.js';
import { SECRET_BEGINNINGS, SECRET_ENDS } from '../generalize/secrets.js';
import { isShared } from '../generalize/trust.js';
import { parseEndpoint, type ParsedFact } from '../run/lock-facts.js';
import { connectHooks, listenHooks } from '../run/lock-sockets.js';
import { WRITE_FLAGS, WRITE_NOISE } from '../run/policy.js';
import { isPlainText } from './identity.js';
import type { ServiceFacts } from './service-events.js';

/** Values of a filter. */
const PATHS_MAX = 2000;
/** Ports and addresses of a service. More of them are no list that a person reviews. */
const ENDPOINTS_MAX = 256;
/** Behaviors that are about more than a file or an address: the policy has no hook for them, so they are only named. */
const NAMED: readonly BehaviorKind[] = ['memory', 'kernel', 'privilege', 'mount', 'signal', 'unseen'];
const PATH_MAX = 254;

/**
 * System calls that are left out of profiles although they were seen: with them a process leaves its container, changes the
 * kernel, or reads other processes. Add one by hand if the service is known to need it.
 */
const RISKY_CALLS = new Set([
  'acct', 'add_key', 'bpf', 'clock_settime', 'delete_module', 'finit_module', 'fsconfig', 'fsmount', 'fsopen', 'init_module',
  'ioperm', 'iopl', 'kexec_file_load', 'kexec_load', 'keyctl', 'mount', 'mount_setattr', 'move_mount', 'open_by_handle_at',
  'open_tree', 'perf_event_open', 'personality', 'pivot_root', 'process_vm_readv', 'process_vm_writev', 'ptrace', 'quotactl',
  'reboot', 'request_key', 'setns', 'settimeofday', 'swapoff', 'swapon', 'umount2', 'unshare', 'userfaultfd',
]); // prettier-ignore
/** What a runtime calls between its filter and the program, and what ends a process. */
const NEEDED_CALLS = [
  'arch_prctl', 'brk', 'capget', 'capset', 'chdir', 'close', 'execve', 'exit', 'exit_group', 'fchdir', 'fcntl', 'fstat',
  'futex', 'getpid', 'getppid', 'mmap', 'mprotect', 'munmap', 'newfstatat', 'openat', 'prctl', 'read', 'restart_syscall',
  'rt_sigaction', 'rt_sigprocmask', 'rt_sigreturn', 'set_robust_list', 'set_tid_address', 'setgid', 'setgroups', 'setuid',
  'statx', 'write',
]; // prettier-ignore
/** Capabilities with which a process is root of the machine. */
const RISKY_CAPABILITIES = new Set([
  'CAP_BPF', 'CAP_DAC_READ_SEARCH', 'CAP_MAC_ADMIN', 'CAP_MAC_OVERRIDE', 'CAP_PERFMON', 'CAP_SYS_ADMIN', 'CAP_SYS_BOOT',
  'CAP_SYS_MODULE', 'CAP_SYS_PTRACE', 'CAP_SYS_RAWIO', 'CAP_SYS_TIME',
]); // prettier-ignore

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };

export function writeService(
  facts: ServiceFacts,
  options: LearnServiceOptions,
  recorded: {
    readonly sources: readonly string[];
    readonly architecture: 'x64' | 'arm64';
    readonly hasCapabilities: boolean;
  },
): LearnedService {
  const result: Mutable<Pick<LearnedService, 'allowed' | 'refused' | 'cut'>> = { allowed: [], refused: [], cut: [] };
  const of = (kind: BehaviorKind): Behavior[] => facts.behaviors.filter((each) => each.kind === kind);
  const refuse = (kind: string, subject: string, reason: string): void =>
    void result.refused.push({ kind, subject, reason });
  const paths = (kind: BehaviorKind, isExecuted: boolean): string[] =>
    of(kind).flatMap(({ subject, count }) => {
      const path = subject.replace(/ \((?:written|folder|link)\)$/, '');
      const reason = refusePath(path, isExecuted);
      if (reason !== undefined) refuse(kind, path, reason);
      else result.allowed.push({ kind, subject: path, events: count });
      return reason === undefined ? [path] : [];
    });
  const executed = paths('exec', true);
  const written = paths('write', false);
  const secrets = paths('secret', false);
  for (const kind of NAMED) for (const { subject } of of(kind)) refuse(kind, subject, 'the policy has no list for it');
  const [connected, listening] = (['connect', 'listen'] as const).map((kind) =>
    of(kind).flatMap(({ subject, count }) => {
      const endpoint = subject.replace(/^.* (?=\S+$)/, '').replace(/ \(.*\)$/, '');
      const parsed = parseEndpoint(endpoint);
      const isMetadata = parsed?.host.startsWith('169.254.') === true || parsed?.host === 'fd00:ec2::254';
      if (parsed === undefined || parsed.isName) refuse(kind, subject, 'it is no address with a port');
      else if (isMetadata) refuse(kind, subject, 'it is the address of a service with credentials');
      else result.allowed.push({ kind, subject: endpoint, events: count });
      return parsed === undefined || parsed.isName || isMetadata ? [] : [endpoint];
    }),
  ) as [string[], string[]];
  const capabilities = [...facts.capabilities].filter((name) => {
    if (RISKY_CAPABILITIES.has(name)) refuse('capability', name, 'with it, a process is root of the machine');
    return !RISKY_CAPABILITIES.has(name);
  }).sort(); // prettier-ignore
  for (const name of capabilities) result.allowed.push({ kind: 'capability', subject: name, events: 1 });
  if (facts.more > 0) result.cut.push(`${facts.more} events of more different facts found no room: what they did is not allowed.`); // prettier-ignore
  if (facts.lost > 0) result.cut.push(`${facts.lost} events were lost: what they did is not allowed.`);
  if (facts.systemCalls.size === 0) result.cut.push('The recording has no system calls: there is no seccomp profile.');
  if (!recorded.hasCapabilities)
    result.cut.push('The recording has no capabilities: the policy does not compare them.');
  const seccomp =
    facts.systemCalls.size === 0 ? undefined : formatSeccomp(facts.systemCalls, recorded.architecture, refuse);
  const notes: string[] = [];
  const patterns = generalizePaths(written, { onlyBeginnings: true });
  const hooks = [
    execHook(executed),
    ...fileHooks(patterns, secrets),
    ...connectHooks(toFacts('connect', cutList(connected, 'connections', result.cut)), new Map(), notes).map(
      (hook) => ({
        ...hook,
        message: 'A connection that the service was not seen to make',
      }),
    ),
    ...listenHooks(toFacts('listen', cutList(listening, 'listeners', result.cut))).map((hook) => ({
      ...hook,
      message: 'A listener that the service was not seen to have',
    })),
    ...(recorded.hasCapabilities ? [capabilityHook(capabilities)] : []),
  ];
  const comments = introduce(facts, options, recorded.sources, { ...result, notes, patterns });
  return {
    yaml: formatPolicy(`${options.name}-allowed`, comments, hooks, options.programs ?? [], formatScope(options)),
    seccomp,
    networkPolicy: formatNetworkPolicy(options, connected, listening, of('dns').length > 0),
    events: facts.events,
    ...result,
  };
}

function refusePath(path: string, isExecuted: boolean): string | undefined {
  if (!path.startsWith('/') || path.length > PATH_MAX || !isPlainText(path) || path.includes('*'))
    return 'it is no plain path';
  if (isExecuted && isShared(path)) return 'everybody can put a program there';
  return isExecuted && path.startsWith('/proc/') ? 'it is a program without a name' : undefined;
}

function cutList(endpoints: readonly string[], what: string, cut: string[]): readonly string[] {
  if (endpoints.length > ENDPOINTS_MAX) cut.push(`Only ${ENDPOINTS_MAX} of ${endpoints.length} ${what} are allowed.`);
  return endpoints.slice(0, ENDPOINTS_MAX);
}

const toFacts = (kind: BehaviorKind, subjects: readonly string[]): ParsedFact[] =>
  subjects.map((subject) => ({ kind, subject }));

const filter = (position: number, operator: string, values: readonly string[]): Filter[] =>
  values.length === 0 ? [] : [{ position, operator, values: [...new Set(values)].sort().slice(0, PATHS_MAX) }];

function execHook(executed: readonly string[]): PolicyHook {
  return {
    call: 'security_bprm_check',
    message: 'A program that the service was not seen to execute',
    args: [{ index: 0, type: 'linux_binprm' }],
    selectors: [filter(0, 'NotEqual', executed)],
  };
}

function fileHooks(patterns: readonly PathPattern[], secrets: readonly string[]): PolicyHook[] {
  const equals = patterns.flatMap((pattern) => (pattern.kind === 'equal' ? [pattern.path] : []));
  const prefixes = patterns.flatMap((pattern) => (pattern.kind === 'equal' ? [] : [pattern.before]));
  const others = filter(0, 'NotEqual', secrets);
  return [
    {
      call: 'security_file_open',
      message: 'A file that the service was not seen to write was opened for writing',
      args: [
        { index: 0, type: 'file' },
        { index: 0, type: 'uint32', resolve: 'f_flags' },
      ],
      selectors: [
        [
          ...filter(1, 'Mask', [String(WRITE_FLAGS)]),
          ...filter(0, 'NotPrefix', [...WRITE_NOISE, ...prefixes]),
          ...filter(0, 'NotEqual', [...equals, ...secrets]),
        ],
      ],
    },
    {
      call: 'security_file_open',
      message: 'A secret that the service was not seen to use was opened',
      args: [{ index: 0, type: 'file' }],
      selectors: [
        [...filter(0, 'Postfix', SECRET_ENDS), ...others],
        [...filter(0, 'Prefix', SECRET_BEGINNINGS), ...others],
      ],
    },
  ];
}

function capabilityHook(capabilities: readonly string[]): PolicyHook {
  return {
    call: 'cap_capable',
    message: 'A capability that the service was not seen to use',
    args: [{ index: 2, type: 'capability' }],
    returns: 0,
    selectors: [filter(0, 'NotInMap', capabilities)],
  };
}

function formatScope({ containers = [], pods }: LearnServiceOptions): string[] {
  return [
    ...(pods === undefined ? [] : [`podSelector: ${JSON.stringify({ matchLabels: pods })}`]),
    ...(containers.length === 0
      ? []
      : [
          `containerSelector: ${JSON.stringify({ matchExpressions: [{ key: 'name', operator: 'In', values: containers }] })}`,
        ]),
  ];
}

const LISTED = 60;

function introduce(
  facts: ServiceFacts,
  { name, containers = [], pods, programs = [] }: LearnServiceOptions,
  sources: readonly string[],
  {
    allowed,
    refused,
    cut,
    notes,
    patterns,
  }: Pick<LearnedService, 'allowed' | 'refused' | 'cut'> & {
    readonly notes: readonly string[];
    readonly patterns: readonly PathPattern[];
  },
): string[] {
  const counted = new Map<string, number>();
  for (const { kind } of allowed) counted.set(kind, (counted.get(kind) ?? 0) + 1);
  const kinds = [...counted].map(([kind, count]) => `${count} ${kind}`).join(', ');
  const isScoped = containers.length > 0 || pods !== undefined || programs.length > 0;
  return [
    `Reports what the service ${quoteForComment(name)} was not seen to do. \`polytrace learn\` has written it from`,
    `${sources.map(quoteForComment).join(', ')}: ${facts.events} events, ${kinds || 'nothing'}.`,
    'Review it: an attacker may have been among the events. Reads are compared for secrets only, and UDP is not compared.',
    ...(isScoped ? [] : ['It is about every process: give it a scope, such as a containerSelector.']),
    ...patterns
      .filter(({ kind }) => kind !== 'equal')
      .map(
        (pattern) => `Wider than what was seen: every file ${quoteForComment(formatPattern(pattern))} may be written.`,
      ),
    ...notes,
    ...(refused.length === 0 ? [] : ['Seen, and not allowed:']),
    ...refused
      .slice(0, LISTED)
      .map(({ kind, subject, reason }) => `  ${kind} ${quoteForComment(subject.slice(0, 200))}: ${reason}`),
    ...(refused.length > LISTED ? [`  and ${refused.length - LISTED} more`] : []),
    ...cut,
  ];
}

function formatSeccomp(
  seen: ReadonlySet<string>,
  architecture: 'x64' | 'arm64',
  refuse: (kind: string, subject: string, reason: string) => void,
): object {
  const names = [...new Set([...seen, ...NEEDED_CALLS])].sort().filter((name) => {
    if (seen.has(name) && RISKY_CALLS.has(name))
      refuse('system call', name, 'with it, a process can leave its container');
    return !RISKY_CALLS.has(name);
  });
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: 1,
    architectures: [architecture === 'x64' ? 'SCMP_ARCH_X86_64' : 'SCMP_ARCH_AARCH64'],
    syscalls: [{ names, action: 'SCMP_ACT_ALLOW' }],
  };
}

/** The kernel does not say who connects to a listener, so each listening port is open to all. */
function formatNetworkPolicy(
  { name, pods = { app: name } }: LearnServiceOptions,
  connected: readonly string[],
  listening: readonly string[],
  asksNames: boolean,
): string {
  const isLocal = (host: string): boolean =>
    host.startsWith('127.') || host === '::1' || host.startsWith('::ffff:127.');
  const remote = connected.flatMap((text) => parseEndpoint(text) ?? []).filter(({ host }) => !isLocal(host));
  const ports = [
    ...new Set(listening.flatMap((text) => parseEndpoint(text) ?? []).filter(({ host }) => !isLocal(host)).map(({ port }) => port)),
  ]
    .filter((port) => port !== '*')
    .sort((one, other) => one - other); // prettier-ignore
  const byHost = new Map<string, Set<number>>();
  for (const { host, port } of remote) {
    if (port === '*') continue;
    const plain = host.replace(/^::ffff:(?=\d+\.)/, '');
    byHost.set(plain, (byHost.get(plain) ?? new Set()).add(port));
  }
  const labels = Object.entries(pods).map(([key, value]) => `      ${quoteYaml(key)}: ${quoteYaml(value)}\n`);
  const portLines = (numbers: readonly number[], indent: string, protocol = 'TCP'): string =>
    numbers.map((port) => `${indent}- { protocol: ${protocol}, port: ${port} }\n`).join('');
  const egress = [...byHost].sort().map(
    ([host, numbers]) =>
      `    - to:\n        - ipBlock: { cidr: ${quoteYaml(`${host}/${host.includes(':') ? 128 : 32}`)} }\n      ports:\n${portLines([...numbers].sort((one, other) => one - other), '        ')}`,
  ); // prettier-ignore
  const names = asksNames
    ? [
        '    # names are asked for\n    - ports:\n        - { protocol: UDP, port: 53 }\n        - { protocol: TCP, port: 53 }\n',
      ]
    : [];
  const rules = [...names, ...egress];
  return `# Learned by \`polytrace learn\`. Review it: addresses of other pods and of services change, so replace them by podSelector.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: ${name}-allowed
spec:
  podSelector:
    matchLabels:
${labels.join('')}  policyTypes: [Ingress, Egress]
  ingress:${ports.length === 0 ? ' []\n' : `\n    - ports:\n${portLines(ports, '        ')}`}  egress:${rules.length === 0 ? ' []\n' : `\n${rules.join('')}`}`;
}
