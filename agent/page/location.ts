/** Keeps what the reader sees in the URL's hash, so that a link or a reload shows the same. */
import type { Criteria } from './store.js';
import type { Sort } from './grid.js';

/** The state of the page that the hash contains. */
export interface PageState {
  readonly criteria: Criteria;
  readonly view: number;
  readonly sort?: Sort | undefined;
  readonly starts: boolean;
  /** The event whose details are open: its position among all events. */
  readonly event?: number | undefined;
}

const TEXTS = ['group', 'file', 'address', 'binary'] as const;

export function formatHash({ criteria, view, sort, starts, event }: PageState): string {
  const parameters = new URLSearchParams();
  if (criteria.query !== '') parameters.set('q', criteria.query);
  for (const key of TEXTS) if (criteria[key] !== undefined) parameters.set(key, criteria[key]);
  if (Number.isFinite(criteria.from)) parameters.set('from', String(criteria.from));
  if (Number.isFinite(criteria.to)) parameters.set('to', String(criteria.to));
  if (view > 0) parameters.set('view', String(view + 1));
  if (sort !== undefined) parameters.set('sort', `${sort.isUp ? '' : '-'}${sort.column}`);
  if (starts) parameters.set('starts', '1');
  if (event !== undefined) parameters.set('event', String(event));
  return parameters.toString();
}

/** Somebody else can have written the hash: values that make no sense count as absent. */
export function parseHash(hash: string): PageState {
  const parameters = new URLSearchParams(hash.replace(/^#/, ''));
  const number = (name: string): number | undefined => {
    const value = Number(parameters.get(name) ?? NaN);
    return Number.isFinite(value) ? value : undefined;
  };
  const sort = /^(-?)(\d)$/.exec(parameters.get('sort') ?? '');
  const texts = Object.fromEntries(
    TEXTS.flatMap((key) => (parameters.has(key) ? [[key, parameters.get(key) ?? '']] : [])),
  );
  return {
    criteria: {
      query: parameters.get('q') ?? '',
      from: number('from') ?? -Infinity,
      to: number('to') ?? Infinity,
      ...texts,
    },
    view: Math.min(Math.max((number('view') ?? 1) - 1, 0), 4),
    sort: sort === null ? undefined : { column: Number(sort[2]), isUp: sort[1] === '' },
    starts: parameters.get('starts') === '1',
    event: number('event'),
  };
}
