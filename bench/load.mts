// The short benchmark of loading: processor time to open a tracer and to add hooks, as a multiple of a loop in
// JavaScript. The time contains the kernel's part, most of it in the verifier. Needs root.
import { openTracer } from 'polytrace';
import { judge, median, type Judgement } from './judge.mjs';

const LIBC = '/lib/x86_64-linux-gnu/libc.so.6';
const SYMBOLS =
  `calloc realloc fopen fclose fread fwrite fseek ftell fflush puts fputs printf fprintf sprintf snprintf vprintf strdup
  strndup strtok strtol strtoul strtoll atoi atol qsort bsearch getenv setenv unsetenv putenv system popen pclose opendir readdir
  closedir getcwd chdir mkdir rmdir unlink rename link symlink getpwnam getpwuid getgrnam getgrgid getaddrinfo freeaddrinfo`.split(
    /\s+/,
  );

/** A policy for a raw tracepoint that matches no call, so that no event is reported. */
const hookPolicy = (number: number): string => `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: hook-${number}}
spec:
  tracepoints:
  - {subsystem: raw_syscalls, event: sys_enter, raw: true, args: [{index: 1, type: int64}],
     selectors: [{matchArgs: [{index: 1, operator: Equal, values: ["${7000 + number}"]}]}]}
`;

const UPROBES = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: uprobes}
spec:
  uprobes:
${SYMBOLS.map((symbol) => `  - {path: ${LIBC}, symbols: [${symbol}]}`).join('\n')}
`;

const ROUNDS = 3;
const HOOKS = 8;

/** Processor time in milliseconds. */
async function measureCpuMs(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

function runLoop(): number {
  let sum = 0;
  for (let i = 0; i < 20_000_000; i++) sum = (sum + i * 7) % 1_000_003;
  return sum;
}

export async function loadTable(): Promise<Judgement> {
  const costs = { loop: [], open: [], hook: [], add: [], remove: [] } as Record<string, number[]>;
  const measure = async <T,>(name: string, work: () => Promise<T> | T): Promise<T> => {
    let result: T | undefined;
    costs[name]?.push(await measureCpuMs(async () => (result = await work())));
    return result as T;
  };
  for (let round = 0; round < ROUNDS; round++) {
    await measure('loop', runLoop);
    const tracer = await measure('open', () => openTracer());
    try {
      // the first hook of a kind reads the BTF of the kernel
      await tracer.addPolicy({ yaml: hookPolicy(0) });
      for (let i = 1; i <= HOOKS; i++) await measure('hook', () => tracer.addPolicy({ yaml: hookPolicy(i) }));
      if (round > 0) continue;
      await measure('add', () => tracer.addPolicy({ yaml: UPROBES }));
      await measure('remove', () => tracer.removePolicy('uprobes'));
    } finally {
      await tracer.close();
    }
  }
  const cost = (name: string): number => median(costs[name] ?? []);
  return judge({
    head: ['loading', 'CPU'],
    unit: 'ms',
    yardstick: { name: 'a loop of 20 million rounds', cost: cost('loop') },
    measured: [
      { name: 'openTracer', cost: cost('open'), atMost: 4.5 },
      { name: 'a further hook', cost: cost('hook'), atMost: 0.4 },
      { name: `${SYMBOLS.length} uprobes added`, cost: cost('add'), atMost: 15 },
      { name: `${SYMBOLS.length} uprobes removed`, cost: cost('remove'), atMost: 3 },
    ],
  });
}
