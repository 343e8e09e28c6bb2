/** Attaches a hook to a tracepoint, with its formatted fields or raw. */
import type { AttachResult, AttachRequest } from './request.js';
import { attachSingle, skipIfMissing } from './single.js';

const ENTRY_ONLY = { entry: true, return: false };

export function attachTracepoint(request: AttachRequest): Promise<AttachResult | undefined> {
  const { hook } = request;
  const { subsystem = '', event = '' } = hook.tracepoint ?? {};
  return skipIfMissing(request, () =>
    attachSingle(request, {
      attachment: { mechanism: 'tracepoint', target: event, group: subsystem, ...ENTRY_ONLY },
      attach: 'tracepoint',
      name: hook.call,
      feature: 'tracepoint',
    }),
  );
}

export function attachRawTracepoint(request: AttachRequest): Promise<AttachResult | undefined> {
  const { hook, kernel } = request;
  const { event = '' } = hook.tracepoint ?? {};
  return skipIfMissing(request, () =>
    attachSingle(request, {
      attachment: { mechanism: 'raw_tracepoint', target: event, ...ENTRY_ONLY },
      attach: 'raw_tracepoint',
      name: hook.call,
      feature: 'btf',
      prototype: kernel.rawTracepoint(event),
    }),
  );
}
