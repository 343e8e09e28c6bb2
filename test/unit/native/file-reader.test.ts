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
});
