/** Each policy of the package: what happens in its scenario is reported with its messages, and the harmless one is not. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { policyLibrary } from '../../lib/index.js';
import type { ProcessKprobeEvent } from '../../types/index.js';
import { NIGHTLY } from '../nightly.js';
import { hooksOf, kernel, Recording } from './support.js';

interface Scenario {
  /** Lines for sh. They may fail: what is asked for is reported, whether the kernel allows it or not. */
  readonly fires: string;
  /** Each message that is then reported, without those that are the same. */
  readonly messages: readonly string[];
  readonly harmless: string;
}

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'file-integrity': {
    fires: `echo a > /etc/lib-a; echo b > /etc/lib-a; chmod 600 /etc/lib-a; chown 1 /etc/lib-a
      mv /etc/lib-a /etc/lib-b; rm /etc/lib-b`,
    messages: [
      'A system file was removed',
      'A system file was renamed or replaced',
      'A system file was truncated',
      'A system file was written',
      'The mode of a system file was changed',
      'The owner of a system file was changed',
    ],
    harmless: `cat /etc/passwd; echo a > /tmp/lib-a; echo b > /tmp/lib-a; chmod 600 /tmp/lib-a; chown 1 /tmp/lib-a
      mv /tmp/lib-a /tmp/lib-b; rm /tmp/lib-b`,
  },
  credentials: {
    fires: 'cat /etc/shadow; perl -e "open F, q(/etc/gshadow); <F>"',
    messages: ['Credentials were read'],
    harmless: 'cat /etc/passwd; echo secret | su -c true nobody',
  },
  'privilege-escalation': {
    fires: `echo > /tmp/lib-c; chmod u+s /tmp/lib-c; perl -e 'syscall(105, 0)'; unshare -U true`,
    messages: ['A file got set-user-id or set-group-id', 'A process asked for user id 0', 'A user namespace was made'],
    harmless: `echo > /tmp/lib-d; chmod 755 /tmp/lib-d; perl -e 'syscall(105, 33)'; unshare -n true`,
  },
  kernel: {
    fires: `perl -e '$n = q(nothing); syscall(175, 0, 0, $n); syscall(313, -1, $n, 0); syscall(176, $n, 0)'
      perl -e 'syscall(321, 5, 0, 0)'; perl -e 'syscall(101, 16, 999999, 0, 0)'
      perl -e 'syscall(310 + 1, 999999, 0, 0, 0, 0, 0)'
      perl -e 'open F, q(+<), q(/proc/self/mem); syswrite F, q(x)'`,
    messages: [
      'A BPF program was loaded',
      'A kernel module was loaded',
      'A kernel module was removed',
      'A process attached to another one, or changed it',
      'The memory of a process was written through /proc',
      'The memory of another process was written',
    ],
    harmless: `perl -e 'syscall(321, 1, 0, 0)'; perl -e 'syscall(101, 3, 999999, 0, 0)'; cat /proc/self/maps`,
  },
  'container-escape': {
    fires: `unshare -pfm sh -c 'mount -t tmpfs none /mnt; nsenter -n/proc/self/ns/net true; true'
      unshare -pfm sh -c 'cat /proc/sys/kernel/core_pattern > /proc/sys/kernel/core_pattern; true'`,
    messages: [
      'A process of a container entered another namespace',
      'A process of a container mounted a file system',
      'A process of a container wrote a file that makes the kernel run programs',
    ],
    harmless: `unshare -m mount -t tmpfs none /mnt; nsenter -n/proc/self/ns/net true
      cat /proc/sys/kernel/core_pattern > /proc/sys/kernel/core_pattern; unshare -pf sh -c 'echo > /dev/null; true'`,
  },
  persistence: {
    fires: 'echo a > /etc/profile.lib; echo a > /etc/lib-e; mkdir -p /etc/cron.d; mv /etc/lib-e /etc/cron.d/lib-e',
    messages: ['A file that starts programs appeared by a rename', 'A file that starts programs was written'],
    harmless: 'echo a > /etc/lib-f; mv /etc/lib-f /etc/lib-g; cat /etc/profile',
  },
  egress: {
    fires: `perl -MIO::Socket::INET -e 'IO::Socket::INET->new(PeerAddr => q(203.0.113.1:9))'
      bash -c ': < /dev/tcp/127.0.0.1/9'`,
    messages: ['A connection out of the private networks, or of a shell'],
    harmless: `perl -MIO::Socket::INET -e 'IO::Socket::INET->new(PeerAddr => q(127.0.0.1:9))'`,
  },
  'memory-files': {
    fires: `cp /bin/true /tmp/lib-true; /tmp/lib-true
      perl -e '$^F = 99; $n = qq(evil); $f = syscall(319, $n, 0); open O, q(>&=), $f; open I, q(/bin/true); binmode I; undef $/;
        syswrite O, <I>; exec qq(/proc/self/fd/$f)'`,
    messages: [
      'A file in memory was made',
      'A program was executed from memory or from a folder that everybody can write',
    ],
    harmless: '/bin/true; cat /tmp/lib-true',
  },
  'package-managers': {
    fires: 'dpkg --version',
    messages: ['A package manager was executed'],
    harmless: 'cat /usr/bin/dpkg',
  },
};

/** Runs the lines, and returns their events. Those of this process are left out: the tracer and the test cause them. */
async function reportedBy(recording: Recording, lines: string): Promise<ProcessKprobeEvent[]> {
  const events = await recording.during(() => void spawnSync('sh', ['-c', lines], { stdio: 'ignore' }));
  return hooksOf(events).filter(({ process: { pid } }) => pid !== process.pid);
}

// It takes about a minute, so each commit only has the checks of test/unit/policy/library.test.ts.
if (NIGHTLY && kernel === '6.12')
  describe('policies of the package', () => {
    const remove = (): void => {
      for (const name of 'abcdefg') for (const at of ['/etc', '/tmp']) rmSync(`${at}/lib-${name}`, { force: true });
      for (const path of ['/etc/profile.lib', '/etc/cron.d/lib-e', '/tmp/lib-true']) rmSync(path, { force: true });
    };
    before(() => {
      remove();
      mkdirSync('/mnt', { recursive: true });
      execFileSync('ip', ['addr', 'add', '203.0.113.1/32', 'dev', 'lo']);
    });
    after(() => {
      remove();
      execFileSync('ip', ['addr', 'del', '203.0.113.1/32', 'dev', 'lo']);
    });

    it('have a scenario each', () => {
      assert.deepEqual(policyLibrary().map(({ name }) => name), Object.keys(SCENARIOS).sort()); // prettier-ignore
    });

    for (const [name, { fires, messages, harmless }] of Object.entries(SCENARIOS)) {
      it(`polytrace:${name}`, async () => {
        const recording = await Recording.open({ file: `polytrace:${name}` });
        try {
          const events = await reportedBy(recording, fires);
          assert.deepEqual([...new Set(events.map(({ message = '' }) => message))].sort(), messages);
          for (const { tags, policyName } of events) {
            assert.equal(policyName, name);
            assert.match(tags.join(' '), /^(mitre\.T\d{4}(\.\d{3})? ?)+$/);
          }
          if (name === 'memory-files') assert.equal(new Set(events.map((event) => event.process.execId)).size, 2);
          const none = await reportedBy(recording, harmless);
          assert.deepEqual(none.map(({ functionName, message, process: { binary } }) => ({ functionName, message, binary })), []); // prettier-ignore
        } finally {
          await recording.close();
        }
      });
    }
  });
