/**
 * Metrics whose values are read from their source when they are requested, in the text format of Prometheus. A thousand
 * policies have some seven thousand values. Their labels are therefore formatted only once, which prom-client cannot do.
 */

/** Labels as they are written: `{policy="files",hook="sys_read"}`, or empty. */
export type LabelText = string;

export type Sample = readonly [labels: LabelText, value: number];

export interface LiveMetric {
  readonly type: 'counter' | 'gauge';
  readonly name: string;
  readonly help: string;
  readonly samples: () => Iterable<Sample>;
}

export function formatMetric({ type, name, help, samples }: LiveMetric): string {
  let text = `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
  for (const [labels, value] of samples()) text += `${name}${labels} ${value}\n`;
  return text;
}

export function formatLabels(labels: Readonly<Record<string, string>>): LabelText {
  return `{${Object.entries(labels)
    .map(([name, value]) => `${name}="${escapeValue(value)}"`)
    .join(',')}}`;
}

function escapeValue(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}
