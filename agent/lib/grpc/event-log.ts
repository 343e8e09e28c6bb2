/** Implements the service tetragon.EventLogService: how the file of exported events is rotated. */
import { status as Code } from '@grpc/grpc-js';
import { EventLogService } from 'polytrace/protocol';
import { SettingValueError } from '../config/setting-kinds.js';
import type { Caller, Journal } from '../policies/journal.js';
import { CallError } from './call-error.js';
import type { Call } from './caller.js';
import { roleCheck, type RoleRules } from './roles.js';
import { createService, type Service } from './service.js';

export interface EventLogParams {
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
        /** Throws SettingValueError, and has then changed nothing. */
        change(wanted: { [K in keyof EventLogParams]?: EventLogParams[K] | undefined }): readonly {
          readonly setting: string;
          readonly before: string;
          readonly after: string;
        }[];
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
        try {
          for (const change of requireFile().change({ maxSize, rotationInterval, maxBackups })) {
            const setting = { ...change, operation: 'setting_change', way: 'client', by: identify(call) } as const;
            journal.recordSetting('a client changed the rotation of the export', setting);
          }
          return {};
        } catch (error) {
          if (!(error instanceof SettingValueError)) throw error;
          throw new CallError(Code.INVALID_ARGUMENT, error.message);
        }
      },
    },
    roleCheck(roles),
  );
}
