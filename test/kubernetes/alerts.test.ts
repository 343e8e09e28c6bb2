/** The alerts of the chart, by Prometheus: it accepts them, and each of them begins when it should. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHART } from './chart.js';

const ALERTS = join(CHART, 'alerts/polytrace.yaml');

/** Values of a minute each, with which the alert begins, and with which it does not. */
const CASES: readonly { readonly alert: string; readonly series: string; readonly bad: string; readonly good: string }[] = [
  { alert: 'PolytraceDown', series: 'up{job="kube-system/polytrace"}', bad: '0x20', good: '1x20' },
  { alert: 'PolytraceAbsent', series: 'polytrace_build_info', bad: '_x20', good: '1x20' },
  { alert: 'PolytraceDegraded', series: 'polytrace_degraded', bad: '1x20', good: '0x20' },
  { alert: 'PolytracePolicyFailed', series: 'polytrace_policy_errors', bad: '2x20', good: '0x20' },
  { alert: 'PolytraceEventsLost', series: 'tetragon_observer_ringbuf_events_lost_total', bad: '0+5x20', good: '7x20' },
  { alert: 'PolytraceExportFails', series: 'polytrace_export_failures_total', bad: '0+1x20', good: '3x20' },
  { alert: 'PolytraceExportFails', series: 'polytrace_otlp_failures_total', bad: '0+1x20', good: '3x20' },
  { alert: 'PolytraceExportLosesEvents', series: 'polytrace_export_lost_events_total', bad: '0+9x20', good: '9x20' },
  { alert: 'PolytraceExportLosesEvents', series: 'polytrace_otlp_lost_events_total', bad: '0+9x20', good: '9x20' },
  { alert: 'PolytraceAlertsWait', series: 'polytrace_alerts_failing{receiver="r"}', bad: '1x20', good: '0x20' },
  { alert: 'PolytraceAlertsLost', series: 'polytrace_alerts_lost_total{receiver="r"}', bad: '0+1x20', good: '4x20' },
  { alert: 'PolytraceEnforces', series: 'polytrace_hook_enforced_total{policy="p",hook="f"}', bad: '0+1x20', good: '4x20' },
]; // prettier-ignore

describe('the alerts', function () {
  this.timeout(60_000);
  let folder: string;
  before(function () {
    if (!existsSync('/usr/bin/promtool')) {
      if (process.env['REQUIRE_ALL'] === '1') throw new Error('promtool is missing: run `scripts/setup.sh --vm`');
      this.skip();
    }
    folder = mkdtempSync(join(tmpdir(), 'polytrace-alerts-'));
  });
  after(() => folder && rmSync(folder, { recursive: true }));

  const promtool = (...args: readonly string[]): string => execFileSync('promtool', [...args], { encoding: 'utf8' });

  it('are rules that Prometheus accepts', () => {
    assert.match(promtool('check', 'rules', '--lint-fatal', ALERTS), /SUCCESS: 10 rules found/);
  });

  it('begin when they should, and not otherwise', () => {
    const alerts = [...new Set(CASES.map(({ alert }) => alert))];
    assert.equal(alerts.length, 10);
    // promtool compares all labels, so a query counts the alerts
    const countAlerts = (alert: string, value: number): object => ({
      expr: `count(ALERTS{alertname="${alert}",alertstate="firing"}) or vector(0)`,
      eval_time: '15m',
      exp_samples: [{ labels: '{}', value }],
    });
    const tests = CASES.flatMap(({ alert, series, bad, good }) =>
      [bad, good].map((values, isGood) => ({
        interval: '1m',
        input_series: [{ series, values }],
        promql_expr_test: [countAlerts(alert, isGood ? 0 : 1)],
      })),
    );
    const file = join(folder, 'tests.json');
    writeFileSync(file, JSON.stringify({ rule_files: [ALERTS], evaluation_interval: '1m', tests }));
    assert.match(promtool('test', 'rules', file), /SUCCESS/);
  });
});
