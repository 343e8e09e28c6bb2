/** Output of the commands of a fleet. Texts of nodes and servers are escaped: they may control the terminal. */
import { escapeControls, formatTable } from 'polytrace/protocol';

/** Escapes also tabs. */
export function escapeText(text: string): string {
  return escapeControls(text).replaceAll('\t', '\\u{9}');
}

/** Each column is as wide as its widest cell. */
export function formatRows(rows: readonly (readonly string[])[]): string {
  return formatTable(rows.map((row) => row.map((cell) => escapeControls(cell.replace(/\s+/g, ' ')))));
}

/** Formats how long ago a time is, by the clock of this machine. */
export function formatAge(time: string | undefined, now: number): string {
  if (time === undefined) return '-';
  const seconds = Math.max(Math.round((now - Date.parse(time)) / 1000), 0);
  if (!Number.isFinite(seconds)) return '-';
  if (seconds < 120) return `${seconds}s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)}m` : `${Math.round(seconds / 3600)}h`;
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
