/**
 * The labels of a node: those of Kubernetes, of a file in the style of cloud-init, and of the configuration. The later
 * one wins.
 */
import { readFileSync } from 'node:fs';
import { arch, release } from 'node:os';
import type { PolytraceError } from 'polytrace';
import { parse } from 'yaml';
import { makeError } from '../errors.js';

export type Labels = Readonly<Record<string, string>>;

const FILE_BYTES_MAX = 1024 * 1024;
const LABELS_MAX = 256;
const KEY = /^[A-Za-z0-9](?:[-A-Za-z0-9_./]{0,250}[A-Za-z0-9])?$/;
const VALUE = /^[A-Za-z0-9_.-]{0,253}$/;

/** Labels that every node has. */
export function ownLabels(nodeName: string): Labels {
  return {
    'polytrace.io/node': toValue(nodeName),
    'polytrace.io/kernel': toValue(release()),
    'polytrace.io/arch': arch(),
  };
}

/** Replaces the characters that the value of a label cannot have. */
function toValue(text: string): string {
  return text.replace(/[^A-Za-z0-9_.-]/g, '_').slice(0, 253);
}

/** Parses `KEY=VALUE` texts. Throws a PolytraceError: LABELS_INVALID. */
export function parseLabels(pairs: readonly string[]): Labels {
  const labels: Record<string, string> = {};
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    addLabel(labels, pair.slice(0, Math.max(at, 0)), pair.slice(at + 1), `'${pair}'`);
  }
  return labels;
}

/**
 * Reads labels from a file in YAML or JSON: the object `labels`, or the members of the file itself. Of cloud-init's
 * instance-data.json, it takes the plain members of `v1`, such as `region`, as `cloud/region`. Throws a PolytraceError:
 * LABELS_INVALID.
 */
export function readLabelsFile(file: string): Labels {
  const content = readYaml(file);
  const { labels, v1 } = content;
  if (isMap(v1)) return takePlain(v1, 'cloud/');
  if (labels !== undefined && !isMap(labels)) throw labelError(file, 'the member labels is not an object');
  const found: Record<string, string> = {};
  for (const [key, value] of Object.entries(isMap(labels) ? labels : content)) {
    const isPlain = ['string', 'number', 'boolean'].includes(typeof value);
    if (!isPlain) throw labelError(file, `the value of ${key} is not a text`);
    addLabel(found, key, String(value), `${file}: ${key}`);
  }
  return found;
}

/** cloud-init's own file has values that are no labels. */
function takePlain(values: Readonly<Record<string, unknown>>, prefix: string): Labels {
  const labels: Record<string, string> = {};
  for (const [key, value] of Object.entries(values)) {
    const name = `${prefix}${key}`;
    if (typeof value === 'string' && KEY.test(name) && VALUE.test(value)) labels[name] = value;
  }
  return labels;
}

function readYaml(file: string): Readonly<Record<string, unknown>> {
  let content: unknown;
  try {
    const text = readFileSync(file, 'utf8');
    if (text.length > FILE_BYTES_MAX) throw new Error('it is too large');
    content = parse(text);
  } catch (error) {
    throw labelError(file, (error as Error).message.split('\n', 1)[0] ?? '');
  }
  if (!isMap(content)) throw labelError(file, 'it is not an object with labels');
  return content;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function addLabel(labels: Record<string, string>, key: string, value: string, place: string): void {
  if (!KEY.test(key)) throw labelError(place, 'the name of the label is missing, or has other characters');
  if (!VALUE.test(value)) throw labelError(place, 'the value has other characters than letters, digits, -, _ and .');
  if (Object.keys(labels).length >= LABELS_MAX) throw labelError(place, `there are more than ${LABELS_MAX} labels`);
  labels[key] = value;
}

function labelError(place: string, why: string): PolytraceError {
  return makeError('LABELS_INVALID', `${place}: ${why}`, 'write role=web, or in a file `labels: { role: web }`');
}
