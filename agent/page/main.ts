/** The main program of a report's page. */
import 'uplot/dist/uPlot.min.css';
import './report.css';
import type { EventRow, Row } from '../../lib/report/row.js';
import { Colors } from './colors.js';
import { Details } from './details.js';
import { formatCell, h, setText, escapeInvisible } from './dom.js';
import { formatHash, parseHash } from './location.js';
import { suggestQueries } from './query.js';
import { followRows, readPageRows, type LiveState } from './read-rows.js';
import { EVERYTHING, LOST, Store, type Criteria } from './store.js';
import { createThemeSwitch } from './theme.js';
import { formatRange } from './format-time.js';
import { Timeline } from './timeline.js';
import { Views } from './views.js';

/** Time between two redraws while events arrive. */
const DRAW_MS = 300;
const SEARCH_MS = 120;

const KEYS: readonly (readonly [string, string])[] = [
  ['/', 'search'],
  ['1 to 5', 'events, processes, files, addresses, binaries'],
  ['↑ ↓ or k j, Page Up, Page Down, Home, End', 'move in a list'],
  ['Enter', 'details of a row, or only the events of a name'],
  ['← →', 'close and open a process'],
  ['Escape', 'close the details, then remove the filters'],
  ['← → + − on the time line', 'move it, and change its length'],
  ['?', 'this list'],
];

class App {
  readonly #store = new Store();
  readonly #colors = new Colors();
  readonly #isLive = document.documentElement.hasAttribute('data-live');
  readonly #search: HTMLInputElement;
  readonly #facts = h('p', { class: 'facts' }, 'Reading…');
  readonly #found = h('output', { class: 'found' });
  readonly #chips = h('div', { class: 'chips' });
  readonly #notices = h('div', { class: 'notices', role: 'status' });
  readonly #state = h('span', { class: 'state', hidden: true });
  readonly #views: Views;
  readonly #timeline: Timeline;
  readonly #details: Details;
  readonly #help: HTMLDialogElement;
  #criteria: Criteria = EVERYTHING;
  /** The event whose details are open. */
  #openEvent: EventRow | undefined;
  #drawing: number | undefined;
  #isPaused = false;
  #isRestoring = true;
  readonly #suggestions = h('datalist', { id: 'suggestions' });
  #waiting: (readonly Row[])[] = [];

