/** The messages for syslog (RFC 5424) and for journald's own protocol. */
import type { Severity } from 'polytrace/protocol';
import { FACILITIES } from '../config/receivers.js';
import type { Alert } from './alert.js';
import { shortenText } from './text.js';

const LEVELS: Readonly<Record<Severity, number>> = { critical: 2, high: 3, medium: 4, low: 5, info: 6 };
const APP = 'polytrace';
/** The enterprise number of examples (RFC 5612): polytrace has none of its own. */
const STRUCTURE = 'alert@32473';

export function formatSyslog(alert: Alert, facility: (typeof FACILITIES)[number], pid = process.pid): string {
  const priority = FACILITIES.indexOf(facility) * 8 + LEVELS[alert.severity];
  const host = toHeader(alert.node, 255);
  const id = toHeader(alert.policy, 32);
  const data = Object.entries(alertMembers(alert)).map(
    ([name, value]) => ` ${name}="${value.replace(/["\\\]]/g, '\\$&')}"`,
  );
  return `<${priority}>1 ${toMicroseconds(alert.firstEventTime)} ${host} ${APP} ${pid} ${id} [${STRUCTURE}${data.join('')}] ${formatMessage(alert)}`;
}

/** Datagrams and frames have no limit in the standard, and receivers do. */
function formatMessage({ severity, message, detail }: Alert): string {
  return shortenText(`[${severity}] ${message}: ${detail}`, 1500);
}

/** Returns printable ASCII without spaces, as the header needs it. */
function toHeader(text: string, max: number): string {
  const safe = text.replace(/[^\x21-\x7e]/g, '_').slice(0, max);
  return safe === '' ? '-' : safe;
}

/** RFC 5424 has at most six digits of a second. */
function toMicroseconds(time: string): string {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/.test(time) ? time.replace(/(\.\d{6})\d+Z$/, '$1Z') : '-';
}

/** The members that are not empty. The names are those of structured data, and of journald in capital letters. */
function alertMembers(alert: Alert): Record<string, string> {
  const {
    severity,
    policy,
    hook,
    binary,
    arguments: args,
    user,
    namespace,
    pod,
    container,
    execId,
    tags,
    links,
    count,
  } = alert;
  const members = {
    severity,
    policy,
    hook,
    binary,
    arguments: args,
    pid: alert.pid === 0 ? '' : String(alert.pid),
    user,
    namespace,
    pod,
    container,
    exec_id: execId,
    events: String(count),
    tags: tags.join(' '),
    links: shortenText(links.join(' '), 512),
  };
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== ''));
}

/** Each field with its length, so that no value can end it. */
export function formatJournal(alert: Alert): Buffer {
  const fields: Record<string, string> = {
    MESSAGE: formatMessage(alert),
    PRIORITY: String(LEVELS[alert.severity]),
    SYSLOG_IDENTIFIER: APP,
    ...Object.fromEntries(
      Object.entries(alertMembers(alert)).map(([name, value]) => [`POLYTRACE_${name.toUpperCase()}`, value]),
    ),
  };
  return Buffer.concat(
    Object.entries(fields).map(([name, value]) => {
      const bytes = Buffer.from(value);
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(bytes.length));
      return Buffer.concat([Buffer.from(`${name}\n`), length, bytes, Buffer.from('\n')]);
    }),
  );
}
