/** Times of events. All are UTC, as in the other outputs. */

export function clock(ms: number): string {
  return iso(ms).slice(11, 23);
}

/** With the day and microseconds. */
export function whole(ms: number): string {
  const micros = String(Math.round((ms - Math.floor(ms)) * 1000) % 1000).padStart(3, '0');
  return `${iso(ms).slice(0, 23).replace('T', ' ')}${micros} UTC`;
}

function day(ms: number): string {
  return iso(ms).slice(0, 10);
}

/** From one time to another one: the day is said once if it is the same. */
export function span(from: number, to: number): string {
  const end = day(from) === day(to) ? iso(to).slice(11, 19) : iso(to).slice(0, 19).replace('T', ' ');
  return `${iso(from).slice(0, 19).replace('T', ' ')} – ${end} UTC`;
}

/** A file can have any number. */
function iso(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? '????-??-??T??:??:??.???Z' : date.toISOString();
}
