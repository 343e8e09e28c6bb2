/** `getevents --record FILE`: writes the events of a tracer to a file for `polytrace replay`. */
import { open, type FileHandle } from 'node:fs/promises';
import type { Recorder, TracerEvent } from '../../types/index.js';
import { cannotWrite, OUTPUT_LOST, SUCCESS, type Context } from './context.js';

/**
 * A recording in a file that only its owner may read. The recording ends with a message when a write fails, because
 * later lines would refer to lines that are missing.
 */
export class RecordingFile {
  readonly #recorder: Recorder;
  #failed = false;

  private constructor(
    private readonly path: string,
    private readonly file: FileHandle,
    private readonly report: (text: string) => void,
    { api }: Context,
  ) {
    this.#recorder = api.recorder();
  }

  /** `name` is what messages call the file. */
  static async create(
    path: string,
    context: Context,
    report: (text: string) => void,
    name = path,
  ): Promise<RecordingFile> {
    let file: FileHandle;
    try {
      file = await open(path, 'w', 0o600);
    } catch (error) {
      throw cannotWrite(name, error);
    }
    const recording = new RecordingFile(name, file, report, context);
    await recording.#append(recording.#recorder.header);
    return recording;
  }

  async write(batch: readonly TracerEvent[]): Promise<void> {
    if (!this.#failed) await this.#append(batch.map((event) => this.#recorder.lines(event)).join(''));
  }

  /** Returns the exit status. */
  async close(): Promise<number> {
    await this.file.close();
    return this.#failed ? OUTPUT_LOST : SUCCESS;
  }

  async #append(text: string): Promise<void> {
    try {
      await this.file.appendFile(text);
    } catch (error) {
      this.#failed = true;
      this.report(`the recording in ${this.path} ends here: ${(error as Error).message}`);
    }
  }
}
