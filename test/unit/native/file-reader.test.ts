/** The reader of files that traced processes choose, over a fake of the addon. */
import assert from 'node:assert/strict';
import { FileReader } from '../../../lib/native/file-reader.js';
import type { NativeBinding, NativeFileReader } from '../../../lib/native/binding.js';

/** Its calls end when `dropLate` is called. */
class SilentReader implements NativeFileReader {
  checks = 0;
  #drop: (value: null) => void = () => undefined;
  #wait = (): Promise<null> => new Promise((resolve) => (this.#drop = resolve));
  readPart = this.#wait;
  isLocalFile = this.#wait;
  findMappings = this.#wait;
  readProcess = this.#wait;
  readProcesses = this.#wait;
  openPath = this.#wait;
  openMapped = this.#wait;
  openInContainer = this.#wait;
  dropLate(): void {
    this.checks++;
    this.#drop(null);
  }
}

describe('the reader of files', () => {
  it('asks for late calls to be dropped, while there are calls', async () => {
    const native = new SilentReader();
    const reader = new FileReader({ FileReader: function FakeReader() { return native; } } as unknown as NativeBinding); // prettier-ignore
    for (const call of [
      () => reader.readPart('/a', 0, 1),
      () => reader.isLocalFile('/a'),
      () => reader.findMappings(1, [1n]),
      () => reader.readProcess(1, Buffer.from('/a'), true),
      () => reader.openPath('/a'),
      () => reader.openMapped(1, '/a', 8, 1),
      () => reader.openInContainer('/sys/fs/cgroup/a', '/a', '/bin/a'),
    ]) {
      assert.equal(await call(), undefined);
    }
    assert.equal(native.checks, 7);
  });

  it('reads on behind a process that does not answer', async () => {
    const asked: number[][] = [];
    const native = new SilentReader();
    const reader = new FileReader({
      FileReader: function FakeReader() {
        return Object.assign(native, {
          readProcesses: (threads: Uint32Array) => {
            asked.push([...threads]);
            // the third of five hangs; a batch can end early, too
            const count = asked.length === 2 ? 1 : Math.min(threads.length, 2);
            return Promise.resolve({
              bytes: Buffer.from('/a/b0'.repeat(count)),
              numbers: Uint32Array.from(Array.from({ length: count }, () => [2, 2, 1, 3]).flat()),
              isDropped: asked.length === 1,
            });
          },
        });
      },
    } as unknown as NativeBinding);
    const all = await reader.readProcesses(Uint32Array.of(1, 2, 3, 4, 5), new Uint8Array(5), true);
    assert.deepEqual(asked, [[1, 2, 3, 4, 5], [4, 5], [5]]);
    assert.deepEqual(all.map((texts) => texts?.executable.toString()), ['/a', '/a', undefined, '/a', '/a']); // prettier-ignore
    assert.deepEqual(all[4], {
      executable: Buffer.from('/a'),
      cwd: Buffer.from('/b'),
      commandLine: Buffer.from('0'),
      runsHostFile: true,
      hasHostRoot: true,
    });
  });

  it('knows nothing of the rest when no thread is left', async () => {
    const native = new SilentReader();
    const reader = new FileReader({ FileReader: function FakeReader() { return native; } } as unknown as NativeBinding); // prettier-ignore
    assert.deepEqual(await reader.readProcesses(Uint32Array.of(1), new Uint8Array(1), true), []);
  });

  it('short texts of a batch share its memory; of long ones, no process keeps those of the others', async () => {
    const memoryOf = async (length: number): Promise<number[]> => {
      const batch = {
        bytes: Buffer.alloc(2 * length, 'a'),
        numbers: Uint32Array.of(0, 0, length, 0, 0, 0, length, 0),
        isDropped: false,
      };
      const native = Object.assign(new SilentReader(), { readProcesses: () => Promise.resolve(batch) });
      const reader = new FileReader({ FileReader: function FakeReader() { return native; } } as unknown as NativeBinding); // prettier-ignore
      const all = await reader.readProcesses(Uint32Array.of(1, 2), new Uint8Array(2), true);
      return all.map((texts) => texts?.commandLine.buffer.byteLength ?? 0);
    };
    assert.deepEqual(await memoryOf(32 * 1024), [64 * 1024, 64 * 1024]);
    assert.deepEqual(await memoryOf(33 * 1024), [33 * 1024, 33 * 1024]);
  });
});
