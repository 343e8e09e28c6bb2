/** Opens the export of events to a fleet, and its connection. */
import type { Configuration } from '../config/load.js';
import type { AgentOptions } from '../config/settings.js';
import { createLossEvent } from '../export/export.js';
import type { ExportFormat } from '../export/format.js';
import { FleetConnection, isUnencrypted, type FleetSettings } from '../fleet/connection.js';
import { FleetExport } from '../fleet/events/fleet-export.js';
import { agentInbox, DEFAULT_CLUSTER } from '../fleet/names.js';
import type { Log } from '../log/log.js';
import { openForSetting } from './open-for-setting.js';

const MEBIBYTE = 1024 * 1024;

/** Rejects with ConfigError. */
export async function openFleetExport(
  { options, sources }: Configuration,
  { formatLine }: ExportFormat,
  { log, nodeName: node }: { readonly log: Log; readonly nodeName: string },
): Promise<FleetExport> {
  const { fleetSpoolDir: folder, fleetSpoolMaxSizeMb, eventQueueBytes: queueBytes } = options;
  const cluster = options.clusterName ?? DEFAULT_CLUSTER;
  const settings = fleetSettings(options, cluster, node);
  const key = options.fleetCredentials === undefined ? 'fleet' : 'fleetCredentials';
  const connection = await openForSetting(key, sources, () =>
    Promise.resolve().then(() => FleetConnection.open(settings)),
  );
  if (isUnencrypted(settings)) log.warn({ fleet: options.fleet }, 'events travel without encryption: use tls://');
  logStates(connection, log);
  try {
    return await openForSetting('fleetSpoolDir', sources, () =>
      FleetExport.open({
        connection,
        cluster,
        node,
        folder,
        maxBytes: fleetSpoolMaxSizeMb * MEBIBYTE,
        queueBytes,
        formatLoss: (count, reason) => formatLine(createLossEvent(count, node, 'fleet', reason)),
        log,
      }),
    );
  } catch (error) {
    await connection.close();
    throw error;
  }
}

function fleetSettings(options: AgentOptions, cluster: string, node: string): FleetSettings {
  const { fleet: servers, fleetCredentials: credentials, fleetCa: ca, fleetCert: cert, fleetKey: key } = options;
  const inboxPrefix = agentInbox(cluster, node);
  return { servers, credentials, ca, cert, key, name: `polytrace agent ${node}`, inboxPrefix };
}

/** Each state and each reason is logged once. */
function logStates(connection: FleetConnection, log: Log): void {
  let last = '';
  connection.listen((state, error) => {
    const text = `${state} ${error?.code ?? ''} ${error?.message ?? ''}`;
    if (text === last || state === 'closed') return;
    last = text;
    if (error === undefined) log.info({ server: connection.current?.getServer() }, 'connected to the fleet');
    else log.warn({ code: error.code, reason: error.message, hint: error.hint }, 'the fleet does not answer');
  });
}
