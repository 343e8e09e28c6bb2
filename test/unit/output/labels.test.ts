/** Label selectors, and filters of events by container and pod. */
import assert from 'node:assert/strict';
import { eventFilter } from '../../../lib/output/filters.js';
import { parseLabelSelector } from '../../../lib/output/labels.js';
import type { ContainerFilter } from '../../../types/output.js';
import { execEvent } from './events.js';

describe('label selectors', () => {
  const labels = { app: 'web', tier: 'front', 'example.com/x': '' };
  for (const [text, holds] of [
    ['app=web', true],
    ['app==web', true],
    ['app = web , tier != back', true],
    ['app=web,tier=back', false],
    ['app!=web', false],
    ['other!=web', true],
    ['app in (db, web)', true],
    ['app in (db),tier', false],
    ['app notin (db,x)', true],
    ['missing notin (a)', true],
    ['tier', true],
    ['!tier', false],
    ['!toString', true],
    ['toString', false],
    ['example.com/x=', true],
  ] as const) {
    it(`${text}: ${holds}`, () => assert.equal(parseLabelSelector(text)(labels), holds));
  }
  for (const text of ['', '=x', 'a=b=c', 'a in b', 'a in (b', 'a,', 'a=b c', 'a in (b/c)', '! ']) {
    it(`refuses '${text}'`, () => assert.throws(() => parseLabelSelector(text), { code: 'LABELS_INVALID' }));
  }
  it('refuses a selector that is too long', () => {
    assert.throws(() => parseLabelSelector(','.repeat(5000)), { code: 'LABELS_INVALID', message: /more than 4096/ });
  });
});

describe('filters by container', () => {
  const events = {
    host: execEvent({}),
    unknown: execEvent({ container: { id: 'u' } }),
    docker: execEvent({ container: { id: 'd', name: 'web', labels: { app: 'shop' } } }),
    pod: execEvent({
      container: { id: 'p', name: 'web', labels: { app: 'other' } },
      pod: { namespace: 'default', name: 'web-0', labels: { app: 'shop' } },
    }),
    sandbox: execEvent({ container: { id: 's' }, pod: { namespace: 'kube-system', name: 'dns-1' } }),
  };
  const cases: readonly (readonly [ContainerFilter, readonly (keyof typeof events)[]])[] = [
    [{ pods: ['web-0'] }, ['pod']],
    [{ pods: ['web'] }, []],
    [{ pods: [/^web/g] }, ['pod']],
    [{ containers: ['web'] }, ['docker', 'pod']],
    [{ namespaces: ['default'] }, ['pod']],
    [{ namespaces: [/system/] }, ['sandbox']],
    [{ namespaces: [''] }, ['host', 'unknown', 'docker']],
    [{ host: true }, ['host']],
    [{ host: true, namespaces: ['default'] }, ['host', 'pod']],
    [{ labels: ['app=shop'] }, ['docker', 'pod']],
    [{ labels: ['!app'] }, ['unknown', 'sandbox']],
    [{ labels: ['app=other', 'app=shop'], namespaces: ['default'] }, ['pod']],
    [{ pods: [], host: true }, []],
    [{ host: false }, ['host', 'unknown', 'docker', 'pod', 'sandbox']],
  ];
  for (const [options, expected] of cases) {
    it(JSON.stringify(options), () => {
      const wanted = eventFilter(options);
      for (let i = 0; i < 2; i++) {
        const found = Object.entries(events).filter(([, event]) => wanted(event));
        assert.deepEqual(found.map(([name]) => name), expected); // prettier-ignore
      }
    });
  }
});
