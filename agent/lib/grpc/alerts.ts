/** Implements the service polytrace.AlertService: the last alerts, and who has acknowledged them. */
import { status as Code } from '@grpc/grpc-js';
import { AlertService, isSeverity, SEVERITIES, type Severity } from 'polytrace/protocol';
import type { Caller, Journal } from '../policies/journal.js';
import { CallError } from './call-error.js';
import type { Call } from './caller.js';
import { roleCheck, type RoleRules } from './roles.js';
import { createService, type Service } from './service.js';

interface ListedAlert {
  /** Its other members have the names of the message. */
  readonly alert: {
    readonly id: number;
    readonly count: number;
    readonly node: string;
    readonly detail: string;
  };
  readonly receivers: readonly string[];
  readonly acknowledged: { readonly by: string; readonly time: string } | undefined;
}

interface ListedReceiver {
  readonly name: string;
  readonly type: string;
  readonly sent: number;
  readonly lost: number;
  readonly failures: number;
  readonly isFailing: boolean;
  readonly reason: string;
  readonly waiting: number;
  readonly spooled: number;
}

export interface AlertsContext {
  readonly alerts: {
    readonly recent: {
      readonly total: number;
      list(query: {
        readonly minSeverity: Severity | undefined;
        readonly acknowledged: boolean;
        readonly limit: number;
      }): readonly ListedAlert[];
      findUnknown(ids: ReadonlySet<number>): number | undefined;
      acknowledge(ids: ReadonlySet<number> | undefined, by: string): number;
    };
    readonly stats: readonly ListedReceiver[];
  };
  readonly journal: Journal;
  readonly identify: (call: Call) => Caller;
}

const IDS_MAX = 1024;

export function alertService({ alerts, journal, identify }: AlertsContext, roles: RoleRules): Service {
  return createService(
    AlertService,
    {
      listAlerts: ({ minSeverity, acknowledged, limit }) => {
        if (minSeverity !== '' && !isSeverity(minSeverity)) {
          throw new CallError(Code.INVALID_ARGUMENT, `min_severity: one of ${SEVERITIES.join(', ')}`);
        }
        const query = { minSeverity: minSeverity === '' ? undefined : minSeverity, acknowledged, limit };
        return {
          alerts: alerts.recent.list(query).map(toMessage),
          total: BigInt(alerts.recent.total),
          receivers: alerts.stats.map(toReceiverMessage),
        };
      },
      acknowledgeAlerts: ({ ids, all }, call) => {
        if (all === ids.length > 0)
          throw new CallError(Code.INVALID_ARGUMENT, 'ids: give the numbers of alerts, or all');
        if (ids.length > IDS_MAX) throw new CallError(Code.INVALID_ARGUMENT, `ids: at most ${IDS_MAX}`);
        const wanted = all ? undefined : new Set(ids.map(Number));
        const unknown = wanted === undefined ? undefined : alerts.recent.findUnknown(wanted);
        if (unknown !== undefined) throw new CallError(Code.NOT_FOUND, `the agent keeps no alert ${unknown}`);
        const by = identify(call);
        const acknowledged = alerts.recent.acknowledge(wanted, describeCaller(by));
        const after = all ? 'all' : [...(wanted ?? [])].join(',');
        const change = {
          operation: 'setting_change',
          setting: 'acknowledged-alerts',
          after,
          way: 'client',
          by,
        } as const;
        if (acknowledged > 0) journal.recordSetting('a client acknowledged alerts', change);
        return { acknowledged };
      },
    },
    roleCheck(roles),
  );
}

function describeCaller({ address, certificate, uid, pid, binary }: Caller): string {
  if (certificate !== undefined) return certificate;
  if (uid === undefined) return address;
  return `uid ${uid}, pid ${pid ?? 0}${binary === undefined ? '' : ` (${binary})`}`;
}

function toMessage({ alert, receivers, acknowledged }: ListedAlert): object {
  return {
    ...alert,
    id: BigInt(alert.id),
    count: BigInt(alert.count),
    nodeName: alert.node,
    event: alert.detail,
    receivers: [...receivers],
    acknowledgedBy: acknowledged?.by ?? '',
    acknowledgedTime: acknowledged?.time ?? '',
  };
}

function toReceiverMessage(state: ListedReceiver): object {
  const { name, type, sent, lost, failures, isFailing, reason, waiting, spooled } = state;
  const counts = { sent: BigInt(sent), lost: BigInt(lost), failures: BigInt(failures) };
  return {
    name,
    type,
    ...counts,
    failing: isFailing,
    reason,
    waitingBytes: BigInt(waiting),
    spooledBytes: BigInt(spooled),
  };
}
