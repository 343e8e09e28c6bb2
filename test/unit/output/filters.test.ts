import assert from 'node:assert/strict';
import { eventFilter } from '../../../lib/output/filters.js';
import type { PlainEvent } from '../../../types/events.js';
import type { EventFilterOptions } from '../../../types/output.js';
import { execEvent, exitEvent, kprobeEvent, lostEvent } from './events.js';

describe('event filter', () => {
  const events: Readonly<Record<string, PlainEvent>> = {
    exec: execEvent({ binary: '/usr/bin/cat' }),
    exit: exitEvent({ binary: '/usr/bin/bash' }),
    files: kprobeEvent('f', [], { policyName: 'files' }),
    other: kprobeEvent('f', [], { policyName: 'other' }),
    lost: lostEvent({ policyName: 'other' }),
  };
  const cases: readonly (readonly [options: EventFilterOptions, passing: string])[] = [
    [{}, 'exec exit files other lost'],
    [{ types: ['process_exec'] }, 'exec lost'],
    [{ types: [] }, 'lost'],
    [{ policyNames: ['files'] }, 'exec exit files lost'],
    [{ binaries: [/bash$/] }, 'exit lost'],
    [{ binaries: [/bash$/, /cat$/g] }, 'exec exit files other lost'],
    [{ binaries: [/cat$/y] }, 'lost'],
    [{ binaries: [/cat$/], policyNames: ['other'], types: ['process_kprobe'] }, 'other lost'],
  ];
  for (const [options, passing] of cases) {
    it(`${Object.entries(options).join(' ') || 'no options'}: ${passing}`, () => {
      const wanted = eventFilter(options);
      for (let round = 0; round < 2; round += 1) {
        const names = Object.keys(events).filter((name) => wanted(events[name] as PlainEvent));
        assert.equal(names.join(' '), passing);
      }
    });
  }
});
