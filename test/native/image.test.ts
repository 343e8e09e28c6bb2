/** The container image: built without a registry, run by the real Docker Engine and by podman, on this kernel. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildImage, IMAGE, podmanBuildOptions, podmanEngine, podmanOptions, removeEngineFolder, removePodman, stopContainer } from '../image/image.js';
import { RunningCommand } from '../image/running-command.js';
import { dockerNamespaces } from './engines.js';
import { needsRoot, ROOT } from './support.js';

const SIZE_MAX = 200_000_000;
/** The minimum capabilities for all features, with their bits. docs/deploy.md lists them. */
const CAPABILITIES = { DAC_READ_SEARCH: 2, SYS_PTRACE: 19, PERFMON: 38, BPF: 39 };
const HOST = ['--pid=host', '--cgroupns=host'];
const POLICY = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata:
  name: renames
spec:
  tracepoints:
    - subsystem: syscalls
      event: sys_enter_rename
      args: [{ index: 5, type: string }]
`;

interface Engine {
  readonly run: (...args: readonly string[]) => string;
  /** Starts a command that runs until it is stopped. */
  readonly start: (...args: readonly string[]) => RunningCommand;
  readonly runOptions: readonly string[];
  readonly buildOptions: readonly string[];
  readonly close: () => Promise<void>;
}

async function docker(folder: string): Promise<Engine> {
  const socket = `unix://${folder}/docker.sock`;
  const paths = ['--data-root', join(folder, 'data'), '--exec-root', join(folder, 'exec'), '--pidfile', join(folder, 'pid')];
  // The daemon changes no firewall and creates no network. Containers have no network, or that of the host.
  const network = ['--iptables=false', '--ip6tables=false', '--bridge=none'];
  const args = ['--pdeathsig', 'TERM', 'dockerd', ...paths, ...network, ...dockerNamespaces(folder), '--host', socket];
  const daemon = new RunningCommand(spawn('setpriv', args, { stdio: ['ignore', 'pipe', 'pipe'] }));
  await daemon.line(/API listen on/);
  const env = { ...process.env, DOCKER_HOST: socket, DOCKER_CONFIG: join(folder, 'config') };
  return {
    run: (...args) => execFileSync('docker', args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim(),
    start: (...args) => new RunningCommand(spawn('docker', args, { env, stdio: ['ignore', 'pipe', 'pipe'] })),
    runOptions: ['--network=none'],
    buildOptions: ['--network=none'],
    close: async () => {
      daemon.child.kill('SIGTERM');
      await daemon.ended;
    },
  };
}

function podman(folder: string): Promise<Engine> {
  const run = podmanEngine(folder);
  const env = { ...process.env, PODMAN_IGNORE_CGROUPSV1_WARNING: '1' };
  return Promise.resolve({
    run,
    start: (...args) => new RunningCommand(spawn('podman', [...podmanOptions(folder), ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })),
    runOptions: ['--network=none', '--security-opt=apparmor=unconfined'],
    buildOptions: podmanBuildOptions(),
    close: () => {
      removePodman(folder);
      return Promise.resolve();
    },
  });
}

