/** The time line: how many events each group has in each part of the time, as stacked bars. */
import uPlot from 'uplot';
import type { Colors } from './colors.js';
import { cellText, h } from './dom.js';
import { groupOf, type Store } from './store.js';

const HEIGHT = 170;
/** Parts of the time. */
const BARS = 120;

interface TimelineOptions {
  readonly store: Store;
  readonly colors: Colors;
  readonly onRange: (from: number, to: number) => void;
  readonly onGroup: (group: string) => void;
}

interface Group {
  readonly name: string;
  readonly count: number;
  readonly color: string;
}

export class Timeline {
  readonly element: HTMLElement;
  readonly #options: TimelineOptions;
  readonly #place: HTMLElement;
  readonly #legend: HTMLElement;
  #plot: uPlot | undefined;
  #range: readonly [number, number] = [0, 1];
  #last: { readonly indexes: readonly number[]; readonly chosen: string | undefined } = {
    indexes: [],
    chosen: undefined,
  };

  constructor(options: TimelineOptions) {
    this.#options = options;
    this.#place = h('div', {
      class: 'plot',
      tabindex: 0,
      role: 'group',
      attributes: {
        'aria-label': 'Time line. Arrows move it, plus and minus change its length, Escape shows everything.',
      },
      on: { keydown: (event: KeyboardEvent) => this.#key(event) },
    });
    this.#legend = h('ul', { class: 'legend', attributes: { 'aria-label': 'Events by policy' } });
    this.element = h(
      'section',
      { class: 'card timeline', attributes: { 'aria-label': 'Time line' } },
      this.#place,
      this.#legend,
    );
    new ResizeObserver(() => this.#plot?.setSize({ width: this.#width, height: HEIGHT })).observe(this.#place);
  }

  get #width(): number {
    return Math.max(this.#place.clientWidth, 200);
  }

  /** `indexes` are events without the filter of the group, `chosen` is this filter. */
  show(indexes: readonly number[], range: readonly [number, number], chosen: string | undefined): void {
    const [from, to] = range;
    this.#range = to > from ? range : [from - 500, from + 500];
    this.#last = { indexes, chosen };
    const groups = this.#groups(indexes);
    this.#drawLegend(groups, chosen);
    const shown = chosen === undefined ? groups : groups.filter(({ name }) => name === chosen);
    const { times, stacks } = this.#stacks(indexes, shown);
    this.#plot?.destroy();
    // the highest bars are drawn first, and the lower ones over them
    const series = shown.map(({ name, color }) => seriesOf(name, computed(color))).reverse();
    this.#plot = new uPlot(this.#plotOptions(series), [times, ...stacks.reverse()], this.#place);
  }

  /** Draws with the colours of another theme. */
  redraw(): void {
    this.show(this.#last.indexes, this.#range, this.#last.chosen);
  }

  #groups(indexes: readonly number[]): Group[] {
    const counts = new Map<string, number>();
    for (const i of indexes) {
      const event = this.#options.store.events[i];
      if (event === undefined) continue;
      const name = groupOf(event);
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    const { colors } = this.#options;
    return [...counts]
      .map(([name, count]) => ({ name, count, color: colors.of(name) }))
      .sort((a, b) => colors.rank(a.name) - colors.rank(b.name));
  }

  /** Heights of the bars of each group, on top of the groups before it. */
  #stacks(indexes: readonly number[], groups: readonly Group[]): { times: number[]; stacks: number[][] } {
    const [from, to] = this.#range;
    const length = (to - from) / BARS;
    const times = Array.from({ length: BARS }, (_, i) => (from + (i + 0.5) * length) / 1000);
    const place = new Map(groups.map(({ name }, i) => [name, i]));
    const counts = groups.map(() => new Array<number>(BARS).fill(0));
    for (const i of indexes) {
      const event = this.#options.store.events[i];
      if (event === undefined) continue;
      const row = counts[place.get(groupOf(event)) ?? -1];
      const bar = Math.min(Math.floor((event.time - from) / length), BARS - 1);
      if (row !== undefined && bar >= 0) row[bar] = (row[bar] ?? 0) + 1;
    }
    const sums = new Array<number>(BARS).fill(0);
    const stacks = counts.map((row) => row.map((count, i) => (sums[i] = (sums[i] ?? 0) + count)));
    return { times, stacks };
  }

  #plotOptions(series: uPlot.Series[]): uPlot.Options {
    const axis = { stroke: css('--muted'), font: '12px system-ui, sans-serif', ticks: { show: false } };
    return {
      width: this.#width,
      height: HEIGHT,
      legend: { show: false },
      padding: [8, 8, 0, 0],
      cursor: { y: false, points: { show: false }, drag: { x: true, y: false, setScale: false } },
      scales: {
        x: { range: () => [this.#range[0] / 1000, this.#range[1] / 1000] },
        y: { range: (_, _min, max) => [0, Math.max(max, 1)] },
      },
      axes: [
        {
          ...axis,
          size: 28,
          grid: { show: false },
          space: 90,
          values: (_, ticks) => ticks.map((seconds) => this.#tick(seconds)),
        },
        {
          ...axis,
          size: 56,
          grid: { stroke: css('--line'), width: 1 },
          space: 34,
          incrs: [1, 2, 5].flatMap((n) => [0, 1, 2, 3, 4, 5, 6].map((e) => n * 10 ** e)).sort((a, b) => a - b),
        },
      ],
      series: [{}, ...series],
      hooks: { setSelect: [(plot) => this.#selected(plot)] },
    };
  }

  #tick(seconds: number): string {
    const [from, to] = this.#range;
    const text = new Date(seconds * 1000).toISOString();
    if (to - from > 36 * 3_600_000) return text.slice(5, 16).replace('T', ' ');
    return to - from > 30_000 ? text.slice(11, 19) : text.slice(11, 23);
  }

  #selected({ select, posToVal }: uPlot): void {
    if (select.width < 3) return;
    const [from, to] = [posToVal(select.left, 'x') * 1000, posToVal(select.left + select.width, 'x') * 1000];
    // the plot ends its own work with the mouse before another one takes its place
    setTimeout(() => this.#options.onRange(from, to));
  }

  #drawLegend(groups: readonly Group[], chosen: string | undefined): void {
    const items = groups.map(({ name, count, color }) => {
      const swatch = h('span', { class: 'swatch' });
      swatch.style.background = color;
      const attributes = { 'aria-pressed': chosen === name };
      const on = { click: () => this.#options.onGroup(name) };
      const button = h('button', { type: 'button', class: 'chip', attributes, on }, swatch);
      button.append(
        h('span', { class: 'name' }, cellText(name)),
        h('span', { class: 'count' }, count.toLocaleString('en')),
      );
      return h('li', {}, button);
    });
    // the keyboard stays where it was
    const focused = [...this.#legend.querySelectorAll('button')].indexOf(document.activeElement as HTMLButtonElement);
    this.#legend.replaceChildren(...items);
    if (focused >= 0) this.#legend.querySelectorAll('button')[focused]?.focus();
  }

  #key(event: KeyboardEvent): void {
    const [from, to] = this.#range;
    const quarter = (to - from) / 4;
    const ranges: Readonly<Record<string, readonly [number, number]>> = {
      ArrowLeft: [from - quarter, to - quarter],
      ArrowRight: [from + quarter, to + quarter],
      '+': [from + quarter, to - quarter],
      '-': [from - 2 * quarter, to + 2 * quarter],
      Escape: [-Infinity, Infinity],
    };
    const range = ranges[event.key];
    if (range === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    this.#options.onRange(...range);
  }
}

function seriesOf(label: string, color: string): uPlot.Series {
  const paths = uPlot.paths.bars?.({ size: [0.86, 40], radius: 0 });
  return {
    label,
    fill: color,
    stroke: color,
    width: 0,
    points: { show: false },
    ...(paths === undefined ? {} : { paths }),
  };
}

/** Starts and ends are at the bottom, losses at the top. */
/** A canvas knows no variables. */
function computed(color: string): string {
  const name = /^var\((.*)\)$/.exec(color)?.[1];
  return name === undefined ? color : css(name);
}

function css(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
