/** The timeline: stacked bars with the number of events of each group over time. */
import uPlot from 'uplot';
import type { Colors } from './colors.js';
import { formatCell, h } from './dom.js';
import { eventGroup, type Store } from './store.js';

const HEIGHT = 170;
/** Number of bars. */
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
  readonly #plotElement: HTMLElement;
  readonly #legend: HTMLElement;
  #plot: uPlot | undefined;
  #range: readonly [number, number] = [0, 1];
  #last: { readonly indexes: readonly number[]; readonly chosen: string | undefined } = {
    indexes: [],
    chosen: undefined,
  };

  constructor(options: TimelineOptions) {
    this.#options = options;
    this.#plotElement = h('div', {
      class: 'plot',
      tabindex: 0,
      role: 'group',
      attributes: {
        'aria-label': 'Time line. Arrows move it, plus and minus change its length, Escape shows everything.',
      },
      on: { keydown: (event: KeyboardEvent) => this.#onKey(event) },
    });
    this.#legend = h('ul', { class: 'legend', attributes: { 'aria-label': 'Events by policy' } });
    this.element = h(
      'section',
      { class: 'card timeline', attributes: { 'aria-label': 'Time line' } },
      this.#plotElement,
      this.#legend,
    );
    new ResizeObserver(() => this.#plot?.setSize({ width: this.#width, height: HEIGHT })).observe(this.#plotElement);
  }

  get #width(): number {
    return Math.max(this.#plotElement.clientWidth, 200);
  }

  /** `indexes`: the events before the group filter. `chosen`: the group filter. */
  show(indexes: readonly number[], range: readonly [number, number], chosen: string | undefined): void {
    const [from, to] = range;
    this.#range = to > from ? range : [from - 500, from + 500];
    this.#last = { indexes, chosen };
    const groups = this.#countGroups(indexes);
    this.#drawLegend(groups, chosen);
    const shown = chosen === undefined ? groups : groups.filter(({ name }) => name === chosen);
    const { times, stacks } = this.#stackCounts(indexes, shown);
    this.#plot?.destroy();
    // the highest bars are drawn first, and the lower ones on top of them
    const series = shown.map(({ name, color }) => createSeries(name, resolveColor(color))).reverse();
    this.#plot = new uPlot(this.#plotOptions(series), [times, ...stacks.reverse()], this.#plotElement);
  }

  /** Redraws with the colours of the current theme. */
  redraw(): void {
    this.show(this.#last.indexes, this.#range, this.#last.chosen);
  }

  #countGroups(indexes: readonly number[]): Group[] {
    const counts = new Map<string, number>();
    for (const i of indexes) {
      const event = this.#options.store.events[i];
      if (event === undefined) continue;
      const name = eventGroup(event);
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    const { colors } = this.#options;
    return [...counts]
      .map(([name, count]) => ({ name, count, color: colors.groupColor(name) }))
      .sort((a, b) => colors.groupRank(a.name) - colors.groupRank(b.name));
  }

  /** Returns the cumulated heights of the bars of each group. */
  #stackCounts(indexes: readonly number[], groups: readonly Group[]): { times: number[]; stacks: number[][] } {
    const [from, to] = this.#range;
    const length = (to - from) / BARS;
    const times = Array.from({ length: BARS }, (_, i) => (from + (i + 0.5) * length) / 1000);
    const rowIndexes = new Map(groups.map(({ name }, i) => [name, i]));
    const counts = groups.map(() => new Array<number>(BARS).fill(0));
    for (const i of indexes) {
      const event = this.#options.store.events[i];
      if (event === undefined) continue;
      const row = counts[rowIndexes.get(eventGroup(event)) ?? -1];
      const bar = Math.min(Math.floor((event.time - from) / length), BARS - 1);
      if (row !== undefined && bar >= 0) row[bar] = (row[bar] ?? 0) + 1;
    }
    const sums = new Array<number>(BARS).fill(0);
    const stacks = counts.map((row) => row.map((count, i) => (sums[i] = (sums[i] ?? 0) + count)));
    return { times, stacks };
  }

  #plotOptions(series: uPlot.Series[]): uPlot.Options {
    const axis = { stroke: cssVariable('--muted'), font: '12px system-ui, sans-serif', ticks: { show: false } };
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
          values: (_, ticks) => ticks.map((seconds) => this.#formatTick(seconds)),
        },
        {
          ...axis,
          size: 56,
          grid: { stroke: cssVariable('--line'), width: 1 },
          space: 34,
          incrs: [1, 2, 5].flatMap((n) => [0, 1, 2, 3, 4, 5, 6].map((e) => n * 10 ** e)).sort((a, b) => a - b),
        },
      ],
      series: [{}, ...series],
      hooks: { setSelect: [(plot) => this.#onSelect(plot)] },
    };
  }

  #formatTick(seconds: number): string {
    const [from, to] = this.#range;
    const text = new Date(seconds * 1000).toISOString();
    if (to - from > 36 * 3_600_000) return text.slice(5, 16).replace('T', ' ');
    return to - from > 30_000 ? text.slice(11, 19) : text.slice(11, 23);
  }

  #onSelect(plot: uPlot): void {
    const { left, width } = plot.select;
    if (width < 3) return;
    const [from, to] = [plot.posToVal(left, 'x') * 1000, plot.posToVal(left + width, 'x') * 1000];
    // the plot finishes its mouse handling before another one replaces it
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
        h('span', { class: 'name' }, formatCell(name)),
        h('span', { class: 'count' }, count.toLocaleString('en')),
      );
      return h('li', {}, button);
    });
    // the keyboard focus stays
    const focused = [...this.#legend.querySelectorAll('button')].indexOf(document.activeElement as HTMLButtonElement);
    this.#legend.replaceChildren(...items);
    if (focused >= 0) this.#legend.querySelectorAll('button')[focused]?.focus();
  }

  #onKey(event: KeyboardEvent): void {
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

function createSeries(label: string, color: string): uPlot.Series {
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

/** A canvas cannot use CSS variables, so the value is looked up. */
function resolveColor(color: string): string {
  const name = /^var\((.*)\)$/.exec(color)?.[1];
  return name === undefined ? color : cssVariable(name);
}

function cssVariable(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
