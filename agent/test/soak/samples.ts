/** Samples of a running agent, as a CSV file and as a plot of text. */
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';

export interface Sample {
  readonly seconds: number;
  /** Resident memory of the agent, and the part of it that no file has, in MiB. */
  readonly rssMib: number;
  readonly anonymousMib: number;
  readonly descriptors: number;
  readonly cpuSeconds: number;
  readonly received: number;
  readonly lost: number;
  readonly policies: number;
  /** Time of a request over the socket, in milliseconds. */
  readonly requestMs: number;
  /** Time of /healthz, in milliseconds; -1 without an answer. */
  readonly probeMs: number;
  /** True while both policies that nobody may remove are enabled. */
  readonly isGuarded: boolean;
}

const TICKS = 100;

export function measureProcess(pid: number): Pick<Sample, 'rssMib' | 'anonymousMib' | 'descriptors' | 'cpuSeconds'> {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const mebibytes = (field: string): number =>
    Math.round(Number(new RegExp(`^${field}:\\s*(\\d+) kB$`, 'm').exec(status)?.[1]) / 102.4) / 10;
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /, '').split(' '); // prettier-ignore
  return {
    rssMib: mebibytes('VmRSS'),
    anonymousMib: mebibytes('RssAnon'),
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS,
  };
}

export class SampleFile {
  readonly samples: Sample[] = [];

  constructor(readonly path: string) {}

  add(sample: Sample): void {
    if (this.samples.length === 0) writeFileSync(this.path, `${Object.keys(sample).join(',')}\n`);
    appendFileSync(this.path, `${Object.values(sample).join(',')}\n`);
    this.samples.push(sample);
  }

  /** One line for each value: its bars over the time, and its smallest and largest value. */
  plot(): string {
    const keys = ['rssMib', 'anonymousMib', 'descriptors', 'lost', 'policies', 'requestMs', 'probeMs'] as const;
    return keys.map((key) => plotValues(key, this.samples.map((sample) => sample[key]))).join('\n'); // prettier-ignore
  }
}

const BARS = '▁▂▃▄▅▆▇█';
const WIDTH = 72;

function plotValues(name: string, values: readonly number[]): string {
  const max = Math.max(...values, 0);
  const width = Math.min(WIDTH, values.length);
  const columns = Array.from({ length: width }, (_, i) => {
    const part = values.slice(Math.floor((i * values.length) / width), Math.floor(((i + 1) * values.length) / width));
    const level = max <= 0 ? 0 : Math.max(0, Math.max(...part)) / max;
    return BARS[Math.min(BARS.length - 1, Math.floor(level * BARS.length))];
  });
  return `${name.padEnd(12)} ${columns.join('')} ${Math.min(...values)} to ${max}`;
}
