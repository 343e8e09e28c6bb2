/** Sets parameters of the policies that a command loads (`--set`). */
import { UsageError, type Context } from './context.js';

/** A policy as text, with the name of its file for messages. */
export interface PolicyText {
  readonly yaml: string;
  readonly file: string;
}

/** Each setting is for all policies that have the parameter. `POLICY:NAME=…` is for one of them. Throws UsageError. */
export function setParameters(paths: readonly string[], settings: readonly string[], { api }: Context): PolicyText[] {
  const unused = new Set(settings);
  const texts = paths
    .flatMap((path) => api.expandPolicyPaths(path))
    .map((file) => {
      const yaml = api.loadPolicyFile(file);
      const names = new Set(api.listPolicyParameters(yaml).map(({ name }) => name));
      const own = settings.flatMap((setting) => {
        const [, policy, rest = setting] = /^([^:=]+):(.*)$/s.exec(setting) ?? [];
        const isOwn = (policy === undefined || isNamed(yaml, policy)) && names.has(/^[^=+]*/.exec(rest)?.[0] ?? '');
        if (isOwn) unused.delete(setting);
        return isOwn ? [rest] : [];
      });
      return { yaml: own.length === 0 ? yaml : api.setPolicyParameters(yaml, own, { file }), file };
    });
  const [first] = unused;
  if (first !== undefined)
    throw new UsageError(`--set ${first}: no policy has this parameter: see polytrace policies parameters`);
  return texts;
}

function isNamed(yaml: string, policy: string): boolean {
  return yaml.split('\n').some((line) => line.trim() === `name: ${policy}`);
}
