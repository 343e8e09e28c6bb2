/**
 * Pods of containerd on a full kernel: the lines of README.md with the name of the pod, and enforcement in one namespace
 * only. There is no kubelet: the test creates the pods with CRI, as a kubelet does.
 */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawnCommand, Machine, type RunningCommand } from '../../agent/test/native/support.js';
import { Containerd } from '../containers/containerd.js';
import { CriClient } from '../native/cri-client.js';
import { corpus, needsFile, describeOn } from './support.js';

const UPSTREAM = join(corpus, 'quickstart__file_monitoring.yaml');

const DENY = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicyNamespaced
metadata: { name: deny, namespace: team-a }
spec:
  kprobes:
    - call: security_file_permission
      syscall: false
      args: [{ index: 0, type: file }, { index: 1, type: int }]
      selectors:
        - matchArgs: [{ index: 0, operator: Equal, values: [/etc/secret] }]
          matchActions: [{ action: Sigkill }]
`;

// One kernel is enough: containers do not depend on it.
describeOn('6.1', 'pods', () => {
  const folder = mkdtempSync('/run/pods-');
  const machine = new Machine();
  const containerd = new Containerd(folder, 'native');
  let cri: CriClient;
  let lines: RunningCommand;

  before(async function () {
    needsFile(this, UPSTREAM);
    mkdirSync(folder, { recursive: true });
    await containerd.start();
    // runc reads /etc/passwd and /etc/group itself, in the cgroup of the container
    const files = { 'etc/shadow': 'root:*:0:0:99999:7:::\n', 'etc/secret': 'of the test\n' };
    const programs = ['/bin/bash', '/bin/cat', '/bin/sleep'];
    containerd.addImage({
      name: 'docker.io/library/polytrace-test:1',
      programs,
      files,
      command: ['/bin/sleep', 'infinity'],
    });
    copyFileSync(UPSTREAM, join(machine.policies, 'files.yaml'));
    writeFileSync(join(machine.policies, 'deny.yaml'), DENY);
    const sockets = [`--cri-endpoint=unix://${containerd.socket}`, `--nri-endpoint=${containerd.nriSocket}`];
    await machine.start('--containers', '--enforcement', ...sockets);
    lines = spawnCommand('getevents', '--server', machine.address, '-o', 'compact', '--pods', 'xwing');
    await lines.stderr.waitFor('ready: events of the agent');
    cri = new CriClient(containerd.socket);
    for (const [namespace, name] of [
      ['default', 'xwing'],
      ['team-a', 'falcon'],
    ] as const) {
      const pod = { namespace, name, uid: `uid-${name}`, labels: { app: name } };
      await cri.run(pod, await cri.runPod(pod), 'main', ['/bin/sleep', 'infinity']);
    }
  });
  after(async () => {
    cri?.close();
    lines?.child.kill('SIGKILL');
    await machine.remove();
    await containerd.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  afterEach(function () {
    if (this.currentTest?.state === 'failed') console.error(lines?.stdout.text, containerd.log);
  });

  it('have the lines of the first page, with the name of the pod', async () => {
    containerd.execInPod('xwing', ['/bin/bash', '-c', 'cat /etc/shadow']);
    await lines.stdout.waitFor('💥 exit    default/xwing /bin/cat /etc/shadow 0');
    const all = lines.stdout.lines();
    for (const line of [
      '🚀 process default/xwing /bin/sleep infinity',
      '🚀 process default/xwing /bin/bash -c "cat /etc/shadow"',
      '🚀 process default/xwing /bin/cat /etc/shadow',
      '📚 read    default/xwing /bin/cat /etc/shadow',
    ]) {
      assert.ok(all.includes(line), `${line}\n\n${all.join('\n')}`);
    }
  });

  it('are enforced in the namespace of the policy only', () => {
    assert.equal(containerd.execInPod('xwing', ['/bin/cat', '/etc/secret']), 'of the test\n');
    // 137: killed by signal 9
    assert.throws(() => containerd.execInPod('falcon', ['/bin/cat', '/etc/secret']), { status: 137 });
    assert.equal(containerd.execInPod('falcon', ['/bin/cat', '/etc/shadow']), 'root:*:0:0:99999:7:::\n');
  });
});
