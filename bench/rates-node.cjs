// rates-node.cjs BYTES: what Node.js alone needs for lines: writes so many bytes to standard output every 50 ms.
const { write } = require('node:fs');

const bytes = Buffer.alloc(Number(process.argv[2]), 'a');
setInterval(() => write(1, bytes, () => undefined), 50);
console.error('ready');
