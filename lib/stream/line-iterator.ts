/** Iterates over lines instead of events. A record becomes a line without an event where nothing else needs one. */
import { ConsumerIterator, DONE, type Consumer } from './consumer.js';
import type { LineSink } from './line-sink.js';

/** Lines of about so many bytes are returned together, because a write costs as much as many lines. */
const LINES_BYTES = 192 * 1024;

export class LineIterator extends ConsumerIterator<Uint8Array> {
  constructor(
    consumer: Consumer,
    private readonly sink: LineSink,
  ) {
    super(consumer);
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const { consumer, sink } = this;
    // before the lines are made: another call would overwrite them
    if (consumer.yieldTimer.isDue) await consumer.yieldTimer.yieldToEventLoop();
    for (;;) {
      sink.start();
      while (sink.size < LINES_BYTES && consumer.addLines(sink));
      const value = sink.finish();
      if (value.length > 0) return { value, done: false };
      if (consumer.isEnded) return DONE;
      await consumer.waitForEvents();
    }
  }
}
