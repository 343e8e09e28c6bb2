/** Finds the LSM hook that a function of the LSM layer calls: `security_file_open` calls `file_open`. */
import type { FunctionInfo, KernelInfo, TypeInfo } from '../../types/kernel.js';

/** Functions whose LSM hook has another name. */
const OTHER_NAMES: Readonly<Record<string, string>> = { security_bprm_check: 'bprm_check_security' };

const PREFIX = 'security_';

/** Returns undefined if there is none, or if its parameters are not those of the function. */
export function findLsmHook(functionName: string, kernel: Pick<KernelInfo, 'function'>): string | undefined {
  if (!functionName.startsWith(PREFIX)) return undefined;
  const name = OTHER_NAMES[functionName] ?? functionName.slice(PREFIX.length);
  const [caller, hook] = [kernel.function(functionName), kernel.function(`bpf_lsm_${name}`)];
  return caller !== undefined && hook !== undefined && hasSameParameters(caller, hook) ? name : undefined;
}

function hasSameParameters(caller: FunctionInfo, hook: FunctionInfo): boolean {
  const types = ({ params }: FunctionInfo): string => params.map(({ type }) => describeType(type)).join();
  return types(caller) === types(hook);
}

function describeType(type: TypeInfo): string {
  const target = type.kind === 'pointer' ? type.target() : undefined;
  return target === undefined ? `${type.kind} ${type.name} ${type.size}` : `${describeType(target)} *`;
}
