/**
 * Random inputs of tests are the same in every run, so that no run fails by chance. POLYTRACE_SEED chooses other ones;
 * the nightly tests do that.
 */
'use strict';
const fc = require('fast-check');

fc.configureGlobal({ seed: Number(process.env.POLYTRACE_SEED ?? 1) });
