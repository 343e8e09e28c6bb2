// Preloaded: writes the microseconds of processor time of the process to descriptor 3 when it ends.
'use strict';
const { writeSync } = require('node:fs');

process.once('exit', () => {
  const { user, system } = process.cpuUsage();
  writeSync(3, String(user + system));
});
