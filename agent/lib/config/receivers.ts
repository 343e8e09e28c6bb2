/** The setting `alerts`: the receivers of alerts, and which alerts each of them gets. */
import { isIP } from 'node:net';
import { SEVERITIES, isSeverity, type Severity } from 'polytrace/protocol';
import { suggestName } from './problems.js';
import { objectsSetting, SettingValueError, type Setting, type ValueProblem } from './setting-kinds.js';

const RECEIVER_TYPES = ['alertmanager', 'falcosidekick', 'webhook', 'syslog', 'journald'] as const;
type ReceiverType = (typeof RECEIVER_TYPES)[number];

/** The facilities of RFC 5424 by their number. */
export const FACILITIES = [
  'kern', 'user', 'mail', 'daemon', 'auth', 'syslog', 'lpr', 'news', 'uucp', 'cron', 'authpriv', 'ftp', 'ntp', 'audit',
  'alert', 'clock', 'local0', 'local1', 'local2', 'local3', 'local4', 'local5', 'local6', 'local7',
] as const; // prettier-ignore

interface Filters {
  readonly name: string;
  readonly minSeverity: Severity;
  /** Patterns of names of policies, with `*`. Empty: all. */
  readonly policies: readonly string[];
  /** Patterns of tags. Empty: all alerts, also those without tags. */
  readonly tags: readonly string[];
}

