/** Socket owners (TrackSock). Packets are reported with them too, although any running process can handle a packet. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync } from 'node:fs';
import type { ProcessKprobeEvent, SocketArgument } from '../../types/index.js';
import { batchInput } from './matrix-policy.js';
import {
  prepareWorkload,
  MECHANISMS,
  kprobePolicy,
  onKernelWithGroups,
  Recording,
  WORKLOAD,
  type Mechanism,
} from './support.js';

const OWNER = '/tmp/socket-owner';
const OTHER = '/tmp/socket-other';
const UDP = 5100;
const TCP = 5101;
const OWN = 5102;

/** A hook on packets that a socket receives. On the loopback device a softirq handles them. */
function receiveHook(...ports: readonly number[]): string {
  return `call: sk_filter_trim_cap
syscall: false
args:
- {index: 0, type: sock}
- {index: 1, type: skb}
selectors:
- matchArgs:
  - {index: 1, operator: DAddr, values: [127.0.0.1]}
  - {index: 1, operator: DPort, values: [${ports.map((port) => `"${port}"`).join(', ')}]}`;
}

/** A hook as in published policies. The tracer itself forgets freed sockets. */
const MADE = `call: sk_alloc
syscall: false
return: true
args:
- {index: 1, type: int}
returnArg: {index: 0, type: sock}
returnArgAction: TrackSock
selectors:
- matchArgs:
  - {index: 1, operator: Equal, values: ["2"]}
  matchActions:
  - {action: NoPost}`;

/**
 * The socket of a new connection, which the kernel makes when its last packet comes. Its owner is the listening
 * process.
 */
const ACCEPTED = `call: tcp_create_openreq_child
syscall: false
return: true
args:
- {index: 0, type: sock}
returnArg: {index: 0, type: sock}
returnArgAction: TrackSock`;

function socketHook(call: string, action: string, binary: string): string {
  return `call: ${call}
syscall: false
args:
- {index: 2, type: int}
- {index: 0, type: socket}
selectors:
- matchBinaries:
  - {operator: In, values: [${binary}]}
  matchActions:
  - {action: ${action}, argSock: 1}`;
}

const SENT = `call: ip_output
syscall: false
args:
- {index: 1, type: sock}
- {index: 2, type: skb}
selectors:
- matchArgs:
  - {index: 2, operator: DPort, values: ["${OWN}"]}`;

const SERVER = `
const udp = require('node:dgram').createSocket('udp4').bind(${UDP}, '127.0.0.1');
const tcp = require('node:net').createServer((connection) => connection.resume()).listen(${TCP}, '127.0.0.1');
tcp.on('listening', () => console.log('there'));
process.stdin.on('end', () => process.exit()).resume();`;

