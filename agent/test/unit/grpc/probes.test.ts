/** The probes of GetInfo. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { PreflightReport } from 'polytrace';
import { listProbes } from '../../../lib/grpc/probes.js';

/** All names that Tetragon's GetInfo has, but one that is not known to work here. */
const NAMES =
  'audit_loginuid batch_update buildid fentry fmodret fmodret_syscall get_func_ret kprobe_multi large link_pin lsm missed_stats_kprobe missed_stats_kprobe_multi mix_bpf_and_tail_calls override_return probe_write_user signal substring_kfunc uprobe_multi uprobe_refctroff uprobe_regs_change'.split(
    ' ',
  );

function readProbes(kernel: string, ...available: readonly string[]): Map<string, boolean> {
  const names = ['fentry', 'kprobe', 'kprobe_multi', 'lsm', 'fmod_ret', 'uprobe', 'uprobe_multi', 'uprobe_registers'];
  const features = names.map((name) => ({ name, available: available.includes(name) }));
  const report = { kernel, features } as unknown as PreflightReport;
  return new Map(listProbes(report).map(({ Name, Enabled }) => [Name, Enabled]));
}

describe('probes of GetInfo', () => {
  it('have the names that tests of policies look for', () => {
    const names = [...readProbes('6.12.1').keys()];
    assert.deepEqual(
      NAMES.filter((name) => !names.includes(name)),
      [],
    );
    assert.equal(new Set(names).size, names.length);
  });

  it('follow the features and the release of the kernel', () => {
    const without = readProbes('6.12.1');
    const all = readProbes('6.12.1', 'fentry', 'kprobe', 'kprobe_multi', 'fmod_ret', 'uprobe', 'uprobe_registers');
    for (const name of ['fmodret', 'get_func_ret', 'override_return', 'uprobe_refctroff', 'uprobe_regs_change']) {
      assert.deepEqual([without.get(name), all.get(name)], [false, true], name);
    }
    assert.deepEqual([readProbes('5.14.0').get('link_pin'), readProbes('5.15.0-x').get('link_pin')], [false, true]);
    assert.equal(readProbes('6.6.9', 'kprobe').get('missed_stats_kprobe'), false);
  });
});
