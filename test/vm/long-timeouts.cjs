// Raises the time limits of mocha to at least 15 minutes, because tests take ten times as long on an emulated machine.
'use strict';
const { Runnable, Suite } = require('mocha');

const MIN_TIMEOUT_MS = 900_000;

for (const { prototype } of [Runnable, Suite]) {
  const { timeout } = prototype;
  prototype.timeout = function (...args) {
    return timeout.apply(this, typeof args[0] === 'number' && args[0] > 0 ? [Math.max(args[0], MIN_TIMEOUT_MS)] : args);
  };
}
