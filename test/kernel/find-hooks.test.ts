/** `polytrace hooks` on this kernel: its policies load as they are, and report events. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { findHook, hookPolicy, listHooks, loadKernelInfo, openTracer, validatePolicy } from '../../lib/index.js';
import type { AvailableHook, AvailableHookKind, KernelInfo, TracerEvent } from '../../types/index.js';
import { NIGHTLY } from '../nightly.js';
import { checkout, kernel as release } from './support.js';

const kernel = loadKernelInfo();
const FILE = '/tmp/find-hooks-file';
const BTF = '/tmp/find-hooks-btf';

/** Deletes a file in another process, with the policy of the hook loaded. Returns the first event of the hook. */
async function reportUnlink(hook: AvailableHook): Promise<TracerEvent> {
  await using tracer = await openTracer({ policies: [{ yaml: hookPolicy(hook, { name: 'find' }) }] });
  const events = tracer.events({ policyNames: ['find'] })[Symbol.asyncIterator]();
  writeFileSync(FILE, '');
  execFileSync('rm', [FILE]);
  for (;;) {
    const { value } = await events.next();
    assert.ok(value !== undefined, 'the stream has ended');
    if ('policyName' in value && value.type !== 'lost') return value;
  }
}

// by day, the run on the other kernels is shorter
if (release !== '6.12' || NIGHTLY)
  describe('polytrace hooks', () => {
    after(() => [FILE, BTF].forEach((path) => rmSync(path, { force: true })));

    it('finds hooks of each kind', () => {
      const kinds = new Set(listHooks('unlink', { kernel }).map(({ kind }) => kind));
      for (const kind of ['syscall', 'lsm', 'tracepoint', 'function'] as const) assert.ok(kinds.has(kind), kind);
      assert.ok(listHooks('sched_process_exec', { kernel }).some(({ kind }) => kind === 'raw_tracepoint'));
    });

    it('lists only what can be probed, and says what can be overridden', () => {
      for (const { name, overridable } of listHooks('security_path_*', { kernel, kinds: ['function'] })) {
        assert.equal(kernel.attachable(name), true, name);
        assert.equal(overridable, true);
      }
      assert.equal(findHook('sys_unlinkat', { kernel }).overridable, kernel.overridable('__x64_sys_unlinkat'));
    });

    const rows: readonly (readonly [name: string, kind: AvailableHookKind, values: number])[] = [
      ['security_path_unlink', 'function', 2],
      ['security_inode_unlink', 'function', 1],
      ['sys_unlinkat', 'syscall', 3],
      ['syscalls/sys_enter_unlinkat', 'tracepoint', 4],
      ['path_unlink', 'lsm', 2],
    ];
    for (const [name, kind, values] of rows) {
      it(`${name}: its policy is valid, loads and reports`, async function () {
        const hook = findHook(name, { kernel, kinds: [kind] });
        const yaml = hookPolicy(hook);
        assert.deepEqual(validatePolicy(yaml, { kernel }).filter(({ severity }) => severity === 'error'), [], yaml); // prettier-ignore
        const event = await reportUnlink(hook);
        assert.ok('args' in event);
        // newer kernels add the text of the path to the tracepoint
        const extra = hook.parameters?.filter(({ cType }) => cType.startsWith('__data_loc')).length ?? 0;
        assert.equal(event.args.length, values + extra, yaml);
      });
    }

    const nightly = NIGHTLY ? it : undefined;
    nightly?.('each 10th LSM hook and system call, and each 300th other hook, has a valid policy', () => {
      const isRare = ({ kind }: AvailableHook): boolean => kind === 'syscall' || kind === 'lsm';
      const hooks = listHooks('*', { kernel }).filter((hook, i) => i % (isRare(hook) ? 10 : 300) === 0);
      assert.ok(hooks.length > 100);
      for (const hook of hooks) {
        const yaml = hookPolicy(hook);
        assert.deepEqual(validatePolicy(yaml, { kernel }).filter(({ severity }) => severity === 'error'), [], yaml); // prettier-ignore
      }
    });

    it('finds the same in a BTF file, but no tracepoints by format', () => {
      copyFileSync('/sys/kernel/btf/vmlinux', BTF);
      const file = loadKernelInfo(BTF);
      const policyOf = (from: KernelInfo): string => hookPolicy(findHook('security_path_unlink', { kernel: from }));
      assert.equal(policyOf(file), policyOf(kernel));
      assert.deepEqual(listHooks('unlink', { kernel: file, kinds: ['tracepoint'] }), []);
      assert.ok(listHooks('sched_process', { kernel: file, kinds: ['raw_tracepoint'] }).length > 0);
    });

    it('counts calls, and names the nearest hooks', () => {
      const run = (...args: string[]): ReturnType<typeof spawnSync> & { stdout: string; stderr: string } =>
        spawnSync(process.execPath, [`${checkout}/dist/cli/main.js`, 'hooks', ...args], { encoding: 'utf8' });
      const { stdout, stderr } = run('show', 'security_file_open', '--count', '2', '-o', 'json');
      assert.equal(typeof (JSON.parse(stdout) as { callsPerSecond?: number }).callsPerSecond, 'number', stderr);
      const wrong = run('show', 'security_path_unlnk');
      assert.equal(wrong.status, 1);
      assert.match(wrong.stderr, /HOOK_NOT_FOUND[^]*did you mean security_path_unlink/);
    });
  });