  constructor() {
    const store = this.#store;
    const colors = this.#colors;
    const onFilter = (change: Partial<Criteria>): void => this.#filter(change);
    this.#details = new Details({ store, onFilter, onClose: () => this.#closeDetails() });
    this.#views = new Views({
      store,
      colors,
      isLive: this.#isLive,
      onChange: () => this.#saveState(),
      onFilter: (change) => {
        this.#filter(change);
        this.#views.choose(0);
      },
      onEvent: (event) => {
        this.#openEvent = event;
        this.#details.showEvent(event);
        this.#saveState();
      },
      onProcess: (process) => {
        this.#openEvent = undefined;
        this.#details.showProcess(process);
        this.#saveState();
      },
    });
    this.#timeline = new Timeline({
      store,
      colors,
      onRange: (from, to) => this.#filter({ from, to }),
      onGroup: (group) => this.#filter({ group: this.#criteria.group === group ? undefined : group }),
    });
    this.#search = h('input', {
      type: 'search',
      id: 'search',
      attributes: {
        placeholder: 'Search: words, -without, pid:172',
        'aria-label': 'Search events',
        autocomplete: 'off',
        list: 'suggestions',
        spellcheck: false,
      },
    });
    this.#search.addEventListener('input', () => {
      this.#suggest();
      this.#scheduleDraw(SEARCH_MS);
    });
    this.#help = createHelpDialog();
    document.getElementById('reading')?.remove();
    document.body.append(this.#createLayout(), this.#help);
    document.addEventListener('keydown', (event) => this.#onKey(event));
  }

  async start(): Promise<void> {
    if (this.#isLive) {
      followRows(
        (rows) => this.#addRows(rows),
        (state) => this.#showState(state),
      );
      this.#restoreState();
    } else {
      for await (const rows of readPageRows()) {
        for (const row of rows) this.#store.add(row, false);
        setText(this.#facts, `Reading… ${this.#store.events.length.toLocaleString('en')} events`);
      }
      this.#restoreState();
    }
    window.addEventListener('hashchange', () => this.#restoreState());
    performance.mark('ready');
    document.documentElement.dataset['ready'] = '';
  }

  /** Shows what the hash of the URL says. */
  #restoreState(): void {
    const { criteria, view, sort, starts, event } = parseHash(location.hash);
    this.#isRestoring = true;
    this.#criteria = criteria;
    this.#search.value = criteria.query;
    this.#views.restore(view, sort, starts);
    this.#draw();
    this.#openEvent = event === undefined ? undefined : this.#store.events[event];
    if (this.#openEvent === undefined) this.#details.close();
    else this.#details.showEvent(this.#openEvent);
    this.#isRestoring = false;
  }

  /** Writes what the reader sees into the hash, without an entry in the history. */
  #saveState(): void {
    if (this.#isRestoring) return;
    const { chosen: view, sort, showsStarts: starts } = this.#views;
    const at = this.#openEvent === undefined ? -1 : this.#store.events.indexOf(this.#openEvent);
    const hash = formatHash({ criteria: this.#criteria, view, sort, starts, event: at < 0 ? undefined : at });
    if (hash !== location.hash.slice(1)) history.replaceState(null, '', hash === '' ? location.pathname : `#${hash}`);
  }

  #suggest(): void {
    const found = suggestQueries(this.#search.value, this.#store.events, (event) => this.#store.findProcess(event));
    this.#suggestions.replaceChildren(...found.map((value) => h('option', { attributes: { value } })));
  }

  #createLayout(): HTMLElement {
    const help = h('button', { type: 'button', on: { click: () => this.#help.showModal() } }, 'Keys');
    const tools = h('div', { class: 'tools' }, this.#state, ...(this.#isLive ? [this.#createPauseButton()] : []), help);
    tools.append(createThemeSwitch(() => this.#timeline.redraw()));
    const head = h('header', {}, h('div', { class: 'title' }, h('h1', {}, 'polytrace report'), this.#facts), tools);
    const bar = h('div', { class: 'bar', role: 'search' }, this.#search, this.#suggestions, this.#chips, this.#found);
    const lists = h('div', { class: 'lists' }, this.#views.element, this.#details.element);
    return h('main', {}, head, this.#notices, bar, this.#timeline.element, lists);
  }

  #createPauseButton(): HTMLElement {
    const button = h('button', { type: 'button', attributes: { 'aria-pressed': false } }, 'Pause');
    button.addEventListener('click', () => {
      this.#isPaused = !this.#isPaused;
      button.setAttribute('aria-pressed', String(this.#isPaused));
      button.textContent = this.#isPaused ? 'Go on' : 'Pause';
      if (this.#isPaused) return;
      for (const rows of this.#waiting.splice(0)) this.#addRows(rows);
    });
    return button;
  }

  #addRows(rows: readonly Row[]): void {
    if (this.#isPaused) {
      this.#waiting.push(rows);
      // after a long pause, only the latest messages are kept
      if (this.#waiting.length > PAUSED_MAX) this.#store.missed += this.#waiting.shift()?.length ?? 0;
      return;
    }
    for (const row of rows) this.#store.add(row, true);
    this.#scheduleDraw(DRAW_MS);
  }

  #showState(state: LiveState): void {
    this.#state.hidden = false;
    setText(this.#state, { connected: '● live', connecting: '○ connecting…', ended: '■ ended' }[state]);
    this.#state.dataset['state'] = state;
  }

  #filter(change: Partial<Criteria>): void {
    const { from = this.#criteria.from, to = this.#criteria.to } = change;
    this.#criteria = { ...this.#criteria, ...change, from, to };
    this.#draw();
  }

  /** Schedules one redraw. */
  #scheduleDraw(ms: number): void {
    this.#drawing ??= window.setTimeout(() => {
      this.#drawing = undefined;
      this.#draw();
    }, ms);
  }

  #draw(): void {
    const store = this.#store;
    this.#colors.assign(store);
    this.#criteria = { ...this.#criteria, query: this.#search.value };
    const { group, from, to } = this.#criteria;
    const ungrouped = store.findEvents({ ...this.#criteria, group: undefined });
    const found = group === undefined ? ungrouped : store.findEvents(this.#criteria);
    const first = store.events[0]?.time ?? 0;
    const last = store.events.at(-1)?.time ?? first;
    this.#timeline.show(ungrouped, [Number.isFinite(from) ? from : first, Number.isFinite(to) ? to : last], group);
    this.#views.show(found);
    const all = store.events.length.toLocaleString('en');
    setText(
      this.#found,
      found.length === store.events.length ? `${all} events` : `${found.length.toLocaleString('en')} of ${all} events`,
    );
    this.#drawChips();
    this.#drawFacts(first, last);
    this.#drawNotices();
    this.#saveState();
  }

  #drawFacts(first: number, last: number): void {
    const { events, end, processes } = this.#store;
    const sources = end === undefined || end.sources.length === 0 ? [] : [end.sources.map(escapeInvisible).join(', ')];
    const nodes = end === undefined || end.nodes.length === 0 ? [] : [end.nodes.map(escapeInvisible).join(', ')];
    const when = events.length === 0 ? [] : [formatRange(first, last)];
    const counts = `${processes.size.toLocaleString('en')} programs`;
    setText(this.#facts, formatCell([...nodes, ...when, counts, ...sources].join(' · ')));
  }

  #drawNotices(): void {
    const { end, missed, dropped, events } = this.#store;
    const lost = events.reduce((sum, event) => sum + (event.type === LOST ? (event.lost ?? 0) : 0), 0);
    const formatCount = (count: number): string => count.toLocaleString('en');
    const notices: string[] = [];
    if (end !== undefined && end.leftOut > 0) {
      const when =
        end.leftOutFrom === undefined ? '' : `, of ${formatRange(end.leftOutFrom, end.leftOutTo ?? end.leftOutFrom)}`;
      notices.push(
        `${formatCount(end.leftOut)} further events have no room in this report${when}. --since, --filter and --limit choose others.`,
      );
    }
    if (lost > 0) notices.push(`${formatCount(lost)} events were lost before they were recorded.`);
    if (end !== undefined && end.wrongLines > 0)
      notices.push(`${formatCount(end.wrongLines)} lines of the input were no events.`);
    if (missed > 0) notices.push(`${formatCount(missed)} events came too fast for this browser and are missing.`);
    if (dropped > 0) notices.push(`${formatCount(dropped)} older events are no longer kept.`);
    const items = notices.map((text) => h('p', {}, text));
    if (this.#notices.textContent !== notices.join('')) this.#notices.replaceChildren(...items);
  }

  #drawChips(): void {
    const { from, to, group, file, address, binary } = this.#criteria;
    const createChip = (text: string, change: Partial<Criteria>): HTMLElement =>
      h(
        'button',
        {
          type: 'button',
          class: 'chip',
          attributes: { 'aria-label': `Remove the filter ${formatCell(text)}` },
          on: { click: () => this.#filter(change) },
        },
        h('span', { class: 'name' }, formatCell(text)),
        h('span', { attributes: { 'aria-hidden': true } }, ' ✕'),
      );
    const chips: HTMLElement[] = [];
    if (Number.isFinite(from) || Number.isFinite(to))
      chips.push(createChip(formatRange(from, to), { from: -Infinity, to: Infinity }));
    if (group !== undefined) chips.push(createChip(`policy: ${group}`, { group: undefined }));
    if (file !== undefined) chips.push(createChip(`file: ${file}`, { file: undefined }));
    if (address !== undefined) chips.push(createChip(`address: ${address}`, { address: undefined }));
    if (binary !== undefined) chips.push(createChip(`binary: ${binary}`, { binary: undefined }));
    this.#chips.replaceChildren(...chips);
  }

  #closeDetails(): void {
    this.#openEvent = undefined;
    this.#details.close();
    this.#saveState();
    this.#views.focusRows();
  }

  #onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.altKey || event.metaKey || this.#help.open) return;
    const isTyping = event.target instanceof HTMLInputElement;
    if (event.key === 'Escape') {
      if (isTyping && this.#search.value !== '') this.#search.value = '';
      else if (this.#details.isOpen) return this.#closeDetails();
      else this.#criteria = EVERYTHING;
      this.#draw();
      return;
    }
    if (event.key === 'Enter' && isTyping) return this.#views.focusRows();
    if (isTyping) return;
    if (event.key === '/') this.#search.focus();
    else if (event.key === '?') this.#help.showModal();
    else if (/^[1-5]$/.test(event.key)) this.#views.choose(Number(event.key) - 1);
    else return;
    event.preventDefault();
  }
}

/** Maximum of messages that are kept while the reader pauses. */
const PAUSED_MAX = 2000;

function createHelpDialog(): HTMLDialogElement {
  const list = h('dl', {}, ...KEYS.flatMap(([key, what]) => [h('dt', {}, h('kbd', {}, key)), h('dd', {}, what)]));
  const close = h('button', { type: 'button' }, 'Close');
  const dialog = h('dialog', { attributes: { 'aria-label': 'Keys' } }, h('h2', {}, 'Keys'), list, close);
  close.addEventListener('click', () => dialog.close());
  return dialog;
}

void new App().start();
