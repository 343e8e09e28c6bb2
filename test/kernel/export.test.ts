/** The JSON export of kernel data: sockets, users, and processes that were killed. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { toJson } from '../../lib/index.js';
import type { ProcessKprobeEvent, SocketArgument } from '../../types/index.js';
import { MECHANISMS, kprobePolicy, Recording } from './support.js';

/** A program that only this test starts. */
const SHELL = '/tmp/exporting';

function hook(call: string, type: string, actions = ''): string {
  return `call: ${call}
syscall: false
args:
- {index: 0, type: ${type}}
selectors:
- matchBinaries:
  - {operator: In, values: [${SHELL}]}
${actions}`;
}

const KILLED = `  matchArgs:
  - {index: 0, operator: Equal, values: [/etc/hostname]}
  matchActions:
  - {action: Sigkill}`;

interface Exported {
  readonly function_name: string;
  readonly args: readonly { readonly sock_arg?: { readonly cookie: string } }[];
  readonly action: string;
  readonly return_action: string;
}

function toExported(event: ProcessKprobeEvent): Exported {
  return (JSON.parse(toJson(event)) as { process_kprobe: Exported }).process_kprobe;
}

for (const attach of MECHANISMS) {
  describe(`JSON export, by ${attach}`, () => {
    let recording: Recording;
    before(async () => {
      copyFileSync('/bin/bash', SHELL);
      const hooks = [
        hook('tcp_connect', 'sock'),
        hook('tcp_close', 'sock'),
        hook('security_file_open', 'file', KILLED),
      ];
      recording = await Recording.open(kprobePolicy('exports', ...hooks), { attach, enforcement: true });
    });
    after(() => recording.close());

    it('the cookie is the address of the socket: the same in connect and close', async () => {
      // No process listens on these ports. The kernel creates a socket for each and closes it.
      const twice = 'for port in 5031 5032; do : 3<>/dev/tcp/127.0.0.1/$port; done';
      const events = await recording.hooksDuring(() => void spawnSync(SHELL, ['-c', twice]));
      const sockets = events.map(({ args }) => args[0] as SocketArgument);
      assert.deepEqual(
        events.map((event) => [event.functionName, toExported(event).args[0]?.sock_arg?.cookie]),
        [
          ['tcp_connect', `${sockets[0]?.address}`],
          ['tcp_close', `${sockets[0]?.address}`],
          ['tcp_connect', `${sockets[2]?.address}`],
          ['tcp_close', `${sockets[2]?.address}`],
        ],
      );
      assert.ok(sockets.every(({ address }) => address >= 0xff00_0000_0000_0000n));
      assert.ok(events.every((event) => toExported(event).return_action === 'KPROBE_ACTION_POST'));
    });

    it('the name of the user, with the credentials', async () => {
      const events = await recording.eventsDuring(() => {
        spawnSync(SHELL, ['-c', ':']);
        spawnSync('unshare', ['-U', SHELL, '-c', ':']);
      });
      const users = events.flatMap((event) => {
        if (event.type !== 'process_exec' || event.process.binary !== SHELL) return [];
        const { process_exec: json } = JSON.parse(toJson(event, { processCred: true })) as {
          process_exec: { process: { user?: unknown } };
        };
        return [[event.process.user, json.process.user]];
      });
      assert.deepEqual(users, [
        ['root', { name: 'root' }],
        [undefined, undefined],
      ]);
    });

    it('return_action of a process that was killed', async () => {
      const events = await recording.hooksDuring(() => {
        assert.equal(spawnSync(SHELL, ['-c', 'read line < /etc/hostname']).signal, 'SIGKILL');
      });
      const json = events.map(toExported);
      assert.deepEqual(
        json.map((event) => [event.function_name, event.action, event.return_action]),
        [['security_file_open', 'KPROBE_ACTION_SIGKILL', 'KPROBE_ACTION_SIGKILL']],
      );
    });
  });
}
