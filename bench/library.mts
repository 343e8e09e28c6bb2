// Measures the policies of the package: the instructions that each policy adds to ordinary operations, and the events
// that it reports on an idle machine and during ordinary tasks.
import { policyLibrary } from 'polytrace';
import { countInVm } from './count.mjs';
import type { NoiseCounts } from './guest-noise.mjs';
import { addedInstructions, programInstructions, type Configuration, type InstructionCounts } from './kernel.mjs';
import { formatNumber, type Rows } from './table.mjs';

const BASE = 'base sensor';
const ALL = 'all of them';
const COLUMNS: readonly (readonly [title: string, key: string])[] = [
  ['pread', 'pread-2'],
  ['pwrite', 'pwrite-2'],
  ['open + close', 'open-close'],
  ['connect', 'connect'],
  ['exec', 'exec'],
];

export interface LibraryTables {
  readonly costs: Rows;
  readonly noise: Noise;
}

/** The events that policies report while nothing is wrong, as items of a list. */
interface Noise {
  readonly tasks: readonly string[];
  readonly events: readonly string[];
}

export async function libraryTables(kernel: string): Promise<LibraryTables> {
  const names = policyLibrary().map(({ name }) => name);
  return { costs: await costRows(kernel, names), noise: await findNoise(kernel, names) };
}

async function costRows(kernel: string, names: readonly string[]): Promise<Rows> {
  const configurations: readonly Configuration[] = [
    { name: 'nothing' },
    { name: BASE, attach: 'auto' },
    ...names.map((name) => ({ name, attach: 'auto', policy: `polytrace:${name}` })),
    // the folder: the whole library
    { name: ALL, attach: 'auto', policy: 'policies' },
  ];
  const steps = COLUMNS.map(([, key]) => key).join(',');
  const json = await countInVm(kernel, `guest.mts /run/vm '${JSON.stringify(configurations)}' ${steps}`, 'counts.json');
  const [nothing, sensor, ...policies] = JSON.parse(json) as readonly InstructionCounts[];
  if (nothing === undefined || sensor === undefined) throw new Error('the guest has counted nothing');
  const formatAdded = (counted: InstructionCounts, base: InstructionCounts): string[] =>
    COLUMNS.map(([, key]) => {
      // an exec is counted in all programs, so the programs of the base sensor have to be subtracted
      const others = key === 'exec' && counted !== sensor ? programInstructions(sensor) : 0;
      return formatNumber(Math.round(addedInstructions(counted, base, key) - others));
    });
  return [
    ['', ...COLUMNS.map(([title]) => title)],
    ['by itself', ...COLUMNS.map(([, key]) => formatNumber(nothing.counts[key] ?? NaN))],
    ['a tracer without a policy', ...formatAdded(sensor, nothing)],
    ...policies.map((counted) => [
      counted.name === ALL ? ALL : `\`${counted.name}\``,
      ...formatAdded(counted, nothing),
    ]),
  ];
}

async function findNoise(kernel: string, names: readonly string[]): Promise<Noise> {
  const counts = JSON.parse(await countInVm(kernel, 'guest-noise.mts /run/vm', 'noise.json')) as NoiseCounts;
  const events = names.flatMap((name) => {
    const noisy = counts.filter(({ events: counted }) => (counted[name] ?? 0) > 0);
    const list = noisy.map(({ title, events: counted }) => `${formatNumber(counted[name] ?? 0)} (${title})`).join(', ');
    return noisy.length === 0 ? [] : [`- \`${name}\`: ${list}`];
  });
  return {
    tasks: counts.map(({ title }) => title.replace(',', ' for')),
    events: events.length === 0 ? ['- none'] : events,
  };
}
