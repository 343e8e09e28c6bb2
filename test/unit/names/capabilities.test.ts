/** Capabilities by name, number and mask. */
import assert from 'node:assert/strict';
import {
  CAPABILITIES,
  capabilityBits,
  capabilityName,
  capabilityNames,
  capabilityNumber,
  exportCapabilityName,
  exportCapabilityNames,
} from '../../../lib/names/capabilities.js';

describe('capabilities', () => {
  it('have the numbers of linux/capability.h', () => {
    for (const [name, number] of [
      ['CAP_CHOWN', 0],
      ['CAP_SYS_ADMIN', 21],
      ['CAP_PERFMON', 38],
      ['CAP_BPF', 39],
      ['CAP_CHECKPOINT_RESTORE', 40],
    ] as const) {
      assert.equal(capabilityNumber(name), BigInt(number));
      assert.equal(capabilityName(number), name);
    }
    assert.equal(CAPABILITIES.length, 41);
    assert.equal(capabilityNumber('SYS_ADMIN'), undefined);
    assert.equal(capabilityName(41), undefined);
  });

  it('convert masks to names and back', () => {
    const names = ['CAP_DAC_OVERRIDE', 'CAP_BPF'] as const;
    assert.equal(capabilityBits(names), (1n << 1n) | (1n << 39n));
    assert.deepEqual(capabilityNames(capabilityBits(names) | (1n << 63n)), names);
  });

  it('the JSON export writes one name without its prefix', () => {
    assert.deepEqual(exportCapabilityNames(7n), ['CAP_CHOWN', 'DAC_OVERRIDE', 'CAP_DAC_READ_SEARCH']);
    assert.equal(exportCapabilityName(1), 'DAC_OVERRIDE');
    assert.deepEqual(
      CAPABILITIES.filter((name, number) => exportCapabilityName(number) !== name),
      ['CAP_DAC_OVERRIDE'],
    );
  });
});
