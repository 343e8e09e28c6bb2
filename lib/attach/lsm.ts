/** Attaches a hook to an LSM hook. */
import { hashesFiles } from '../compiled/compiled-hook.js';
import type { Attached, AttachRequest } from './request.js';
import { attachSingle, ifThere } from './single.js';

export function attachLsm(request: AttachRequest): Promise<Attached | undefined> {
  const { hook, kernel } = request;
  return ifThere(request, () =>
    attachSingle(request, {
      // The second program may sleep. It asks for the hash.
      attachment: { mechanism: 'lsm', target: hook.call, entry: true, return: hashesFiles(hook) },
      attach: 'lsm',
      name: hook.call,
      feature: 'lsm',
      prototype: kernel.function(`bpf_lsm_${hook.call}`),
    }),
  );
}
