// mocha's spec reporter, with the last lines of the kernel's log for an error. It also writes the counts to the file that
// POLYTRACE_COUNTS names; scripts/run-tests.mjs adds them up.
'use strict';
const { writeFileSync } = require('node:fs');
const { reporters, Runner } = require('mocha');

const lastLines = (text) => text.trimEnd().split('\n').slice(-12).join('\n');
const firstLines = (text) => text.split('\n').slice(0, 30).join('\n');

module.exports = class extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const skipped = [];
    const reports = [];
    runner.on(Runner.constants.EVENT_TEST_FAIL, (test, error) => {
      if (error.log) error.stack += `\n${lastLines(error.log)}`;
      reports.push(`${test.fullTitle()}\n${firstLines(error.stack ?? String(error))}`);
    });
    runner.on(Runner.constants.EVENT_TEST_PENDING, (test) => skipped.push(test.fullTitle()));
    runner.once(Runner.constants.EVENT_RUN_END, () => {
      const file = process.env.POLYTRACE_COUNTS;
      if (!file) return;
      const { passes, failures } = runner.stats;
      writeFileSync(file, JSON.stringify({ passed: passes, failed: failures, skipped, reports }));
    });
  }
};
