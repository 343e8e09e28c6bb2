/** `getevents --record FILE`: everything that the tracer reports, in a file for `polytrace replay`. */
import { open, type FileHandle } from 'node:fs/promises';
import type { Recorder, TracerEvent } from '../../types/index.js';
import { OUTPUT_LOST, GOOD, UsageError, type Context } from './context.js';

/**
 * A recording in a file that only its owner may read. When the file cannot be written any more, the recording ends, and says
 * so: what follows would refer to lines that are not there.
 */
export class RecordingFile {
  readonly #recorder: Recorder;
  #failed = false;

  private constructor(
    private readonly path: string,
    private readonly file: FileHandle,
    private readonly say: (text: string) => void,
    { api }: Context,
  ) {
    this.#recorder = api.recorder();
  }

  static async create(path: string, context: Context, say: (text: string) => void): Promise<RecordingFile> {
    let file: FileHandle;
    try {
      file = await open(path, 'w', 0o600);
    } catch (error) {
      throw new UsageError(`cannot write ${path}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
    }
    const recording = new RecordingFile(path, file, say, context);
    await recording.#write(recording.#recorder.header);
    return recording;
  }

  async take(batch: readonly TracerEvent[]): Promise<void> {
    if (!this.#failed) await this.#write(batch.map((event) => this.#recorder.lines(event)).join(''));
  }

  /** Returns the exit status. */
  async close(): Promise<number> {
    await this.file.close();
    return this.#failed ? OUTPUT_LOST : GOOD;
  }

  async #write(text: string): Promise<void> {
    try {
      await this.file.appendFile(text);
    } catch (error) {
      this.#failed = true;
      this.say(`polytrace: the recording in ${this.path} ends here: ${(error as Error).message}`);
    }
  }
}
