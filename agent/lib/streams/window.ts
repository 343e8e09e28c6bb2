/** In a window of time, messages with the same key become one, with their number. */

export interface WindowOptions<Message> {
  readonly windowMs: number;
  /** Most distinct messages, and most bytes of them and their keys, in a window. With more of them, it ends early. */
  readonly most: number;
  readonly mostBytes: () => number;
  /** Gets a message of a window that has ended, and the number of events that it stands for. */
  readonly send: (message: Message, events: number) => void;
  /** Called when a window has ended because its time is over. */
  readonly flush: () => void;
}

export class Window<Message extends { readonly length: number }> {
  readonly #options: WindowOptions<Message>;
  readonly #groups = new Map<string, { readonly message: Message; count: number }>();
  readonly #timer: NodeJS.Timeout;
  #bytes = 0;

  constructor(options: WindowOptions<Message>) {
    this.#options = options;
    this.#timer = setInterval(() => {
      this.#end();
      options.flush();
    }, options.windowMs);
  }

  /** Keeps the first message of a key. `message` is called for that one only. */
  add(key: string, message: () => Message): void {
    const group = this.#groups.get(key);
    if (group !== undefined) {
      group.count += 1;
      return;
    }
    const first = message();
    const bytes = key.length + first.length;
    const { most, mostBytes } = this.#options;
    if (this.#groups.size >= most || this.#bytes + bytes > mostBytes()) this.#end();
    this.#bytes += bytes;
    this.#groups.set(key, { message: first, count: 1 });
  }

  #end(): void {
    for (const { message, count } of this.#groups.values()) this.#options.send(message, count);
    this.#groups.clear();
    this.#bytes = 0;
  }

  /** Sends what the window has. */
  stop(): void {
    clearInterval(this.#timer);
    this.#end();
  }
}
