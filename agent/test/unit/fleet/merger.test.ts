import assert from 'node:assert/strict';
import { Merger, type MergedMessage, type MergerOptions } from '../../../lib/fleet/reading/merger.js';

const at = (second: number, millisecond = 0): string =>
  `{"x":1,"time":"2026-01-01T00:00:${String(second).padStart(2, '0')}.${String(millisecond).padStart(3, '0')}000000Z"}`;

const message = (node: string, batch: number, storedMs: number, lines: readonly [number, string][]): MergedMessage => ({
  node,
  boot: 'b',
  batch,
  parts: undefined,
  storedMs,
  numbers: lines.map(([number]) => number),
  lines: lines.map(([, text]) => text),
});

describe('merging the events of a fleet', () => {
  const open = (): Merger => new Merger({ windowMs: 1000, maxLength: 1e6 });

  it('lines of all nodes come by time', () => {
    const merger = open();
    merger.add(
      message('a', 1, 100, [
        [1, at(1)],
        [2, at(3)],
        [3, at(5)],
      ]),
      0,
    );
    merger.add(
      message('b', 1, 200, [
        [1, at(2)],
        [2, at(4)],
      ]),
      0,
    );
    assert.deepEqual(merger.take(999), []);
    assert.equal(merger.waitMs(400), 600);
    const lines = merger.take(1000);
    assert.deepEqual(
      lines.map(({ text }) => text),
      [at(1), at(2), at(3), at(4), at(5)],
    );
    assert.equal(merger.waitMs(0), undefined);
  });

  it('history needs no time: newer messages of the server decide', () => {
    const merger = open();
    merger.add(message('a', 1, 0, [[1, at(1)]]), 0);
    merger.add(message('b', 1, 500, [[1, at(0)]]), 0);
    assert.deepEqual(merger.take(0), []);
    merger.add(message('b', 2, 1000, [[2, at(9)]]), 0);
    assert.deepEqual(
      merger.take(0).map(({ text }) => text),
      [at(0), at(1)],
    );
    assert.deepEqual(
      merger.takeAll().map(({ text }) => text),
      [at(9)],
    );
  });

  it('the messages of a batch become the order of the node again, also if its clock goes back', () => {
    const merger = open();
    merger.add(
      message('a', 1, 0, [
        [1, at(5)],
        [3, at(3)],
        [5, at(6)],
      ]),
      0,
    );
    merger.add(
      message('a', 1, 1, [
        [2, at(5, 1)],
        [4, at(4)],
      ]),
      0,
    );
    assert.deepEqual(
      merger.takeAll().map(({ text }) => text),
      [at(5), at(5, 1), at(3), at(4), at(6)],
    );
  });

  it('times of different precision are compared', () => {
    const merger = open();
    const short = '{"time":"2026-01-01T00:00:00.123Z"}';
    const long = '{"time":"2026-01-01T00:00:00.123456789Z"}';
    merger.add(message('a', 1, 0, [[1, long]]), 0);
    merger.add(message('b', 1, 0, [[1, short]]), 0);
    assert.deepEqual(
      merger.takeAll().map(({ text }) => text),
      [short, long],
    );
  });

  it('a message that the stream has twice is left out, however late', () => {
    const merger = open();
    const first = message('a', 1, 0, [[1, at(1)]]);
    merger.add(first, 0);
    merger.add(message('a', 1, 0, [[2, at(2)]]), 0);
    merger.add(first, 0);
    merger.add(message('a', 3, 1, [[3, at(3)]]), 0);
    merger.add(first, 0);
    merger.add({ ...first, boot: 'another' }, 0);
    assert.equal(merger.takeAll().length, 4);
    assert.equal(merger.duplicates, 2);
  });

  describe('a batch that an outage has parted', () => {
    const first = { ...message('a', 1, 5000, [[1, at(1)]]), parts: 2 };
    const rest = { ...message('a', 1, 65_000, [[2, at(2)]]), parts: 2 };
    const openWith = (more: Partial<MergerOptions> = {}): { readonly merger: Merger; readonly problems: string[] } => {
      const problems: string[] = [];
      const onProblem = (text: string): void => void problems.push(text);
      return { merger: new Merger({ windowMs: 1000, maxLength: 1e6, startMs: 0, onProblem, ...more }), problems };
    };
    const texts = (lines: readonly { readonly text: string }[]): string[] => lines.map(({ text }) => text);

    it('waits for the rest, and others do not wait for it', () => {
      const { merger, problems } = openWith();
      merger.add(first, 0);
      merger.add(message('b', 1, 5000, [[1, at(5)]]), 0);
      assert.deepEqual(texts(merger.take(1000)), [at(5)]);
      assert.deepEqual(merger.take(80_000), []);
      assert.equal(merger.waitMs(80_000), 10_000);
      merger.add(rest, 80_000);
      assert.deepEqual(texts(merger.take(81_000)), [at(1), at(2)]);
      assert.deepEqual(problems, []);
    });

    it('in the history, waits for as long as the outage was', () => {
      const { merger } = openWith();
      merger.add(first, 0);
      merger.add(message('b', 1, 1e6, [[1, at(5)]]), 0);
      assert.deepEqual(merger.take(0), []);
      merger.add({ ...rest, storedMs: 1e6 }, 0);
      assert.deepEqual(texts(merger.take(0)), [at(1), at(2)]);
    });

    it('waits for a limited time, and what then comes late is reported', () => {
      const { merger, problems } = openWith({ holdMs: 5000 });
      merger.add(first, 0);
      assert.deepEqual(merger.take(4999), []);
      assert.deepEqual(texts(merger.take(5000)), [at(1)]);
      merger.add(rest, 6000);
      assert.deepEqual(texts(merger.take(7000)), [at(2)]);
      assert.deepEqual(problems, ['node a: 1 lines come late, because of an outage']);
    });

    it('waits neither without room, nor when the next batch comes', () => {
      const { merger } = openWith({ maxLength: 10 });
      merger.add(first, 0);
      assert.deepEqual(texts(merger.take(0)), [at(1)]);
      const next = openWith().merger;
      next.add(first, 0);
      next.add(message('a', 3, 5100, [[3, at(3)]]), 0);
      assert.deepEqual(texts(next.take(1000)), [at(1), at(3)]);
    });

    it('waits only a little where the rest may be before what the reader gets', () => {
      const { merger } = openWith({ startMs: 4500 });
      merger.add(first, 0);
      assert.deepEqual(texts(merger.take(1000)), [at(1)]);
    });
  });

  it('two agents with one name are reported; each keeps its order, and nothing comes twice', () => {
    const problems: string[] = [];
    const merger = new Merger({ windowMs: 1000, maxLength: 1e6, onProblem: (text) => problems.push(text) });
    const of = (boot: string, batch: number, second: number): MergedMessage => ({
      ...message('default.web=2E1', batch, 0, [[batch, at(second)]]),
      boot,
    });
    const sent = [of('x', 1, 1), of('y', 1, 2), of('x', 2, 3), of('y', 2, 4), of('x', 3, 5)];
    for (const each of [...sent, of('x', 1, 1), of('y', 2, 4)]) merger.add(each, 0);
    assert.deepEqual(
      merger.takeAll().map(({ text }) => text),
      [at(1), at(2), at(3), at(4), at(5)],
    );
    assert.equal(merger.duplicates, 2);
    assert.deepEqual(problems, ['node web.1: two agents use this name at the same time']);
  });

  it('without room, the oldest lines do not wait', () => {
    const merger = new Merger({ windowMs: 1000, maxLength: at(1).length });
    merger.add(message('a', 1, 0, [[1, at(1)]]), 0);
    assert.deepEqual(merger.take(0), []);
    merger.add(message('b', 1, 0, [[1, at(2)]]), 0);
    assert.deepEqual(
      merger.take(0).map(({ text }) => text),
      [at(1)],
    );
  });
});
