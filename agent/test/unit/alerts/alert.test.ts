/** Which events are alerts, how severe an alert is, and what it says. */
import assert from 'node:assert/strict';
import { redactor } from 'polytrace';
import {
  AlertMaker,
  alertLinks,
  alertSeverity,
  annotatedSeverity,
  formatAlertLoss,
  isHookEvent,
  parseAlert,
  reportedAlertLoss,
  type HookEvent,
} from '../../../lib/alerts/alert.js';
import { EXAMPLE_EVENTS } from '../../../../test/unit/output/events.js';
import { hookEvent } from './support.js';

const NOW = new Date('2026-01-31T12:00:00Z');

function make(
  event: unknown,
  annotations: Record<string, string>[] = [],
  redact = redactor([]),
): ReturnType<AlertMaker['make']> {
  return new AlertMaker('node', redact, () => NOW).make(3, event as HookEvent, 'high', annotations);
}

describe('an alert', () => {
  it('has the severity of a tag, else that of the policy, else the default for a message', () => {
    const severityOf = (fields: object, ofPolicy?: 'low'): unknown =>
      alertSeverity(hookEvent('/x', fields) as HookEvent, ofPolicy);
    assert.equal(severityOf({ tags: ['a', 'severity.nothing', 'severity.critical'] }, 'low'), 'critical');
    assert.equal(severityOf({}, 'low'), 'low');
    assert.equal(severityOf({}), 'medium');
    assert.equal(severityOf({ message: undefined }), undefined);
    assert.equal(severityOf({ message: '' }, 'low'), 'low');
    const of = (...values: string[]): unknown =>
      annotatedSeverity(values.map((value) => ({ 'polytrace.io/severity': value })));
    assert.equal(of('low', 'high', 'loud'), 'high');
    assert.equal(of('loud'), undefined);
    assert.equal(of(), undefined);
  });

  it('is made of events of hooks only, of each kind', () => {
    const types = Object.values(EXAMPLE_EVENTS).filter((event) => isHookEvent(event as never));
    assert.deepEqual(types.map(({ type }) => type).sort(), [
      'process_kprobe',
      'process_lsm',
      'process_tracepoint',
      'process_uprobe',
      'process_usdt',
    ]);
    for (const event of types) {
      const alert = make(event);
      assert.ok(alert.hook !== '' && alert.policy !== '' && alert.message !== '' && alert.detail !== '', event.type);
    }
  });

  it('links the runbook of the policy and the techniques of its tags, each once', () => {
    const annotations = [
      { 'polytrace.io/runbook': 'https://wiki/x' },
      { 'polytrace.io/runbook': 'javascript:alert(1)' },
      {},
    ];
    assert.deepEqual(alertLinks(['mitre.T1003.008', 'mitre.T1611', 'mitre.T1611', 'mitre.TA0001', 'x'], annotations), [
      'https://wiki/x',
      'https://attack.mitre.org/techniques/T1003/008/',
      'https://attack.mitre.org/techniques/T1611/',
    ]);
  });

  it('has the texts of the event, without what redaction hides and without characters that could do something', () => {
    const hostile = '/tmp/a\u202egpj.\u001b[31m\nb\ud800';
    const event = hookEvent(
      hostile,
      { tags: ['t\u200b'], message: 'line\nbreak' },
      { arguments: '--token s3cret x', user: 'root' },
    );
    const alert = make(event, [], redactor([{ redact: ['--token (\\S+)'] }]));
    assert.equal(alert.message, 'line\\nbreak');
    assert.equal(alert.binary, '/tmp/a\\u{202e}gpj.\\u{1b}[31m\\nb\ufffd');
    assert.equal(alert.arguments, '--token ***** x');
    assert.deepEqual(
      [alert.tags, alert.user, alert.node, alert.id, alert.count],
      [['t\\u{200b}'], 'root', 'node', 3, 1],
    );
    const text = JSON.stringify(alert);
    assert.ok(!text.includes('s3cret') && !/[\u0000-\u001f\u202e\u200b]/.test(text));
    assert.equal(alert.time, '2026-01-31T12:00:00.000Z');
  });

  it('names the container, also outside of Kubernetes', () => {
    const id = 'c'.repeat(64);
    const container = { id, name: 'web', image: { id: 'sha256:1', name: 'nginx:1' } };
    const placeOf = (fields: object): string[] => {
      const { namespace, pod, container: name, image } = make(hookEvent('/x', {}, fields));
      return [namespace, pod, name, image];
    };
    assert.deepEqual(placeOf({ container }), ['', '', 'web', 'nginx:1']);
    assert.deepEqual(placeOf({ container: { id } }), ['', '', id, '']);
    const pod = {
      namespace: 'shop',
      name: 'web-1',
      uid: '',
      workload: 'web',
      workloadKind: 'Deployment',
      container: { ...container, name: 'nginx' },
    };
    assert.deepEqual(placeOf({ container, pod }), ['shop', 'web-1', 'nginx', 'nginx:1']);
    assert.deepEqual(placeOf({}), ['', '', '', '']);
  });

  it('is short, whatever a process does', () => {
    const pod = {
      namespace: 'n'.repeat(500),
      name: 'p'.repeat(500),
      uid: '',
      workload: '',
      workloadKind: '',
      container: { id: 'c'.repeat(500), name: '' },
    };
    const event = hookEvent(
      `/${'x'.repeat(4000)}`,
      { message: 'm'.repeat(5000) },
      {
        arguments: 'y '.repeat(4000),
        pod,
      },
    );
    assert.ok(JSON.stringify(make(event)).length < 6000);
  });

  it('can be read again, and other lines cannot', () => {
    const alert = make(hookEvent('/x'));
    assert.deepEqual(parseAlert(JSON.stringify(alert)), alert);
    for (const line of [
      '',
      '{',
      '[]',
      '{}',
      'null',
      '{"severity":"loud","message":"","policy":"","tags":[],"links":[],"time":""}',
    ]) {
      assert.equal(parseAlert(line), undefined, line);
    }
    const loss = formatAlertLoss(12, 'node');
    assert.deepEqual([reportedAlertLoss(loss), parseAlert(loss)?.severity], [12, 'high']);
    assert.equal(reportedAlertLoss(JSON.stringify(alert)), undefined);
    assert.equal(reportedAlertLoss('{"lost":'), undefined);
  });
});
