/** Reads rows from the page, or from the server of a live report. */
import type { Row } from '../../lib/report/row.js';

/** Rows that are parsed between two yields to the browser. */
const ROWS_PER_SLICE = 5000;

/** Yields the rows of the page in parts. Between two parts, the browser can draw and respond. */
export async function* readPageRows(): AsyncGenerator<readonly Row[], void> {
  const element = document.getElementById('rows');
  const packed = atob(element?.textContent?.trim() ?? '');
  element?.remove();
  const bytes = Uint8Array.from(packed, (character) => character.charCodeAt(0));
  const decoded = new Blob([bytes])
    .stream()
    .pipeThrough(new DecompressionStream('deflate-raw'))
    .pipeThrough(new TextDecoderStream());
  const reader = decoded.getReader();
  let rest = '';
  let rows: Row[] = [];
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const lines = (rest + value).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) rows.push(JSON.parse(line) as Row);
    if (rows.length < ROWS_PER_SLICE) continue;
    yield rows;
    rows = [];
    await yieldToBrowser();
  }
  if (rest !== '') rows.push(JSON.parse(rest) as Row);
  yield rows;
}

function yieldToBrowser(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => resolve();
    port2.postMessage(undefined);
  });
}

export type LiveState = 'connected' | 'connecting' | 'ended';

/** Calls `onRows` with rows as they arrive. A lost connection is opened again and continues after the last row. */
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
