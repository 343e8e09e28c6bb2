/** Combines messages with the same key within a time window into one message with a count. */

export interface WindowOptions<Message> {
  readonly windowMs: number;
  /**
   * Maximum of distinct messages in a window, and of the bytes of messages and keys. Above it, the window ends early.
   */
  readonly maxMessages: number;
  readonly maxBytes: () => number;
  /** Receives a message of a window that has ended, and the number of events that it stands for. */
  readonly send: (message: Message, events: number) => void;
  /** Called when a window has ended by time. */
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

  /** Keeps the first message of a key. `message` is called only for that one. */
  add(key: string, message: () => Message): void {
    const group = this.#groups.get(key);
    if (group !== undefined) {
      group.count += 1;
      return;
    }
    const first = message();
    const bytes = key.length + first.length;
    const { maxMessages, maxBytes } = this.#options;
    if (this.#groups.size >= maxMessages || this.#bytes + bytes > maxBytes()) this.#end();
    this.#bytes += bytes;
    this.#groups.set(key, { message: first, count: 1 });
  }

  #end(): void {
    for (const { message, count } of this.#groups.values()) this.#options.send(message, count);
    this.#groups.clear();
    this.#bytes = 0;
  }

  /** Sends the messages of the current window. */
  stop(): void {
    clearInterval(this.#timer);
    this.#end();
  }
}
