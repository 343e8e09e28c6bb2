// mocha's spec reporter, with the last lines of the kernel's log for an error. It also writes the counts and the time of
// each file to the file that POLYTRACE_COUNTS names; scripts/run-tests.mjs adds them up. A process that does not end after
// its tests is a failure.
'use strict';
const { writeFileSync } = require('node:fs');
const { basename } = require('node:path');
const { reporters, Runner } = require('mocha');

/** From the end of the tests to the end of the process. A busy machine needs some seconds. */
const END_MS = 60_000;

const lastLines = (text) => text.trimEnd().split('\n').slice(-12).join('\n');
const firstLines = (text) => text.split('\n').slice(0, 30).join('\n');

/** Returns the seconds of each file so far, with its hooks. */
function timeFiles(runner) {
  const seconds = {};
  let started = performance.now();
  runner.on(Runner.constants.EVENT_SUITE_BEGIN, (suite) => {
    if (suite.parent?.root) started = performance.now();
  });
  runner.on(Runner.constants.EVENT_SUITE_END, (suite) => {
    if (!suite.parent?.root || suite.file === undefined) return;
    const name = basename(suite.file, '.test.ts');
    seconds[name] = (seconds[name] ?? 0) + (performance.now() - started) / 1000;
  });
  return seconds;
}

module.exports = class extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const skipped = [];
    const reports = [];
    const seconds = timeFiles(runner);
    runner.on(Runner.constants.EVENT_TEST_FAIL, (test, error) => {
      if (error.log) error.stack += `\n${lastLines(error.log)}`;
      reports.push(`${test.fullTitle()}\n${firstLines(error.stack ?? String(error))}`);
    });
    runner.on(Runner.constants.EVENT_TEST_PENDING, (test) => skipped.push(test.fullTitle()));
    runner.once(Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures } = runner.stats;
      const writeCounts = (failed) => {
        const file = process.env.POLYTRACE_COUNTS;
        if (file) writeFileSync(file, JSON.stringify({ passed: passes, failed, skipped, reports, seconds }));
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
