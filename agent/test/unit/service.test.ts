/** The messages of the agent to a service manager, and the unit for systemd. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { notifyService } from 'polytrace';
import { variableName } from '../../lib/config/settings.js';
import { ServiceManager } from '../../lib/main/service.js';

const UNIT = readFileSync(join(__dirname, '../../../deploy/systemd/polytrace.service'), 'utf8');

describe('the service manager', () => {
  it('is told again what it did not take, and nothing without one', async () => {
    const states: string[] = [];
    let refused = 1;
    const answer = new Promise<void>((resolve) => {
      const service = new ServiceManager({ NOTIFY_SOCKET: '/x' }, (state) => {
        states.push(state);
        if (refused-- > 0) return false;
        service.close();
        resolve();
        return true;
      });
      service.notifyReady('a\nb');
    });
    await answer;
    assert.deepEqual(states, ['READY=1\nSTATUS=a b', 'READY=1\nSTATUS=a b']);
    new ServiceManager({}, () => assert.fail('there is no manager')).notifyReady('');
  });

  it('gets three signs of life in the time of the watchdog, for this process only', async () => {
    const signs = await new Promise<number>((resolve) => {
      let count = 0;
      const service = new ServiceManager({ NOTIFY_SOCKET: '/x', WATCHDOG_USEC: '30000' }, (state) => {
        assert.equal(state, 'WATCHDOG=1');
        if (++count === 3) {
          service.close();
          resolve(count);
        }
        return true;
      });
      // the timer of the watchdog keeps no process alive
      setTimeout(() => undefined, 1000);
    });
    assert.equal(signs, 3);
    const env = { NOTIFY_SOCKET: '/x', WATCHDOG_USEC: '1', WATCHDOG_PID: '1' };
    const other = new ServiceManager(env, () => assert.fail('the watchdog is of another process'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    other.close();
  });

  it('is not there without NOTIFY_SOCKET, nor in a form that the agent does not know', () => {
    const before = process.env['NOTIFY_SOCKET'];
    delete process.env['NOTIFY_SOCKET'];
    assert.equal(notifyService('READY=1'), false);
    process.env['NOTIFY_SOCKET'] = 'vsock:2:1';
    assert.equal(notifyService('READY=1'), false);
    delete process.env['NOTIFY_SOCKET'];
    if (before !== undefined) process.env['NOTIFY_SOCKET'] = before;
  });

  it('has a unit with known settings and few capabilities', () => {
    const variables = [...UNIT.matchAll(/\b(POLYTRACE_[A-Z_]+)=/g)].map(([, name]) => name);
    assert.deepEqual(variables, ['logFormat', 'persist', 'keepSensorsOnExit'].map(variableName));
    assert.match(UNIT, /^Type=notify$/m);
    assert.match(UNIT, /^CapabilityBoundingSet=CAP_BPF CAP_PERFMON CAP_SYS_PTRACE CAP_DAC_READ_SEARCH$/m);
  });
});
