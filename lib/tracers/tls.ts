/** `polytrace trace tls`: what programs send and receive by TLS, before it is encrypted and after it is decrypted. */
import { bytesColumn, fieldColumn, WHO } from './columns.js';
import { formatPolicy, selectors, type YamlObject } from './policy-text.js';
import { isHookEvent, makeRow, type TracerDefinition, type TraceOptions } from './tracer.js';
import { bytesValue, returnNumber } from './values.js';

/** Where distributions have OpenSSL, if the command finds no library. */
export const TLS_LIBRARIES = [
  '/usr/lib/x86_64-linux-gnu/libssl.so.3',
  '/usr/lib/aarch64-linux-gnu/libssl.so.3',
  '/usr/lib64/libssl.so.3',
  '/usr/lib/libssl.so.3',
  '/usr/lib/x86_64-linux-gnu/libssl.so.1.1',
  '/usr/lib64/libssl.so.1.1',
];

export const tlsTracer: TracerDefinition = {
  name: 'tls',
  summary: 'plain text of TLS connections of OpenSSL, by uprobes',
  takes: { library: 'library or program with the functions of OpenSSL' },
  needs: 'uprobes (CONFIG_UPROBE_EVENTS), and a file with the functions SSL_read and SSL_write: name it with --library',
  policies: (options) => [
    formatPolicy(
      options.policyName,
      ['Plain text that programs pass to SSL_write, and get from SSL_read. It often has passwords and tokens.'],
      { uprobes: [writeHook('SSL_write', options), { ...writeHook('SSL_write_ex', options), optional: true }, readHook(options)] },
    ),
  ], // prettier-ignore
  columns: () => [
    ...WHO,
    fieldColumn('DIR', 4, 'direction'),
    bytesColumn('BYTES', 'bytes'),
    fieldColumn('DATA', 40, 'data'),
  ],
  createCollector: () => ({
    forgotten: 0,
    take(event) {
      if (!isHookEvent(event) || event.type !== 'process_uprobe') return [];
      const isRead = event.symbol.startsWith('SSL_read');
      const message = bytesValue(event, 'data');
      const result = returnNumber(event);
      if (message === undefined || (isRead && (result ?? 0n) <= 0n)) return [];
      const size = isRead ? Number(result) : message.size;
      return [
        makeRow(event, {
          direction: isRead ? 'recv' : 'send',
          bytes: size,
          data: printable(message.bytes.subarray(0, size)),
        }),
      ];
    },
  }),
};

/** Text with a dot for each byte that is not printable ASCII. Line breaks are shown as `\n`. */
function printable(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('latin1')
    .replace(/\r?\n/g, '\\n')
    .replace(/[^ -~]/g, '.');
}

function place(symbol: string, { library }: TraceOptions): YamlObject {
  return { path: library ?? TLS_LIBRARIES[0], symbols: [symbol] };
}

function writeHook(symbol: string, options: TraceOptions): YamlObject {
  return {
    ...place(symbol, options),
    args: [
      { index: 1, type: 'char_buf', sizeArgIndex: 3, label: 'data' },
      { index: 2, type: symbol === 'SSL_write' ? 'int' : 'uint64', label: 'size' },
    ],
    selectors: selectors(options),
  };
}

/** The function fills the buffer, and returns the number of bytes. */
function readHook(options: TraceOptions): YamlObject {
  return {
    ...place('SSL_read', options),
    args: [{ index: 1, type: 'char_buf', returnCopy: true, label: 'data' }],
    return: true,
    returnArg: { index: 0, type: 'int' },
    selectors: selectors(options, {
      matchReturnArgs: [{ index: 0, operator: 'GreaterThan', values: ['0'] }],
    }),
  };
}
