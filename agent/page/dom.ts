/** Creates elements without markup: strings from the traced machine become text nodes. */

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

/** Sets the text only if it has changed. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element: Element, name: string, value: string | number | boolean): void {
  const text = String(value);
  if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}

/** Maximum of characters in a cell. The details show longer strings. */
const CELL_MAX = 400;

/** Formats a string as one line for a cell. */
export function formatCell(text: string): string {
  return escapeInvisible(text.length > CELL_MAX ? `${text.slice(0, CELL_MAX)}…` : text);
}

/** Control characters, invisible characters, line separators, and characters that change the direction of text. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Co}\p{Default_Ignorable_Code_Point}]/gu;

/** Escapes characters that could make a string look like another one. */
export function escapeInvisible(text: string): string {
  return text.replace(INVISIBLE, (character) => {
    const hex = (character.codePointAt(0) ?? 0).toString(16);
    return `\\u{${hex}}`;
  });
}
