/** Runs one task at a time. Tasks of clients run before those of the background. */

type Task = () => Promise<void>;

export class WorkQueue {
  readonly #urgent: Task[] = [];
  readonly #background: Task[] = [];
  #isRunning = false;

  /** A client waits for at most the task that runs now. */
  runUrgent<T>(task: () => Promise<T>): Promise<T> {
    return this.#run(this.#urgent, task);
  }

  runInBackground<T>(task: () => Promise<T>): Promise<T> {
    return this.#run(this.#background, task);
  }

  #run<T>(tasks: Task[], task: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      tasks.push(() => task().then(resolve, reject));
      if (!this.#isRunning) void this.#runAll();
    });
  }

  async #runAll(): Promise<void> {
    this.#isRunning = true;
    for (let task = this.#next(); task !== undefined; task = this.#next()) await task();
    this.#isRunning = false;
  }

  #next(): Task | undefined {
    return this.#urgent.shift() ?? this.#background.shift();
  }
}