async function startServer(): Promise<ChildProcess> {
  const server = spawn(process.execPath, ['-e', SERVER], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(server.stdout, 'data');
  return server;
}

const clientScript = `echo datagram > /dev/udp/127.0.0.1/${UDP}; echo stream > /dev/tcp/127.0.0.1/${TCP}`;

/** Sends from a socket of its own. */
function send(program: string): void {
  execFileSync(program, ['batch'], {
    input: batchInput([{ name: 'sends', action: ['send', '127.0.0.5', 0, '127.0.0.1', OWN] }]),
  });
}

interface EventSummary {
  readonly policy: string;
  readonly call: string;
  readonly binary: string;
  readonly owner: boolean;
}

function summarizeEvents(events: readonly ProcessKprobeEvent[]): EventSummary[] {
  return events.map(({ policyName, functionName, process, ofSocketOwner }) => ({
    policy: policyName,
    call: functionName,
    binary: process.binary,
    owner: ofSocketOwner,
  }));
}

for (const attach of MECHANISMS) {
  describe(`sockets that are tracked, by ${attach}`, () => testSockets(attach, false));
  if (onKernelWithGroups())
    describe(`sockets that are tracked, by ${attach}, in groups`, () => testSockets(attach, true));
}

/** A policy with the same hooks for a program and a port that nobody uses. It tracks sockets, too. */
function othersPolicy(hooks: readonly string[]): string {
  const own = hooks.map((hook) => hook.replace(OWNER, '/tmp/nobody').replaceAll(/"51(\d\d)"/g, '"61$1"'));
  return kprobePolicy('others', ...own, socketHook('security_socket_recvmsg', 'TrackSock', '/tmp/nobody'));
}

/** `inGroups`: another policy has the same hooks, so that each one is in a group. */
function testSockets(attach: Mechanism, inGroups: boolean): void {
  let recording: Recording;
  before(async () => {
    prepareWorkload();
    for (const program of [OWNER, OTHER]) copyFileSync(WORKLOAD, program);
    recording = await Recording.open(undefined, { attach });
  });
  after(() => recording.close());

  const recordHooks = async (
    hooks: readonly string[],
    run: () => void | Promise<void>,
  ): Promise<ProcessKprobeEvent[]> => {
    const { tracer } = recording;
    const shared = hooks.filter((hook) => !hook.includes('returnArgAction'));
    // its hooks come first, and move into the groups
    if (inGroups) await tracer.addPolicy({ yaml: othersPolicy(shared) });
    await tracer.addPolicy({ yaml: kprobePolicy('tracks', ...hooks) });
    try {
      if (inGroups) {
        const own = tracer.policies().find(({ name }) => name === 'tracks')?.hooks ?? [];
        assert.equal(own.filter(({ grouped }) => grouped === true).length, shared.length);
      }
      return await recording.hooksDuring(run);
    } finally {
      await tracer.removePolicy('tracks');
      if (inGroups) await tracer.removePolicy('others');
    }
  };

  it('a packet that a softirq handles is reported with the process that made the socket, or that listens for the connection', async () => {
    // Another policy, which tracks nothing, shows which process was running.
    await recording.tracer.addPolicy({ yaml: kprobePolicy('plain', receiveHook(UDP, TCP)) });
    let server: ChildProcess | undefined;
    const events = await recordHooks([MADE, ACCEPTED, receiveHook(UDP, TCP)], async () => {
      server = await startServer();
      execFileSync('/bin/bash', ['-c', clientScript]);
    });
    const ended = once(server as ChildProcess, 'exit');
    server?.stdin?.end();
    await ended;
    await recording.tracer.removePolicy('plain');
    const packets = events.filter(({ functionName }) => functionName === 'sk_filter_trim_cap');
    for (const port of [UDP, TCP]) {
      const those = packets.filter(({ args }) => (args[1] as SocketArgument | undefined)?.destinationPort === port);
      const plain = those.filter(({ policyName }) => policyName === 'plain');
      const tracked = those.filter(({ policyName }) => policyName === 'tracks');
      assert.ok(tracked.length > 0, `port ${port}`);
      assert.equal(plain.length, tracked.length, `port ${port}`);
      for (const { process, ofSocketOwner, tid } of tracked) {
        assert.deepEqual([process.pid, tid, ofSocketOwner], [server?.pid, server?.pid, true], `port ${port}`);
      }
      // The last packet may answer a packet of the server, and be handled at once.
      assert.notEqual(plain[0]?.process.pid, server?.pid, `port ${port}`);
      assert.ok(plain.every(({ ofSocketOwner }) => !ofSocketOwner));
    }
    const accepted = events.filter(({ functionName }) => functionName === 'tcp_create_openreq_child');
    assert.deepEqual(
      accepted.map(({ process, ofSocketOwner, returnAction }) => [process.pid, ofSocketOwner, returnAction]),
      [[server?.pid, true, 'trackSock']],
    );
  });

  it('TrackSock and UntrackSock of an argument', async () => {
    const track = socketHook('security_socket_bind', 'TrackSock', OWNER);
    const untrack = socketHook('security_socket_sendmsg', 'UntrackSock', OWNER);
    const owners = (events: readonly ProcessKprobeEvent[]): unknown =>
      events.map(({ functionName, action, ofSocketOwner }) => [functionName, action, ofSocketOwner]);
    const bound = ['security_socket_bind', 'trackSock', false];
    assert.deepEqual(owners(await recordHooks([track, SENT, receiveHook(OWN)], () => send(OWNER))), [
      bound,
      bound,
      ['ip_output', 'post', true],
      ['sk_filter_trim_cap', 'post', true],
    ]);
    assert.deepEqual(owners(await recordHooks([track, untrack, SENT, receiveHook(OWN)], () => send(OWNER))), [
      bound,
      bound,
      ['security_socket_sendmsg', 'untrackSock', true],
      ['ip_output', 'post', false],
      ['sk_filter_trim_cap', 'post', true],
    ]);
  });

  if (attach === 'kprobe') return;

  it('a new socket at the address of a freed one does not get its owner', async () => {
    const made = MADE.replace(
      '  matchActions:',
      `  matchBinaries:\n  - {operator: In, values: [${OWNER}]}\n  matchActions:`,
    );
    const events = await recordHooks([made, receiveHook(OWN)], () => {
      for (let i = 0; i < 10; i++) {
        for (const program of [OWNER, OTHER]) {
          send(program);
        }
      }
    });
    const both = [OWNER, OTHER].map((binary) => ({
      policy: 'tracks',
      call: 'sk_filter_trim_cap',
      binary,
      owner: binary === OWNER,
    }));
    assert.deepEqual(summarizeEvents(events), Array.from({ length: 10 }, () => both).flat());
  });

  it('filters on the process compare the running process', async () => {
    const hook = receiveHook(UDP).replace(
      '- matchArgs:',
      '- matchBinaries:\n  - {operator: In, values: [/usr/bin/bash]}\n  matchArgs:',
    );
    let server: ChildProcess | undefined;
    const events = await recordHooks([MADE, hook], async () => {
      server = await startServer();
      execFileSync('/bin/bash', ['-c', `echo datagram > /dev/udp/127.0.0.1/${UDP}`]);
    });
    server?.stdin?.end();
    assert.deepEqual(
      events.map(({ process }) => process.pid),
      [server?.pid],
    );
  });
}
