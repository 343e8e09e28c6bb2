/** Shows the details of an event or a process at the side of the page. */
import type { EventRow, ProcessRow } from '../../lib/report/row.js';
import { h, escapeInvisible } from './dom.js';
import type { Criteria, Store } from './store.js';
import { formatTimestamp } from './format-time.js';

/** Maximum of ancestors in the details. */
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
    const process = store.findProcess(event);
    const actions = event.actions === undefined ? [] : [createField('Action', event.actions)];
    const facts = h(
      'dl',
      {},
      ...createField('Time', formatTimestamp(event.time)),
      ...(event.policy === undefined ? [] : createField('Policy', event.policy)),
      ...(event.hook === undefined ? [] : createField('Hook', event.hook)),
      ...(event.message === undefined ? [] : createField('Message', event.message)),
      ...actions.flat(),
      ...(event.detail === '' ? [] : createField('Detail', event.detail)),
      ...(event.tags === undefined ? [] : createField('Tags', event.tags.join(', '))),
    );
    const values = (event.values ?? []).flatMap(([name, value]) => createField(name, value));
    const buttons = [
      ...(event.files ?? []).map((file) => this.#createButton(`Only events of this file`, { file })),
      ...(event.addresses ?? []).map((address) => this.#createButton(`Only events of ${address}`, { address })),
      ...(process === undefined ? [] : [this.#createButton('Only events of this binary', { binary: process.binary })]),
    ].slice(0, 6);
    this.#show(event.label, [
      facts,
      ...createSection('Values', values.length === 0 ? undefined : h('dl', {}, ...values)),
      ...createSection(
        'Stack',
        event.stack === undefined ? undefined : h('pre', {}, event.stack.map(escapeInvisible).join('\n')),
      ),
      ...(process === undefined ? [] : this.#createProcessSections(process)),
      h('div', { class: 'buttons' }, ...buttons),
    ]);
  }

  showProcess(process: ProcessRow): void {
    const filter = this.#createButton('Only events of this binary', { binary: process.binary });
    this.#show(`pid ${process.pid}`, [...this.#createProcessSections(process), h('div', { class: 'buttons' }, filter)]);
  }

  #createProcessSections(process: ProcessRow): Node[] {
    const { pid, uid, user, cwd, start, container, pod } = process;
    const facts = h(
      'dl',
      {},
      ...createField('Binary', process.binary === '' ? '(unknown)' : process.binary),
      ...(process.arguments === '' ? [] : createField('Arguments', process.arguments)),
      ...createField('Process id', String(pid)),
      ...createField('User', user === undefined ? String(uid) : `${user} (${uid})`),
      ...(cwd === '' ? [] : createField('Folder', cwd)),
      ...(start === '' ? [] : createField('Started', start.replace('T', ' ').replace('Z', ' UTC'))),
      ...(container === undefined ? [] : createField('Container', container)),
      ...(pod === undefined ? [] : createField('Pod', pod)),
    );
    const above = this.#ancestors(process).map((each) =>
      h(
        'li',
        {},
        escapeInvisible(`${each.binary || '(unknown)'} ${each.arguments}`.trim()),
        h('span', { class: 'muted' }, ` pid ${each.pid}`),
      ),
    );
    return [
      ...createSection('Process', facts),
      ...createSection('Started by', above.length === 0 ? undefined : h('ol', {}, ...above)),
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

  #createButton(text: string, change: Partial<Criteria>): HTMLElement {
    return h('button', { type: 'button', on: { click: () => this.#options.onFilter(change) } }, escapeInvisible(text));
  }

  #show(title: string, children: readonly Node[]): void {
    this.#title.textContent = escapeInvisible(title);
    this.#body.replaceChildren(...children);
    this.#body.scrollTop = 0;
    this.element.hidden = false;
  }
}

function createField(name: string, text: string): HTMLElement[] {
  return [h('dt', {}, escapeInvisible(name)), h('dd', {}, escapeInvisible(text))];
}

function createSection(title: string, content: Node | undefined): Node[] {
  return content === undefined ? [] : [h('h3', {}, title), content];
}
