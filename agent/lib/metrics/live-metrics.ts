/**
 * Metrics whose values are read from their source when they are requested, in the text format of Prometheus. Labels are
 * formatted only once, which prom-client cannot do.
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

/** Formats a metric. Most values are the same at the next request, so lines are kept. */
export class MetricFormatter {
  readonly #metric: LiveMetric;
  readonly #head: string;
  readonly #lines = new Map<LabelText, { value: number; text: string }>();

  constructor(metric: LiveMetric) {
    this.#metric = metric;
    this.#head = formatHead(metric);
  }

  format(): string {
    const texts = [this.#head];
    for (const [labels, value] of this.#metric.samples()) texts.push(this.#formatLine(labels, value));
    // labels of policies and processes that are gone
    if (this.#lines.size > 2 * texts.length) this.#lines.clear();
    return texts.join('');
  }

  #formatLine(labels: LabelText, value: number): string {
    const known = this.#lines.get(labels);
    if (known?.value === value) return known.text;
    const text = `${this.#metric.name}${labels} ${value}\n`;
    if (known === undefined) this.#lines.set(labels, { value, text });
    else Object.assign(known, { value, text });
    return text;
  }
}

/** Returns the lines that come before the values of a metric. */
export function formatHead({
  name,
  help,
  type,
}: Pick<LiveMetric, 'name' | 'help'> & { readonly type: string }): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
}

export function formatLabels(labels: Readonly<Record<string, string>>): LabelText {
  return `{${Object.entries(labels)
    .map(([name, value]) => `${name}="${escapeValue(value)}"`)
    .join(',')}}`;
}

function escapeValue(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}
