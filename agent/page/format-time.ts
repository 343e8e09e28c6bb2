/** Formats the times of events, in UTC as in the other outputs. */

export function formatClock(ms: number): string {
  return toIso(ms).slice(11, 23);
}

/** Returns the time with date and microseconds. */
export function formatTimestamp(ms: number): string {
  const micros = String(Math.round((ms - Math.floor(ms)) * 1000) % 1000).padStart(3, '0');
  return `${toIso(ms).slice(0, 23).replace('T', ' ')}${micros} UTC`;
}

function formatDay(ms: number): string {
  return toIso(ms).slice(0, 10);
}

/** Formats a range. The date is repeated only if it differs. */
export function formatRange(from: number, to: number): string {
  const end = formatDay(from) === formatDay(to) ? toIso(to).slice(11, 19) : toIso(to).slice(0, 19).replace('T', ' ');
  return `${toIso(from).slice(0, 19).replace('T', ' ')} – ${end} UTC`;
}

/** A file can contain an invalid time. */
function toIso(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? '????-??-??T??:??:??.???Z' : date.toISOString();
}
