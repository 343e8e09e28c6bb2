// mocha's spec reporter, with the last lines of the kernel's log for an error. It also writes the counts to the file that
// POLYTRACE_COUNTS names; scripts/run-tests.mjs adds them up. A process that does not end after its tests is a failure.
'use strict';
const { writeFileSync } = require('node:fs');
const { reporters, Runner } = require('mocha');

/** From the end of the tests to the end of the process. A busy machine needs some seconds. */
const END_MS = 60_000;

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
      const { passes, failures } = runner.stats;
      const writeCounts = (failed) => {
        const file = process.env.POLYTRACE_COUNTS;
        if (file) writeFileSync(file, JSON.stringify({ passed: passes, failed, skipped, reports }));
      };
      writeCounts(failures);
      setTimeout(() => {
        const kept = process.getActiveResourcesInfo().join(', ');
        const report = `the process does not end after its tests, because something keeps it: ${kept}`;
        console.error(report);
        reports.push(report);
        writeCounts(failures + 1);
        // mocha's own handler sets the status to the number of failed tests
        process.on('exit', () => {
          process.exitCode = 1;
        });
        process.exit();
      }, END_MS).unref();
    });
  }
};
