/** Leaves fields out of the JSON export. */
import type { FieldFilter, FieldFilterOptions, JsonFields } from '../../types/output.js';
import { PolytraceError } from '../errors.js';
import { isExported } from './export-fields.js';

const HINT = 'write a path below the event, such as process.binary or args.file_arg.path; docs/events.md has the names';

/** Checks the paths: an unknown one would leave nothing out, without a word. */
export function fieldFilter({ include, exclude }: FieldFilterOptions): FieldFilter {
  for (const path of [...(include ?? []), ...(exclude ?? [])]) {
    if (!isExported(path)) throw new PolytraceError('FIELD_UNKNOWN', `no event has the field '${path}'`, HINT);
  }
  const kept = include === undefined ? undefined : new Names(include);
  const left = new Names(exclude ?? []);
  return (fields) => left.leaveOut(kept === undefined ? fields : kept.keep(fields));
}

/** Paths as a tree of names. */
class Names {
  readonly #below = new Map<string, Names>();
  /** A path ends here: it names this field with everything below it. */
  #whole = false;

  constructor(paths: readonly string[] = []) {
    for (const path of paths) this.#add(path.split('.'));
  }

  #add([name, ...rest]: readonly string[]): void {
    if (name === undefined) {
      this.#whole = true;
      return;
    }
    let below = this.#below.get(name);
    if (below === undefined) this.#below.set(name, (below = new Names()));
    below.#add(rest);
  }

  keep(fields: JsonFields): JsonFields {
    return this.#map(fields, (value, names) => {
      if (names === undefined) return undefined;
      return names.#whole ? value : inEach(value, (message) => names.keep(message));
    });
  }

  leaveOut(fields: JsonFields): JsonFields {
    return this.#map(fields, (value, names) => {
      if (names === undefined) return value;
      return names.#whole ? undefined : inEach(value, (message) => names.leaveOut(message));
    });
  }

  #map(fields: JsonFields, of: (value: unknown, names: Names | undefined) => unknown): JsonFields {
    const members = Object.entries(fields).map(([name, value]) => [name, of(value, this.#below.get(name))] as const);
    return Object.fromEntries(members.filter(([, value]) => value !== undefined));
  }
}

/** A path goes through lists: it names the field in each message. */
function inEach(value: unknown, of: (message: JsonFields) => JsonFields): unknown {
  if (Array.isArray(value)) return value.map((each) => inEach(each, of));
  return typeof value === 'object' && value !== null ? of(value as JsonFields) : value;
}
