/** Implements the service tetragon.EventLogService: how the file of exported events is rotated. */
import { status as Code } from '@grpc/grpc-js';
import { EventLogService } from 'polytrace/protocol';
import type { Caller, Journal } from '../policies/journal.js';
import { CallError } from './call-error.js';
import type { Call } from './caller.js';
import { roleCheck, type RoleRules } from './roles.js';
import { createService, type Service } from './service.js';

interface EventLogParams {
  /** In mebibytes. */
  readonly maxSize: number;
  readonly rotationInterval: string;
  readonly maxBackups: number;
}

export interface EventLogContext {
  /** The rotation of the file. Undefined if there is none. */
  readonly rotation:
    | {
        readonly params: EventLogParams;
        /** Returns the settings that have changed, or what is wrong with the wanted values. */
        change(wanted: {
          [K in keyof EventLogParams]?: EventLogParams[K] | undefined;
        }): readonly { readonly setting: string; readonly before: string; readonly after: string }[] | Error;
      }
    | undefined;
  readonly journal: Journal;
  readonly identify: (call: Call) => Caller;
}

export function eventLogService({ rotation, journal, identify }: EventLogContext, roles: RoleRules): Service {
  const requireFile = (): NonNullable<typeof rotation> => {
    if (rotation !== undefined) return rotation;
    throw new CallError(Code.FAILED_PRECONDITION, 'the agent exports to no file: set export-filename');
  };
  return createService(
    EventLogService,
    {
      getEventLogParams: () => requireFile().params,
      setEventLogParams: ({ maxSize, rotationInterval, maxBackups }, call) => {
        const changes = requireFile().change({ maxSize, rotationInterval, maxBackups });
        if (changes instanceof Error) throw new CallError(Code.INVALID_ARGUMENT, changes.message);
        for (const change of changes) {
          const setting = { ...change, operation: 'setting_change', way: 'client', by: identify(call) } as const;
          journal.recordSetting('a client changed the rotation of the export', setting);
        }
        return {};
      },
    },
    roleCheck(roles),
  );
}
