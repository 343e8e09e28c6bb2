/** The chart, rendered by Go's text/template with the functions of sprig, as Helm does it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { runGoProgram } from './go.js';
import { ROOT } from './support.js';

export const CHART = join(ROOT, 'deploy/helm/polytrace');

/** The values of a chart, and those of a user, which can be partial. */
type Values = { readonly [name: string]: unknown };

export type Rendered = ReadonlyMap<string, unknown>;

/** Renders the chart. The result has the object of each template that is not empty, by the name of its file. */
export async function renderChart(values: Values = {}, namespace = 'kube-system'): Promise<Rendered> {
  const defaults = parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as Values;
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-chart-'));
  try {
    const file = join(folder, 'values.json');
    writeFileSync(file, JSON.stringify([mergeValues(defaults, values)]));
    const [texts = {}] = await runGoProgram<Record<string, string>>('helm', CHART, namespace, file);
    const objects = Object.entries(texts).map(([name, text]) => [name, parse(text) as unknown] as const);
    return new Map(objects.filter(([, object]) => object !== null));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** As in Helm, maps are merged, and null removes a default. */
function mergeValues(defaults: Values, given: Values): Values {
  const result: Record<string, unknown> = { ...defaults };
  for (const [name, value] of Object.entries(given)) {
    const known = defaults[name];
    result[name] = isMap(value) && isMap(known) ? mergeValues(known, value) : value;
    if (value === null) delete result[name];
  }
  return result;
}

function isMap(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
