/**
 * The series of one metric. Their number is bounded, and the share of the table is fair: the labels of a group that traced
 * programs can choose, such as the names of binaries, take no place from other groups. Series that are not used age.
 */
import { formatLabels, type LabelText, type Sample } from './live-metrics.js';

/** Maximum of series in a table. */
const SERIES_MAX = 1000;
/** A series that was not used for this time is removed. */
const KEPT_MS = 3600_000;
/** In a full table, a series that was not used for this time gives way to a new one. */
const GIVES_WAY_MS = 60_000;

/** The value of a label that stands for several. */
export const OTHERS = '(others)';

/** The labels that an event is counted for. */
export interface SeriesSource {
  /** Identifies the labels that traced programs cannot choose freely. */
  readonly group: string;
  /** The label that they choose. */
  readonly name: string;
  /** Returns the labels of the group with another name. */
  readonly labels: (name: string) => Readonly<Record<string, string>>;
  /** The labels for what has no place in the table. */
  readonly common: () => Readonly<Record<string, string>>;
}

interface Series {
  readonly key: string;
  readonly group: Group;
  readonly labels: LabelText;
  readonly common: SeriesSource['common'];
  count: number;
  /** The count that was read last. */
  readCount: number;
  usedAt: number;
}

interface Group {
  readonly key: string;
  readonly members: Set<Series>;
  /** Counts the further names of the group. It is one of the members. */
  rest: Series | undefined;
}

interface CommonSeries {
  count: number;
  usedAt: number;
}

export class SeriesTable {
  readonly #series = new Map<string, Series>();
  readonly #groups = new Map<string, Group>();
  readonly #common = new Map<LabelText, CommonSeries>();
  /** No series gives way before this time. */
  #fullUntil = -Infinity;
  /** Undefined when it has to be determined again. */
  #largest: Group | undefined;

  add(source: SeriesSource, now: number): void {
    const key = `${source.group}\0${source.name}`;
    const known = this.#series.get(key);
    const series = known ?? this.#open(key, source, now) ?? this.#groups.get(source.group)?.rest;
    if (series === undefined) {
      this.#addCommon(source.common, 1, now);
      return;
    }
    series.count += 1;
    series.usedAt = now;
  }

  /** Returns all values. Removes the series that nobody uses any more. */
  read(now: number): Sample[] {
    for (const series of this.#series.values()) if (series.usedAt <= now - KEPT_MS) this.#remove(series, now);
    for (const [labels, { usedAt }] of this.#common) if (usedAt <= now - KEPT_MS) this.#common.delete(labels);
    const samples: Sample[] = [];
    for (const series of this.#series.values()) {
      series.readCount = series.count;
      samples.push([series.labels, series.count]);
    }
    for (const [labels, { count }] of this.#common) samples.push([labels, count]);
    return samples;
  }

  /** Returns undefined when there is no place. Then the group has a series for the rest, or no series at all. */
  #open(key: string, source: SeriesSource, now: number): Series | undefined {
    const group = this.#groups.get(source.group) ?? { key: source.group, members: new Set(), rest: undefined };
    if (this.#series.size < SERIES_MAX || this.#makeRoom(group, now)) return this.#create(key, group, source, now);
    if (group.rest !== undefined || group.members.size === 0) return undefined;
    const oldest = findOldest(group.members);
    group.rest = this.#create(`${source.group}\0\0rest`, group, { ...source, name: OTHERS }, now);
    this.#remove(oldest, now);
    return undefined;
  }

  #create(key: string, group: Group, { name, labels, common }: SeriesSource, now: number): Series {
    const text = formatLabels(labels(name));
    const series = { key, group, labels: text, common, count: 0, readCount: 0, usedAt: now };
    this.#series.set(key, series);
    this.#groups.set(group.key, group);
    group.members.add(series);
    this.#largest = undefined;
    return series;
  }

  #makeRoom(group: Group, now: number): boolean {
    if (now >= this.#fullUntil) {
      const oldest = findOldest(this.#series.values());
      if (oldest.usedAt <= now - GIVES_WAY_MS) {
        this.#remove(oldest, now);
        return true;
      }
      this.#fullUntil = oldest.usedAt + GIVES_WAY_MS;
    }
    const largest = (this.#largest ??= findLargest(this.#groups.values()));
    if (largest.members.size <= group.members.size + 1) return false;
    this.#remove(findOldest([...largest.members].filter((each) => each !== largest.rest)), now);
    return true;
  }

  /** Readers know the part of the count that they have read. The other part is added to the rest. */
  #remove(series: Series, now: number): void {
    const { group, key, count, readCount, common } = series;
    this.#series.delete(key);
    group.members.delete(series);
    if (group.rest === series) group.rest = undefined;
    if (group.members.size === 0) this.#groups.delete(group.key);
    this.#largest = undefined;
    const unread = count - readCount;
    if (unread === 0) return;
    if (group.rest === undefined) this.#addCommon(common, unread, now);
    else group.rest.count += unread;
  }

  #addCommon(common: SeriesSource['common'], count: number, now: number): void {
    const labels = formatLabels(common());
    const known = this.#common.get(labels);
    if (known === undefined) this.#common.set(labels, { count, usedAt: now });
    else Object.assign(known, { count: known.count + count, usedAt: now });
  }
}

function findOldest(all: Iterable<Series>): Series {
  let oldest: Series | undefined;
  for (const series of all) if (oldest === undefined || series.usedAt < oldest.usedAt) oldest = series;
  return oldest as Series;
}

function findLargest(all: Iterable<Group>): Group {
  let largest: Group | undefined;
  for (const group of all) if (largest === undefined || group.members.size > largest.members.size) largest = group;
  return largest as Group;
}
