/** Policies stay loaded until somebody removes them: what people do to the folder of a running agent. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, copyFileSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { status as Code } from '@grpc/grpc-js';
import { SilentFuse } from '../../../test/silent-fuse.js';
import { Machine, needsRoot, needsTracefs, openatPolicy, ProtocolClient, runCommand, type Reply } from './support.js';

/** Policies that an operator copies at once. */
const FILES = 500;
/** Limits of the time for these files, and for a request meanwhile, on an idle machine. */
const FILES_MS = 10_000;
const REQUEST_MS = 1000;
/** Other work on this machine may take this part of its time. */
const BUSY_FACTOR = process.env['POLYTRACE_IDLE'] === '1' ? 1 : 6;

describe('policies of a running agent', function () {
  this.timeout(180_000);
  let machine: Machine;
  let client: ProtocolClient;

  before(needsRoot);
  before(needsTracefs);
  beforeEach(() => (machine = new Machine()));
  afterEach(async () => {
    client?.close();
    await machine?.remove();
  });

  async function start(...args: readonly string[]): Promise<void> {
    await machine.start(...args);
    client = new ProtocolClient(machine.address);
  }
  async function listPolicies(): Promise<Reply[]> {
    return ((await client.call('ListTracingPolicies'))['policies'] ?? []) as Reply[];
  }
  const inFolder = (name: string): string => join(machine.policies, name);
  const waitForLog = (text: string): Promise<void> => machine.agent.stderr.waitFor(text);
  /** Resolves when the policy reports an open of the path. */
  async function assertReports(name: string, path: string): Promise<void> {
    const events = client.events({ allow_list: [{ policy_names: [name] }] });
    await events.open;
    assert.throws(() => execFileSync('/bin/cat', [path], { stdio: 'ignore' }));
    await events.waitFor(({ event }) => event === 'process_tracepoint');
    events.cancel();
  }

  it('a backup that is copied and removed leaves the policy active, and so does a folder that is away', async () => {
    const path = join(machine.folder, 'guarded');
    writeFileSync(inFolder('guard.yaml'), openatPolicy('guard', path));
    await start('--metrics-server', '127.0.0.1:0');
    const [, http] = /"(http:[^"]+)"/.exec(machine.agent.stderr.text) ?? [];
    const readHealth = async (): Promise<unknown> => ((await (await fetch(`${http}/healthz`)).json()) as Reply)['status'];
    copyFileSync(inFolder('guard.yaml'), inFolder('guard-old.yaml'));
    await waitForLog('is loaded already, from');
    assert.equal(await readHealth(), 'degraded');
    rmSync(inFolder('guard-old.yaml'));
    await waitForLog('the state is good again');
    await assertReports('guard', path);
    assert.equal(await readHealth(), 'running');

    const elsewhere = join(machine.folder, 'elsewhere');
    renameSync(machine.policies, elsewhere);
    await waitForLog('PATH_AWAY');
    await assertReports('guard', path);
    const { stdout } = await runCommand('status', '--server', machine.address);
    assert.match(stdout, /degraded; 1 path of policies cannot be read/);
    assert.match(String((await listPolicies()).map(({ error }) => error)), /policies\.d: PATH_AWAY/);
    renameSync(elsewhere, machine.policies);
    writeFileSync(inFolder('second.yaml'), openatPolicy('second', path));
    await waitForLog('"policy":"second"');
    assert.equal(machine.agent.stderr.text.split('"msg":"a policy was removed"').length, 1);
    assert.equal(await machine.stop(), 0);
  });

  // a watch of the earlier folder reports nothing of the new one
  const REPLACEMENTS: Readonly<Record<string, () => void>> = {
    'removed and made again': () => {
      rmSync(machine.policies, { recursive: true });
      mkdirSync(machine.policies);
      writeFileSync(inFolder('b.yaml'), openatPolicy('second', '/never'));
    },
    'moved away, with another one in its place': () => {
      const next = join(machine.folder, 'next');
      mkdirSync(next);
      writeFileSync(join(next, 'b.yaml'), openatPolicy('second', '/never'));
      renameSync(machine.policies, join(machine.folder, 'earlier'));
      renameSync(next, machine.policies);
    },
  };
  for (const [how, replace] of Object.entries(REPLACEMENTS)) {
    it(`a folder that is ${how} is followed, and so are the files that come into it later`, async () => {
      writeFileSync(inFolder('a.yaml'), openatPolicy('first', '/never'));
      await start();
      replace();
      await waitForLog('"policy":"second"');
      await waitForLog('"msg":"a policy was removed"');
      writeFileSync(inFolder('c.yaml'), openatPolicy('third', '/never'));
      await waitForLog('"policy":"third"');
      assert.deepEqual((await listPolicies()).map(({ name }) => name), ['second', 'third']);
    });
  }

  it('a FIFO stops nothing: other policies are loaded, and SIGTERM ends the agent', async () => {
    execFileSync('mkfifo', [inFolder('a.yaml')]);
    writeFileSync(inFolder('b.yaml'), openatPolicy('loaded', '/never'));
    await start();
    const list = await listPolicies();
    assert.match(String(list[0]?.['error']), /a\.yaml: FILE_NOT_REGULAR/);
    assert.equal(list[1]?.['state'], 'TP_STATE_ENABLED');
    assert.equal(await machine.stop(), 0);
  });

  it('a file system that does not answer is reported, and changes nothing: FILE_NOT_ANSWERING', async () => {
    const path = join(machine.folder, 'guarded');
    const yaml = join(machine.folder, 'guard.yaml');
    writeFileSync(yaml, openatPolicy('guard', path));
    const fuse = await SilentFuse.mount(join(machine.folder, 'silent'), yaml);
    try {
      await start('--policy', fuse.program);
      await assertReports('guard', path);
      fuse.stop();
      await waitForLog('FILE_NOT_ANSWERING');
      await assertReports('guard', path);
      writeFileSync(inFolder('other.yaml'), openatPolicy('other', '/never'));
      fuse.go();
      await waitForLog('the state is good again');
      await waitForLog('"policy":"other"');
      assert.equal(await machine.stop(), 0);
    } finally {
      fuse.go();
      await machine.stop('SIGKILL');
      await fuse.unmount();
    }
  });

  it('a file that grows all the time is reported, and its complete version is loaded: FILE_CHANGING', async () => {
    const path = join(machine.folder, 'guarded');
    const file = inFolder('guard.yaml');
    writeFileSync(file, openatPolicy('guard', path));
    await start();
    const growth = setInterval(() => appendFileSync(file, '#\n'), 50);
    try {
      await waitForLog('FILE_CHANGING');
      assert.match(String((await listPolicies()).map(({ error }) => error)), /guard\.yaml: FILE_CHANGING/);
      await assertReports('guard', path);
    } finally {
      clearInterval(growth);
    }
    appendFileSync(file, '# complete\n');
    await waitForLog('the state is good again');
    await assertReports('guard', path);
    assert.equal(machine.agent.stderr.text.split('"msg":"a policy was removed"').length, 1);
  });

  it('a file that everybody may write is refused, and loaded with --allow-unsafe-policy-files', async () => {
    writeFileSync(inFolder('a.yaml'), openatPolicy('open', '/never'));
    execFileSync('chmod', ['666', inFolder('a.yaml')]);
    await start();
    assert.match(String((await listPolicies())[0]?.['error']), /FILE_UNTRUSTED/);
    assert.equal(await machine.stop(), 0);
    client.close();
    await start('--allow-unsafe-policy-files');
    assert.deepEqual((await listPolicies()).map(({ state }) => state), ['TP_STATE_ENABLED']);
  });

  it('a client cannot remove the policy of a file, and can disable it', async () => {
    writeFileSync(inFolder('a.yaml'), openatPolicy('guard', '/never'));
    await start();
    await assert.rejects(client.call('DeleteTracingPolicy', { name: 'guard' }), {
      code: Code.FAILED_PRECONDITION,
      details: `the policy guard comes from ${inFolder('a.yaml')}: remove it there, or disable the policy`,
    });
    await client.call('ConfigureTracingPolicy', { name: 'guard', enable: false });
    writeFileSync(inFolder('b.yaml'), openatPolicy('other', '/never'));
    await waitForLog('"policy":"other"');
    const states = (await listPolicies()).map(({ name, state }) => [name, state]);
    assert.deepEqual(states, [
      ['guard', 'TP_STATE_DISABLED'],
      ['other', 'TP_STATE_ENABLED'],
    ]);
  });

  it('--persist-grpc-policies: the policy of a client outlives the agent, with its mode', async () => {
    const flags = ['--persist-grpc-policies', '--persist-grpc-policies-dir', join(machine.folder, 'kept'), '--enforcement'];
    await start(...flags);
    await client.call('AddTracingPolicy', { yaml: openatPolicy('kept', '/never', 'Sigkill') });
    await client.call('ConfigureTracingPolicy', { name: 'kept', mode: 'TP_MODE_MONITOR', enable: false });
    await machine.stop('SIGKILL');
    client.close();
    await start(...flags);
    const states = (await listPolicies()).map(({ name, state, mode }) => [name, state, mode]);
    assert.deepEqual(states, [['kept', 'TP_STATE_DISABLED', 'TP_MODE_MONITOR']]);
    assert.equal(await machine.stop(), 0);
  });

  it(`${FILES} files at once are loaded soon, and a request does not wait for them`, async () => {
    // more policies than a tracepoint of the kernel can have
    const tracepoints = readdirSync('/sys/kernel/tracing/events/syscalls').filter((name) => name.startsWith('sys_'));
    await start();
    const begin = performance.now();
    for (const [i, event] of tracepoints.slice(0, FILES).entries()) {
      const yaml = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: many-${i} }
spec:
  tracepoints: [{ subsystem: syscalls, event: ${event} }]
`;
      writeFileSync(inFolder(`${String(i).padStart(3, '0')}.yaml`), yaml);
    }
    await waitForLog('"policy":"many-20"');
    const request = performance.now();
    await client.call('AddTracingPolicy', { yaml: openatPolicy('urgent', '/never') });
    const waited = performance.now() - request;
    assert.ok(!machine.agent.stderr.text.includes(`"policy":"many-${FILES - 1}"`), 'the files are still being loaded');
    await waitForLog(`"policy":"many-${FILES - 1}"`);
    const took = performance.now() - begin;
    if (process.env['POLYTRACE_IDLE'] === '1') console.log({ took, waited });
    assert.ok(waited < REQUEST_MS * BUSY_FACTOR, `the request took ${waited} ms`);
    assert.ok(took < FILES_MS * BUSY_FACTOR, `the files took ${took} ms`);
    // detaching so many tracepoints takes longer than this test
    const ended = once(machine.agent.child, 'exit');
    machine.agent.child.kill('SIGKILL');
    await ended;
  });
});
