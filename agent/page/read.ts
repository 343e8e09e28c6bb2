/** Reads the rows: those in the page, or those that a server sends. */
import type { Row } from '../lib/report/row.js';

/** Rows that are read without a pause. */
const ROWS_PER_TURN = 5000;

/** Gives the rows of the page in parts. Between two of them, the browser can draw and answer. */
export async function* rowsOfPage(): AsyncGenerator<readonly Row[], void> {
  const element = document.getElementById('rows');
  const packed = atob(element?.textContent?.trim() ?? '');
  element?.remove();
  const bytes = Uint8Array.from(packed, (character) => character.charCodeAt(0));
  const texts = new Blob([bytes])
    .stream()
    .pipeThrough(new DecompressionStream('deflate-raw'))
    .pipeThrough(new TextDecoderStream());
  const reader = texts.getReader();
  let rest = '';
  let rows: Row[] = [];
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const lines = (rest + value).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) rows.push(JSON.parse(line) as Row);
    if (rows.length < ROWS_PER_TURN) continue;
    yield rows;
    rows = [];
    await nextTurn();
  }
  if (rest !== '') rows.push(JSON.parse(rest) as Row);
  yield rows;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => resolve();
    port2.postMessage(undefined);
  });
}

export type LiveState = 'connected' | 'connecting' | 'ended';

/** Gives rows as they come. A lost connection is made again, and goes on where it was. */
export function followRows(onRows: (rows: readonly Row[]) => void, onState: (state: LiveState) => void): void {
  const source = new EventSource('rows');
  source.onopen = () => onState('connected');
  source.onerror = () => onState(source.readyState === EventSource.CLOSED ? 'ended' : 'connecting');
  source.onmessage = ({ data }: MessageEvent<string>) => {
    const rows = data.split('\n').map((line) => JSON.parse(line) as Row);
    onRows(rows);
    if (!rows.some(({ kind }) => kind === 'end')) return;
    source.close();
    onState('ended');
  };
}