for (const [title, open] of Object.entries({ docker, podman })) {
  describe(`the container image under ${title}`, function () {
    this.timeout(120_000);
    let folder: string;
    let engine: Engine;
    let names = 0;
    let policy: string;
    let tracing: string;

    before(needsRoot);
    before(async () => {
      folder = mkdtempSync(join(tmpdir(), `polytrace-${title}-`));
      policy = join(folder, 'policy.yaml');
      writeFileSync(policy, POLICY);
      tracing = join(folder, 'tracing');
      for (const [type, path] of [
        ['tracefs', tracing],
        ['bpf', join(folder, 'bpf')],
      ] as const) {
        mkdirSync(path);
        execFileSync('mount', ['-t', type, type, path]);
      }
      engine = await open(folder);
      buildImage(engine.run, engine.buildOptions);
    });
    after(async () => {
      if (folder === undefined) return;
      for (const name of ['tracing', 'bpf']) execFileSync('umount', ['--lazy', join(folder, name)]);
      await engine?.close();
      removeEngineFolder(folder);
    });

    const nextName = (): string => `polytrace-${++names}`;
    // No --rm: podman fails to remove a stopped container while a session of exec runs.
    const startContainer = (name: string, options: readonly string[], ...command: readonly string[]): RunningCommand =>
      engine.start('run', '--name', name, ...engine.runOptions, ...options, IMAGE, ...command);
    const GETEVENTS = ['getevents', '--policy-dir', '/etc/polytrace/policies.d'];
    const volumeOptions = (...pairs: readonly string[]): string[] => pairs.flatMap((pair) => ['--volume', pair]);

    /** A process of the host that the tracer must report. */
    const runMark = (): string => {
      const argument = `of-the-host-${process.pid}-${++names}`;
      execFileSync('/bin/true', [argument]);
      return argument;
    };

    it('is small, and runs the agent', () => {
      const [image] = JSON.parse(engine.run('image', 'inspect', IMAGE)) as {
        Size: number;
        Config: { Entrypoint: string[]; Cmd: string[] };
      }[];
      assert.ok(image !== undefined && image.Size < SIZE_MAX, `${image?.Size} bytes`);
      assert.ok(image.Size > SIZE_MAX / 10, `${image.Size} bytes: Node.js alone is larger`);
      assert.deepEqual(image.Config.Entrypoint, ['/usr/local/bin/polytrace']);
      assert.deepEqual(image.Config.Cmd, ['agent']);
    });

    it('has the licences of what is in it', () => {
      const files = ['LICENSE', 'THIRD-PARTY-NOTICES'].map((name) => `/opt/polytrace/${name}`);
      files.push(...['nodejs/LICENSE', 'libelf1t64/copyright', 'libstdc++6/copyright'].map((each) => `/usr/share/doc/${each}`));
      const script = `for (const file of ${JSON.stringify(files)}) console.log(fs.readFileSync(file, 'utf8'))`;
      const options = [...engine.runOptions, '--rm', '--entrypoint=/usr/local/bin/node'];
      const text = engine.run('run', ...options, IMAGE, '-e', script);
      for (const part of ['@grpc/grpc-js', 'Copyright Node.js contributors', 'LGPL-3', 'GCC Runtime Library Exception']) {
        assert.ok(text.includes(part), part);
      }
    });

    it('has the policies of the package', () => {
      const text = engine.run('run', ...engine.runOptions, '--rm', IMAGE, 'validate', 'polytrace:file-monitoring');
      assert.match(text, /policies\/file-monitoring\.yaml: ok/);
    });

    it('privileged: reports processes of the host, also to a second tracer inside', async () => {
      const volumes = volumeOptions(
        `${policy}:/etc/polytrace/policies.d/policy.yaml`,
        `${tracing}:/sys/kernel/tracing`,
        '/sys/fs/cgroup:/sys/fs/cgroup:ro',
      );
      const name = nextName();
      const first = startContainer(name, [...HOST, '--privileged', '--env', 'NODE_NAME=my-node', ...volumes], ...GETEVENTS);
      assert.equal(
        await first.line(/^ready/),
        'ready: base sensor: exec, exit, fork; renames: syscalls/sys_enter_rename (tracepoint)',
      );
      assert.doesNotMatch(first.output, /warning|note/);
      // without the variable of the image, no agent is asked
      const ownTracer = ['exec', '--env', 'POLYTRACE_SOCKET=', name];
      const second = engine.start(...ownTracer, 'polytrace', 'getevents', '-o', 'compact');
      assert.equal(await second.line(/^ready/), 'ready: base sensor: exec, exit, fork');
      execFileSync('python3', ['-c', `import os; os.rename("${policy}", "${policy}")`]);
      const argument = runMark();
      const exec = new RegExp(`process my-node /bin/true ${argument}$`);
      await Promise.all([first.line(exec), second.line(exec)]);
      await first.line(new RegExp(`^📍 tracepoint my-node \\S*python\\S* syscalls/sys_enter_rename ${policy} # renames$`));
      assert.doesNotMatch(second.output, /sys_enter_rename/);

      await stopContainer(engine.run, name);
      assert.equal(await first.status(), 0, first.output);
      await second.ended;
    });

    it('without a command: runs the agent with the mounted policies, and `getevents` asks it', async () => {
      const volumes = volumeOptions(
        `${policy}:/etc/polytrace/policies.d/policy.yaml`,
        `${tracing}:/sys/kernel/tracing`,
        '/sys/fs/cgroup:/sys/fs/cgroup:ro',
      );
      const name = nextName();
      const agent = startContainer(name, [...HOST, '--privileged', '--env', 'NODE_NAME=my-node', ...volumes]);
      await agent.line(/ready/);
      assert.match(engine.run('exec', name, 'polytrace', 'status'), /^policies: 1$/m);
      const events = engine.start('exec', name, 'getevents', '-o', 'compact', '--host');
      await events.line(/^ready: events of the agent at unix:/);
      const argument = runMark();
      execFileSync('python3', ['-c', `import os; os.rename("${policy}", "${policy}")`]);
      await events.line(new RegExp(`process my-node /bin/true ${argument}$`));
      await events.line(new RegExp(`^📍 tracepoint my-node \\S*python\\S* syscalls/sys_enter_rename ${policy} # renames$`));
      await stopContainer(engine.run, name);
      assert.equal(await agent.status(), 0, agent.output);
      await events.ended;
    });

    it('without options: says which are missing, and ends at SIGINT as pid 1', async () => {
      const name = nextName();
      const capabilities = ['BPF', 'PERFMON'].map((each) => `--cap-add=${each}`);
      const running = startContainer(name, ['--cgroupns=private', ...capabilities], 'getevents', '--policy-dir', '/none');
      await running.line(/^ready/);
      for (const missing of ['--pid=host', '--cgroupns=host', '--uts=host', '--cap-add=SYS_PTRACE', '--cap-add=DAC_READ_SEARCH']) {
        const lines = running.output.split('\n').filter((line) => line.startsWith('warning: ') && line.includes(missing));
        assert.equal(lines.length, 1, running.output);
      }
      assert.match(running.output, /^note: there are no policies in \/none$/m);
      engine.run('kill', '--signal=INT', name);
      assert.equal(await running.status(), 0, running.output);
    });

    describe('with the least privileges', () => {
      const leastPrivilegeOptions = (capabilities: readonly string[]): string[] => [
        ...HOST,
        '--uts=host',
        '--cap-drop=ALL',
        ...capabilities.map((each) => `--cap-add=${each}`),
        '--security-opt=no-new-privileges',
        `--security-opt=seccomp=${join(ROOT, 'deploy/seccomp.json')}`,
        '--read-only',
        ...volumeOptions(
          `${policy}:/etc/polytrace/policies.d/policy.yaml:ro`,
          `${tracing}:/sys/kernel/tracing:ro`,
          '/sys/fs/cgroup:/sys/fs/cgroup:ro',
          `${join(folder, 'bpf')}:/sys/fs/bpf`,
        ),
      ];

      it('knows the processes and containers that ran before it', async () => {
        const early = nextName();
        const id = engine.run(
          ...['run', '--detach', '--name', early, ...engine.runOptions, '--entrypoint=/usr/local/bin/node'],
          ...[IMAGE, '-e', 'setInterval(() => {}, 1000)'],
        );
        const sleeper = spawn('setpriv', ['--reuid=1234', '--clear-groups', 'sleep', '1000'], { stdio: 'ignore' });
        await once(sleeper, 'spawn');
        try {
          const name = nextName();
          const persisted = '/sys/fs/bpf/polytrace';
          const words = [...GETEVENTS, '-o', 'json', '--persist', persisted];
          const running = startContainer(name, leastPrivilegeOptions(Object.keys(CAPABILITIES)), ...words);
          await running.line(/^ready: .*renames/);
          assert.doesNotMatch(running.output, /^warning/m);
          assert.equal(existsSync(join(folder, 'bpf/polytrace')), true);

          const script = 'console.log(/^CapEff:\\s*(\\w+)$/m.exec(fs.readFileSync("/proc/self/status", "utf8"))[1])';
          const bits = Object.values(CAPABILITIES).reduce((sum, bit) => sum | (1n << BigInt(bit)), 0n);
          assert.equal(BigInt(`0x${engine.run('exec', name, 'node', '-e', script)}`), bits);

          const ended = once(sleeper, 'exit');
          sleeper.kill();
          await ended;
          const exit = await running.line(new RegExp(`^{"process_exit":{"process":{"exec_id":"[^"]*","pid":${sleeper.pid},`));
          assert.match(exit, /"binary":"\/usr\/bin\/sleep",.*"arguments":"1000"/);
          const command = `exit 0 # early ${process.pid}`;
          engine.run('exec', early, '/bin/sh', '-c', command);
          const inside = await running.line(new RegExp(`^{"process_exec":.*"binary":"/bin/sh",.*"arguments":"-c \\\\"${command}\\\\""`));
          assert.match(inside, new RegExp(`"docker":"${id.slice(0, 31)}"`));

          await stopContainer(engine.run, name);
          assert.equal(await running.status(), 0, running.output);
          assert.equal(existsSync(join(folder, 'bpf/polytrace')), false);
        } finally {
          sleeper.kill('SIGKILL');
          engine.run('kill', early);
          engine.run('rm', '--force', early);
        }
      });

      it('`run`: starts a command, and says what it did; for another user with CAP_SETUID and CAP_SETGID', async () => {
        const script = `node -p '"user " + process.getuid()'; read line < /etc/polytrace/policies.d/policy.yaml; echo error >&2; exit 77`;
        const users: readonly (readonly [number, readonly string[], readonly string[]])[] = [
          [0, [], []],
          [1234, ['--user', '1234'], ['SETUID', 'SETGID']],
        ];
        for (const [id, user, more] of users) {
          const options = leastPrivilegeOptions([...Object.keys(CAPABILITIES), ...more]);
          const running = startContainer(nextName(), options, 'run', ...user, '--', '/bin/sh', '-c', script);
          assert.equal(await running.status(), 77, running.output);
          assert.match(running.output, new RegExp(`^user ${id}$`, 'm'));
          assert.match(running.output, /^error$/m);
          assert.match(running.output, /^polytrace: \/bin\/sh -c .*: exit status 77, [^]* 2 programs executed$/m);
          assert.match(running.output, /^ {4}\/etc\/polytrace\/policies\.d\/policy\.yaml$/m);
        }
      });

      for (const missing of ['BPF', 'PERFMON']) {
        it(`without CAP_${missing}: ends with 3, and names it`, async () => {
          const running = startContainer(nextName(), leastPrivilegeOptions(Object.keys(CAPABILITIES).filter((each) => each !== missing)), ...GETEVENTS);
          assert.equal(await running.status(), 3, running.output);
          assert.match(running.output, new RegExp(`error NOT_PERMITTED: .*: CAP_${missing} missing$`, 'm'));
        });
      }
    });

    it('a policy with an error: ends with 1, and says where', async () => {
      const bad = join(folder, 'bad.yaml');
      writeFileSync(bad, POLICY.replace('tracepoints:', 'tracepoint:'));
      chmodSync(bad, 0o600);
      const running = startContainer(nextName(), [...HOST, '--privileged', ...volumeOptions(`${bad}:/etc/polytrace/policies.d/p.yaml`)], ...GETEVENTS);
      assert.equal(await running.status(), 1, running.output);
      assert.match(running.output, /^\/etc\/polytrace\/policies\.d\/p\.yaml:6:3: error UNKNOWN_FIELD/m);
    });

    it('a folder in place of a policy: ends with 1, and says how it comes there', async () => {
      const wrong = join(folder, 'wrong.yaml');
      mkdirSync(wrong, { recursive: true });
      const running = startContainer(nextName(), [...HOST, '--privileged', ...volumeOptions(`${wrong}:/etc/polytrace/policies.d/p.yaml`)], ...GETEVENTS);
      assert.equal(await running.status(), 1, running.output);
      assert.match(running.output, /p\.yaml:1:1: error FILE_UNREADABLE.*EISDIR[^]*docker run -v/);
    });
  });
}
