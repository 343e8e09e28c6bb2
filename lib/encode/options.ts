/** Options for the process fields of events. They are the same for all clients. */
import type { JsonOptions } from '../../types/index.js';

/** The options mean the same as in the JSON export. A field that is off is not sent to any client. */
export interface EncodeOptions extends Pick<JsonOptions, 'ancestors' | 'processCred' | 'processNs' | 'redact'> {
  /** Name of the cluster in every event. */
  readonly clusterName?: string | undefined;
}
