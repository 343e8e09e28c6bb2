// For an emulated machine, where everything takes ten times as long: no test has less than fifteen minutes.
'use strict';
const { Runnable, Suite } = require('mocha');

const MIN_TIMEOUT_MS = 900_000;

for (const { prototype } of [Runnable, Suite]) {
  const { timeout } = prototype;
  prototype.timeout = function (...args) {
    return timeout.apply(this, typeof args[0] === 'number' && args[0] > 0 ? [Math.max(args[0], MIN_TIMEOUT_MS)] : args);
  };
}
