/** Everything about one event, or about one process, at the side of the page. */
import type { EventRow, ProcessRow } from '../lib/report/row.js';
import { h, visible } from './dom.js';
import type { Criteria, Store } from './store.js';
import { whole } from './times.js';

/** Ancestors that are shown. */
const ANCESTORS_MAX = 30;

interface DetailsOptions {
  readonly store: Store;
  readonly onFilter: (change: Partial<Criteria>) => void;
  readonly onClose: () => void;
}

export class Details {
  readonly element: HTMLElement;
  readonly #options: DetailsOptions;
  readonly #body: HTMLElement;
  readonly #title: HTMLElement;

  constructor(options: DetailsOptions) {
    this.#options = options;
    this.#title = h('h2', {}, '');
    const close = h(
      'button',
      { type: 'button', class: 'icon', attributes: { 'aria-label': 'Close details' }, on: { click: options.onClose } },
      '✕',
    );
    this.#body = h('div', {
      class: 'details-body',
      tabindex: 0,
      role: 'region',
      attributes: { 'aria-label': 'Details' },
    });
    this.element = h('aside', {
      class: 'card details',
      hidden: true,
      attributes: { 'aria-label': 'Details of the chosen row' },
    });
    this.element.append(h('div', { class: 'details-head' }, this.#title, close), this.#body);
  }

  get isOpen(): boolean {
    return !this.element.hidden;
  }

  close(): void {
    this.element.hidden = true;
  }

  showEvent(event: EventRow): void {
    const { store } = this.#options;
    const process = store.processOf(event);
    const actions = event.actions === undefined ? [] : [field('Action', event.actions)];
    const facts = h(
      'dl',
      {},
      ...field('Time', whole(event.time)),
      ...(event.policy === undefined ? [] : field('Policy', event.policy)),
      ...(event.hook === undefined ? [] : field('Hook', event.hook)),
      ...(event.message === undefined ? [] : field('Message', event.message)),
      ...actions.flat(),
      ...(event.detail === '' ? [] : field('Detail', event.detail)),
      ...(event.tags === undefined ? [] : field('Tags', event.tags.join(', '))),
    );
    const values = (event.values ?? []).flatMap(([name, value]) => field(name, value));
    const buttons = [
      ...(event.files ?? []).map((file) => this.#button(`Only events of this file`, { file })),
      ...(event.addresses ?? []).map((address) => this.#button(`Only events of ${address}`, { address })),
      ...(process === undefined ? [] : [this.#button('Only events of this binary', { binary: process.binary })]),
    ].slice(0, 6);
    this.#show(event.label, [
      facts,
      ...section('Values', values.length === 0 ? undefined : h('dl', {}, ...values)),
      ...section('Stack', event.stack === undefined ? undefined : h('pre', {}, event.stack.map(visible).join('\n'))),
      ...(process === undefined ? [] : this.#process(process)),
      h('div', { class: 'buttons' }, ...buttons),
    ]);
  }

  showProcess(process: ProcessRow): void {
    const filter = this.#button('Only events of this binary', { binary: process.binary });
    this.#show(`pid ${process.pid}`, [...this.#process(process), h('div', { class: 'buttons' }, filter)]);
  }

  #process(process: ProcessRow): Node[] {
    const { pid, uid, user, cwd, start, container, pod } = process;
    const facts = h(
      'dl',
      {},
      ...field('Binary', process.binary === '' ? '(unknown)' : process.binary),
      ...(process.arguments === '' ? [] : field('Arguments', process.arguments)),
      ...field('Process id', String(pid)),
      ...field('User', user === undefined ? String(uid) : `${user} (${uid})`),
      ...(cwd === '' ? [] : field('Folder', cwd)),
      ...(start === '' ? [] : field('Started', start.replace('T', ' ').replace('Z', ' UTC'))),
      ...(container === undefined ? [] : field('Container', container)),
      ...(pod === undefined ? [] : field('Pod', pod)),
    );
    const above = this.#ancestors(process).map((each) =>
      h(
        'li',
        {},
        visible(`${each.binary || '(unknown)'} ${each.arguments}`.trim()),
        h('span', { class: 'muted' }, ` pid ${each.pid}`),
      ),
    );
    return [
      ...section('Process', facts),
      ...section('Started by', above.length === 0 ? undefined : h('ol', {}, ...above)),
    ];
  }

  #ancestors(process: ProcessRow): ProcessRow[] {
    const found: ProcessRow[] = [];
    let at = this.#options.store.processes.get(process.parent);
    while (at !== undefined && found.length < ANCESTORS_MAX && !found.includes(at)) {
      found.push(at);
      at = this.#options.store.processes.get(at.parent);
    }
    return found;
  }

  #button(text: string, change: Partial<Criteria>): HTMLElement {
    return h('button', { type: 'button', on: { click: () => this.#options.onFilter(change) } }, visible(text));
  }

  #show(title: string, children: readonly Node[]): void {
    this.#title.textContent = visible(title);
    this.#body.replaceChildren(...children);
    this.#body.scrollTop = 0;
    this.element.hidden = false;
  }
}

function field(name: string, text: string): HTMLElement[] {
  return [h('dt', {}, visible(name)), h('dd', {}, visible(text))];
}

function section(title: string, content: Node | undefined): Node[] {
  return content === undefined ? [] : [h('h3', {}, title), content];
}
