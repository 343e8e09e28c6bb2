/** Elements without markup: everything that a traced machine has named becomes text. */

type Child = Node | string;

interface Properties {
  readonly class?: string;
  readonly id?: string;
  readonly role?: string;
  readonly type?: string;
  readonly tabindex?: number;
  readonly hidden?: boolean;
  /** Attributes, such as those of ARIA. */
  readonly attributes?: Readonly<Record<string, string | number | boolean>>;
  readonly on?: Readonly<Record<string, (event: never) => void>>;
}

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  { class: name, on, attributes, hidden, ...others }: Properties = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (name !== undefined) element.className = name;
  if (hidden === true) element.hidden = true;
  for (const [key, value] of Object.entries({ ...others, ...attributes })) element.setAttribute(key, String(value));
  for (const [type, listener] of Object.entries(on ?? {})) element.addEventListener(type, listener as EventListener);
  element.append(...children);
  return element;
}

/** Changes the text only when it is another one. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element: Element, name: string, value: string | number | boolean): void {
  const text = String(value);
  if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}

/** Longer texts are shown whole only in the details: a row has one line. */
const CELL_MAX = 400;

/** A text of one line for a cell. */
export function cellText(text: string): string {
  return visible(text.length > CELL_MAX ? `${text.slice(0, CELL_MAX)}…` : text);
}

/** Control characters, invisible characters, and those that change the direction of a text or end a line. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Co}\p{Default_Ignorable_Code_Point}]/gu;

/** Shows the characters that could make a text look like another one. */
export function visible(text: string): string {
  return text.replace(HIDDEN, (character) => {
    const hex = (character.codePointAt(0) ?? 0).toString(16);
    return `\\u{${hex}}`;
  });
}