/** Files with secrets and certificates, which are read again when they change. */
export interface ReceiverFiles {
  readonly tokenFile?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export interface HttpReceiver extends Filters, ReceiverFiles {
  readonly type: 'alertmanager' | 'falcosidekick' | 'webhook';
  /** One of `url` and `urlFile` is present. */
  readonly url?: string;
  readonly urlFile?: string;
  readonly format?: 'slack' | 'json';
}

export interface SyslogAddress {
  readonly protocol: 'unix' | 'udp' | 'tcp' | 'tls';
  /** The path of the socket, or a host. */
  readonly host: string;
  readonly port: number;
}

export interface SyslogReceiver extends Filters, ReceiverFiles {
  readonly type: 'syslog';
  readonly address: string;
  readonly facility: (typeof FACILITIES)[number];
}

export interface JournaldReceiver extends Filters {
  readonly type: 'journald';
  readonly socket: string;
}

export type ReceiverSettings = HttpReceiver | SyslogReceiver | JournaldReceiver;

const RECEIVERS_MAX = 16;
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const PATTERNS_MAX = 64;
const TEXT_MAX = 4096;

/** Checks a value, and returns it. Throws a SettingValueError without a path. */
type Parse<T> = (value: unknown) => T;

interface FieldRule {
  readonly key: string;
  readonly parse: Parse<unknown>;
  readonly types?: readonly ReceiverType[];
  readonly schema: object;
}

const HTTP: readonly ReceiverType[] = ['alertmanager', 'falcosidekick', 'webhook'];
const TEXT = { type: 'string', minLength: 1 };
const LIST = { anyOf: [TEXT, { type: 'array', items: TEXT, minItems: 1, maxItems: PATTERNS_MAX }] };

/** The members of a receiver, by their names in files. */
const FIELDS: Readonly<Record<string, FieldRule>> = {
  name: { key: 'name', parse: parseName, schema: { ...TEXT, pattern: NAME.source } },
  type: { key: 'type', parse: parseChoice(RECEIVER_TYPES), schema: { enum: RECEIVER_TYPES } },
  'min-severity': { key: 'minSeverity', parse: parseSeverity, schema: { enum: SEVERITIES } },
  policies: { key: 'policies', parse: parsePatterns, schema: LIST },
  tags: { key: 'tags', parse: parsePatterns, schema: LIST },
  url: { key: 'url', parse: parseUrl, types: HTTP, schema: { ...TEXT, pattern: '^https?://' } },
  'url-file': { key: 'urlFile', parse: parsePath, types: HTTP, schema: TEXT },
  'token-file': { key: 'tokenFile', parse: parsePath, types: HTTP, schema: TEXT },
  ca: { key: 'ca', parse: parsePath, types: [...HTTP, 'syslog'], schema: TEXT },
  cert: { key: 'cert', parse: parsePath, types: [...HTTP, 'syslog'], schema: TEXT },
  key: { key: 'key', parse: parsePath, types: [...HTTP, 'syslog'], schema: TEXT },
  format: {
    key: 'format',
    parse: parseChoice(['slack', 'json']),
    types: ['webhook'],
    schema: { enum: ['slack', 'json'] },
  },
  address: {
    key: 'address',
    parse: parseAddress,
    types: ['syslog'],
    schema: { ...TEXT, pattern: '^(unix|udp|tcp|tls)://' },
  },
  facility: { key: 'facility', parse: parseChoice(FACILITIES), types: ['syslog'], schema: { enum: FACILITIES } },
  socket: { key: 'socket', parse: parseSocket, types: ['journald'], schema: TEXT },
};

const FILTER_DEFAULTS = { minSeverity: 'info', policies: [], tags: [] } as const;
const DEFAULTS: Readonly<Record<ReceiverType, object>> = {
  alertmanager: {},
  falcosidekick: {},
  webhook: { format: 'slack' },
  syslog: { address: 'unix:///dev/log', facility: 'authpriv' },
  journald: { socket: '/run/systemd/journal/socket' },
};

export function receiversSetting(placeholder: string, help: string): Setting<readonly ReceiverSettings[]> {
  const objects = objectsSetting(placeholder, help);
  const parse = (value: unknown): ReceiverSettings[] => {
    const problems: ValueProblem[] = [];
    const given = objects.parse(value);
    if (given.length > RECEIVERS_MAX) throw new SettingValueError(`there are more than ${RECEIVERS_MAX} receivers`);
    const receivers = given.map((each, i) => parseReceiver(each, Array.isArray(value) ? [i] : [], i, problems));
    receivers.forEach(({ name }, i) => {
      const first = receivers.findIndex((each) => each['name'] === name);
      if (name === undefined || first === i) return;
      const message = `receiver ${i + 1}: name: receiver ${first + 1} has this name already`;
      problems.push({ path: Array.isArray(value) ? [i, 'name'] : [], message });
    });
    if (problems.length > 0) throw new SettingValueError(problems);
    return receivers as unknown as ReceiverSettings[];
  };
  return {
    ...objects,
    fallback: [],
    parse,
    schema: receiversSchema(),
    show: (value) => (value as ReceiverSettings[]).map(showReceiver),
  };
}

function receiversSchema(): object {
  const properties = Object.fromEntries(Object.entries(FIELDS).map(([name, { schema }]) => [name, schema]));
  const items = { type: 'object', required: ['name', 'type'], additionalProperties: false, properties };
  return { anyOf: [{ type: 'string' }, { type: 'array', items, maxItems: RECEIVERS_MAX }] };
}

function parseReceiver(
  given: object,
  path: ValueProblem['path'],
  index: number,
  problems: ValueProblem[],
): Readonly<Record<string, unknown>> {
  const values = given as Readonly<Record<string, unknown>>;
  const title = `receiver ${index + 1}${typeof values['name'] === 'string' ? ` (${values['name']})` : ''}`;
  const report = (message: string, ...more: string[]): void => {
    problems.push({ path: [...path, ...more], message: `${title}: ${message}` });
  };
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(values)) {
    const field = Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined;
    if (field === undefined) report(`there is no '${name}'${suggestName(name, Object.keys(FIELDS))}`, name);
    else {
      try {
        result[field.key] = field.parse(value);
      } catch (error) {
        if (!(error instanceof SettingValueError)) throw error;
        report(`${name}: ${error.message}`, name);
      }
    }
  }
  for (const name of ['name', 'type']) if (!(name in values)) report(`it needs '${name}'`);
  const type = result['type'] as ReceiverType | undefined;
  if (type === undefined) return result;
  for (const name of Object.keys(values)) {
    const { types } = (Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined) ?? {};
    if (types?.includes(type) === false) report(`${name}: a receiver of the type ${type} has none`, name);
  }
  checkCombinations(type, values, result, report);
  return { ...FILTER_DEFAULTS, ...DEFAULTS[type], ...result };
}

function checkCombinations(
  type: ReceiverType,
  values: Readonly<Record<string, unknown>>,
  result: Readonly<Record<string, unknown>>,
  report: (message: string, ...path: string[]) => void,
): void {
  const has = (name: string): boolean => name in values;
  if (HTTP.includes(type) && has('url') === has('url-file')) {
    if (has('url')) report("url-file: there is 'url' already: leave one of them out", 'url-file');
    else report("it needs 'url' or 'url-file'");
  }
  if (has('cert') !== has('key'))
    report(has('cert') ? "cert: it needs 'key'" : "key: it needs 'cert'", has('cert') ? 'cert' : 'key');
  const address = type === 'syslog' ? result['address'] : result['url'];
  const isClear = typeof address === 'string' ? !/^(https|tls):/.test(address) : type === 'syslog';
  for (const name of ['ca', 'cert']) {
    if (isClear && has(name))
      report(`${name}: the address is not encrypted: use ${type === 'syslog' ? 'tls' : 'https'}://`, name);
  }
  if (isClear && has('token-file') && typeof address === 'string' && !isLocalHost(new URL(address).hostname)) {
    report('token-file: a token would be sent in the clear: use https://', 'token-file');
  }
}

