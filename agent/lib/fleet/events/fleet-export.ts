/**
 * Exports events to the fleet: each line is written to the spool, published, and removed when the stream has stored it.
 * Losses are counted, and reported in the stream.
 */
import { Delivery, type DeliveryStats, type LossReason } from '../../delivery/delivery.js';
import type { Log } from '../../log/log.js';
import type { FleetConnection } from '../connection.js';
import { countLineEvents, countLineLosses, countNumbers, lineLossReason, Topics } from './numbered-line.js';
import type { Numbering } from './numbering.js';
import { NumberedSpool } from './numbered-spool.js';
import { FleetSender } from './sender.js';

export interface FleetExportOptions {
  readonly connection: FleetConnection;
  readonly cluster: string;
  readonly node: string;
  /** Folder of the spool, and its most bytes. */
  readonly folder: string;
  readonly maxBytes: number;
  /** Most bytes in memory. */
  readonly queueBytes: number;
  /** Returns the line that reports lost events. */
  readonly formatLoss: (count: number, reason: LossReason) => string;
  readonly log: Log;
}

export interface FleetExportStats extends DeliveryStats {
  readonly lostByReason: ReadonlyMap<LossReason, number>;
}

const WORDS = { receiver: 'the fleet', lines: 'events' };
/** A batch. Larger ones need fewer files and fewer messages. */
const CHUNK_LINES = 2048;

export class FleetExport {
  readonly #delivery: Delivery;
  readonly #numbering: Numbering;
  readonly #topics = new Topics();
  readonly #stopListening: () => void;
  readonly #connection: FleetConnection;

  private constructor(options: FleetExportOptions, spool: NumberedSpool) {
    const { connection, cluster, node, queueBytes, formatLoss, log } = options;
    this.#connection = connection;
    this.#numbering = spool.numbering;
    const lostTopic = this.#topics.find('lost', '');
    this.#delivery = new Delivery({
      sender: new FleetSender({ connection, cluster, node }),
      spool,
      spoolFirst: true,
      maxBytes: queueBytes,
      countEvents: countLineEvents,
      reportedLoss: countLineLosses,
      lossReason: lineLossReason,
      formatLoss: (count, reason = 'queue_full') => `${lostTopic} ${formatLoss(count, reason)}`,
      onSpooledLoss: (events) => this.#numbering.addMade(events),
      log,
      words: WORDS,
      chunkLines: CHUNK_LINES,
    });
    this.#stopListening = connection.listen((state) => {
      if (state === 'connected') this.#delivery.retry();
    });
  }

  /** Rejects if the folder cannot be used. */
  static async open(options: FleetExportOptions): Promise<FleetExport> {
    return new FleetExport(options, await NumberedSpool.open(options.folder, options.maxBytes, options.log));
  }

  get stats(): FleetExportStats {
    return { ...this.#delivery.stats, lostByReason: this.#delivery.lostByReason };
  }

  /** The connection, which the other parts of a fleet share. */
  get connection(): FleetConnection {
    return this.#connection;
  }

  add(line: string, _isLoss: boolean, source: { readonly type: string; readonly policyName?: string }): void {
    this.#numbering.addMade(countNumbers(line));
    this.#delivery.add(`${this.#topics.find(source.type, source.policyName ?? '')} ${line}`);
  }

  /** Called after the lines of a batch were added. */
  flush(): void {
    this.#numbering.write();
    this.#delivery.flush();
  }

  /** Publishes the remaining events for at most `waitMs`. The rest stays on the disk. */
  async close(waitMs: number): Promise<void> {
    this.#stopListening();
    await this.#delivery.close(waitMs);
    this.#numbering.close();
  }
}
