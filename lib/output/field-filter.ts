/** Removes fields from the JSON export. */
import type { FieldFilter, FieldFilterOptions, JsonFields } from '../../types/output.js';
import { PolytraceError } from '../errors.js';
import { isExported, RAW_BYTES_SUFFIX } from './export-fields.js';

const HINT = 'write a path below the event, such as process.binary or args.file_arg.path; docs/events.md has the names';

/** Refuses unknown paths: otherwise such a path would have no effect, and nothing would report it. */
export function fieldFilter({ include, exclude }: FieldFilterOptions): FieldFilter {
  for (const path of [...(include ?? []), ...(exclude ?? [])]) {
    if (!isExported(path)) throw new PolytraceError('FIELD_UNKNOWN', `no event has the field '${path}'`, HINT);
  }
  const included = include === undefined ? undefined : new FieldTree(include);
  const excluded = new FieldTree(exclude ?? []);
  return (fields) => excluded.remove(included === undefined ? fields : included.keepOnly(fields));
}

/** The paths as a tree of field names. */
class FieldTree {
  readonly #subtrees = new Map<string, FieldTree>();
  /** True if a path ends here. It then selects this field with everything below it. */
  #isLeaf = false;

  constructor(paths: readonly string[] = []) {
    for (const path of paths) this.#add(path.split('.'));
  }

  #add([name, ...rest]: readonly string[]): void {
    if (name === undefined) {
      this.#isLeaf = true;
      return;
    }
    let subtree = this.#subtrees.get(name);
    if (subtree === undefined) this.#subtrees.set(name, (subtree = new FieldTree()));
    subtree.#add(rest);
  }

  keepOnly(fields: JsonFields): JsonFields {
    return this.#mapFields(fields, (value, subtree) => {
      if (subtree === undefined) return undefined;
      return subtree.#isLeaf ? value : mapMessages(value, (message) => subtree.keepOnly(message));
    });
  }

  remove(fields: JsonFields): JsonFields {
    return this.#mapFields(fields, (value, subtree) => {
      if (subtree === undefined) return value;
      return subtree.#isLeaf ? undefined : mapMessages(value, (message) => subtree.remove(message));
    });
  }

  #mapFields(fields: JsonFields, transform: (value: unknown, subtree: FieldTree | undefined) => unknown): JsonFields {
    const members = Object.entries(fields).map(
      ([name, value]) => [name, transform(value, this.#findSubtree(name))] as const,
    );
    return Object.fromEntries(members.filter(([, value]) => value !== undefined));
  }

  /** The bytes of a string belong to the string. */
  #findSubtree(name: string): FieldTree | undefined {
    const own = this.#subtrees.get(name);
    if (own !== undefined || !name.endsWith(RAW_BYTES_SUFFIX)) return own;
    return this.#subtrees.get(name.slice(0, -RAW_BYTES_SUFFIX.length));
  }
}

/** Transforms a message, or each message of a list: a path selects its field in each of them. */
function mapMessages(value: unknown, transform: (message: JsonFields) => JsonFields): unknown {
  if (Array.isArray(value)) return value.map((each) => mapMessages(each, transform));
  return typeof value === 'object' && value !== null ? transform(value as JsonFields) : value;
}
