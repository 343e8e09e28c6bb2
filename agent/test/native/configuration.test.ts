/** The configuration of a running agent. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ProtocolClient, Machine, needsRoot, needsTracefs, runCommand, runCommandWith } from './support.js';

/** The value is a google.protobuf.Any. */
interface ConfigEntry {
  readonly key: string;
  readonly value: { readonly value?: Buffer };
}

describe('the configuration of the agent', function () {
  this.timeout(60_000);
  let machine: Machine;

  before(needsRoot);
  before(needsTracefs);
  before(() => (machine = new Machine()));
  after(() => machine?.remove());

  it('--check prints it, or all mistakes, and starts nothing', async () => {
    const file = join(machine.folder, 'agent.yaml');
    writeFileSync(file, 'cluster-name: one\n');
    const good = await runCommandWith({ POLYTRACE_NODE_NAME: 'two' }, 'agent', '--check', '--config-file', file, '--enforcement');
    assert.deepEqual([good.status, good.stderr], [0, '']);
    assert.match(good.stdout, /^cluster-name: one # .*agent\.yaml:1:1$/m);
    assert.match(good.stdout, /^node-name: two # POLYTRACE_NODE_NAME$/m);
    writeFileSync(file, 'cluster-nam: one\nlog-level: loud\n');
    const bad = await runCommand('agent', '--check', '--config-file', file);
    assert.deepEqual([bad.status, bad.stdout], [2, '']);
    assert.match(bad.stderr, /agent\.yaml:1:1: CONFIG_UNKNOWN: .*'cluster-name'\?\)\n.*agent\.yaml:2:1: CONFIG_VALUE/);
  });

  it('a file and the environment set what the agent does, and GetInfo shows it', async () => {
    const file = join(machine.folder, 'agent.yaml');
    writeFileSync(file, 'cluster-name: of-the-file\n');
    await machine.startWith({ POLYTRACE_CONFIG_FILE: file, POLYTRACE_NODE_NAME: 'of-the-environment' });
    const client = new ProtocolClient(machine.address);
    const info = await client.call('GetInfo');
    client.close();
    const conf = new Map((info['conf'] as ConfigEntry[]).map(({ key, value }) => [key, String(value.value ?? '')]));
    assert.ok(!conf.has('group'));
    assert.match(conf.get('cluster-name') ?? '', /of-the-file$/);
    assert.match(conf.get('node-name') ?? '', /of-the-environment$/);
    assert.equal(await machine.stop(), 0);
  });

  it('a runtime whose socket is named and does not answer is in the log, and no other', async () => {
    const { stderr } = await machine.start('--containers', '--docker-endpoint', 'unix:///no/such.sock');
    const lines = stderr.lines().filter((line) => line.includes('the runtime does not answer'));
    assert.match(lines.join(), /"setting":"docker-endpoint","reason":"there is no socket \/no\/such\.sock"/);
    assert.equal(lines.length, 1);
    assert.equal(await machine.stop(), 0);
  });

  it('the clients of Kubernetes and NATS are loaded only where they are used', async () => {
    // with this variable, V8 logs every script that it loads
    const folder = join(machine.folder, 'scripts');
    const isLoaded = (script = '/kubernetes/kube-config.'): boolean =>
      readdirSync(folder).some((name) => readFileSync(join(folder, name), 'utf8').includes(script));
    await machine.startWith({ NODE_V8_COVERAGE: folder });
    assert.equal(await machine.stop(), 0);
    assert.ok(readdirSync(folder).length > 0);
    assert.deepEqual([isLoaded(), isLoaded('/@nats-io/')], [false, false]);
    const flags = ['--enable-k8s-api', '--k8s-kubeconfig-path', '/dev/null'];
    await runCommandWith({ NODE_V8_COVERAGE: folder }, 'agent', ...flags);
    assert.equal(isLoaded(), true);
  });
});
