/** Attaches a hook to an LSM hook. */
import { hasFileHash } from '../compiled/compiled-hook.js';
import type { AttachResult, AttachRequest } from './request.js';
import { attachSingle, skipIfMissing } from './single.js';

export function attachLsm(request: AttachRequest): Promise<AttachResult | undefined> {
  const { hook, kernel } = request;
  return skipIfMissing(request, () =>
    attachSingle(request, {
      // the second program may sleep, so it can read the hash
      attachment: { mechanism: 'lsm', target: hook.call, entry: true, return: hasFileHash(hook) },
      attach: 'lsm',
      name: hook.call,
      feature: 'lsm',
      prototype: kernel.function(`bpf_lsm_${hook.call}`),
    }),
  );
}
