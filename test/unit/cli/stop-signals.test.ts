/** Signals after a command has ended, while its output is on the way to a slow reader. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { Writable } from 'node:stream';
import type { Context } from '../../../lib/cli/context.js';
import { exitAtLaterSignals } from '../../../lib/cli/stop-signals.js';

describe('signals after the end of a command', () => {
  const readClock = performance.now.bind(performance);
  let now: number;
  let exits: number[];
  let messages: string;

  beforeEach(() => {
    [now, exits, messages] = [1000, [], ''];
    performance.now = () => now;
  });
  afterEach(() => (performance.now = readClock));

  /** Returns the signals of a command that has ended with the status 3. */
  function endCommand(writableLength: number): EventEmitter {
    const signals = new EventEmitter();
    const stderr = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        messages += chunk.toString();
        done();
      },
    });
    const context = { signals, stderr, stdout: { writableLength }, exit: (status: number) => void exits.push(status) };
    exitAtLaterSignals(context as unknown as Context, 3);
    return signals;
  }

  it('the signal that comes a second time changes nothing', () => {
    const signals = endCommand(10);
    now += 499;
    signals.emit('SIGINT', 'SIGINT');
    signals.emit('SIGTERM', 'SIGTERM');
    assert.deepEqual([exits, messages], [[], '']);
  });

  it('a later one exits with 130 or 143, and says that events are missing', () => {
    const signals = endCommand(10);
    now += 500;
    signals.emit('SIGINT', 'SIGINT');
    signals.emit('SIGTERM', 'SIGTERM');
    assert.deepEqual(exits, [130, 143]);
    assert.match(messages, /ended by a second signal: events that were still to be printed are missing\n/);
  });

  it('with the status of the command if everything is printed', () => {
    const signals = endCommand(0);
    now += 500;
    signals.emit('SIGINT', 'SIGINT');
    assert.deepEqual([exits, messages], [[3], '']);
  });
});
