/** What the agent writes about processes, the same for all clients. */
import type { JsonOptions } from 'polytrace';

/** As in the JSON export. A field that is off is in no client's events. */
export interface EncodeOptions extends Pick<JsonOptions, 'ancestors' | 'processCred' | 'processNs' | 'redact'> {
  /** Name of the cluster in every event. */
  readonly clusterName?: string | undefined;
}