/** Returns true for a host that is this machine. */
export function isLocalHost(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127\./.test(host);
}

function parseText(value: unknown): string {
  if (typeof value !== 'string' || value === '') throw new SettingValueError('it has to be a text');
  if (value.length > TEXT_MAX || /\p{Cc}/u.test(value))
    throw new SettingValueError('it is too long, or has control characters');
  return value;
}

function parseName(value: unknown): string {
  const name = typeof value === 'number' ? String(value) : parseText(value);
  if (!NAME.test(name)) throw new SettingValueError('it has to be 1 to 63 small letters, digits and -');
  return name;
}

function parseChoice<const T extends string>(choices: readonly T[]): Parse<T> {
  return (value) => {
    const text = parseText(value);
    const found = choices.find((each) => each === text);
    if (found === undefined)
      throw new SettingValueError(`it has to be one of ${choices.join(', ')}${suggestName(text, choices)}`);
    return found;
  };
}

function parseSeverity(value: unknown): Severity {
  const text = parseText(value);
  if (isSeverity(text)) return text;
  throw new SettingValueError(`it has to be one of ${SEVERITIES.join(', ')}${suggestName(text, SEVERITIES)}`);
}

function parsePatterns(value: unknown): string[] {
  const given = Array.isArray(value) ? (value as unknown[]) : [value];
  if (given.length === 0) throw new SettingValueError('the list is empty: leave it out for all');
  if (given.length > PATTERNS_MAX) throw new SettingValueError(`the list has more than ${PATTERNS_MAX} patterns`);
  return given.map(parseText);
}

function parsePath(value: unknown): string {
  const path = parseText(value);
  if (!path.startsWith('/')) throw new SettingValueError('it has to be the absolute path of a file');
  return path;
}

function parseSocket(value: unknown): string {
  return parsePath(typeof value === 'string' ? value.replace(/^unix:\/\//, '') : value);
}

/** Errors do not repeat a URL: it can be a secret. */
export function parseUrl(value: unknown): string {
  const text = parseText(value);
  if (!/^https?:\/\/[^/]/.test(text) || !URL.canParse(text))
    throw new SettingValueError('it has to be http://… or https://…');
  return text;
}

function parseAddress(value: unknown): string {
  const text = parseText(value);
  splitAddress(text);
  return text;
}

const PORTS: Readonly<Record<string, number>> = { udp: 514, tcp: 601, tls: 6514 };

/** Throws a SettingValueError. */
export function splitAddress(address: string): SyslogAddress {
  const expected = 'it has to be unix:///PATH, udp://HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT';
  const [, socket] = /^unix:\/\/(\/.*)$/.exec(address) ?? [];
  if (socket !== undefined) return { protocol: 'unix', host: socket, port: 0 };
  const [, protocol = '', bracketed, plain = '', given] =
    /^(udp|tcp|tls):\/\/(?:\[([0-9a-fA-F:]+)\]|([\w.-]+))(?::(\d{1,5}))?$/.exec(address) ?? [];
  const port = given === undefined ? (PORTS[protocol] ?? 0) : Number(given);
  if (protocol === '' || port < 1 || port > 65_535) throw new SettingValueError(expected);
  if (bracketed !== undefined && isIP(bracketed) !== 6) throw new SettingValueError(expected);
  return { protocol: protocol as SyslogAddress['protocol'], host: bracketed ?? plain, port };
}

const HIDDEN = '*****';

/** Returns the receiver as its source has it, without what can be a secret: the user, the path and the query of a URL. */
function showReceiver(receiver: ReceiverSettings): object {
  const values = receiver as unknown as Readonly<Record<string, unknown>>;
  const entries = Object.entries(FIELDS).map(([name, { key }]) => [
    name,
    key === 'url' ? showUrl(values[key]) : values[key],
  ]);
  return Object.fromEntries(
    entries.filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0)),
  ) as object;
}

function showUrl(url: unknown): string | undefined {
  if (typeof url !== 'string') return undefined;
  const { origin, pathname, search, username, password } = new URL(url);
  const isSecret =
    search !== '' || username !== '' || password !== '' || pathname.split('/').filter((part) => part !== '').length > 1;
  return isSecret ? `${origin}/${HIDDEN}` : url;
}
