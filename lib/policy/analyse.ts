/** Runs the stages before the compiler: from the text of a policy to a checked policy. */
import type { Diagnostic } from '../../types/errors.js';
import { checkPolicy } from './checks/policy.js';
import { hooksOf } from './model/hooks.js';
import { policyShape } from './language/policy.js';
import type { Hook, PolicyData } from './model/model.js';
import { spellKeys } from './parse/keys.js';
import { type Places } from './parse/places.js';
import { walk } from './parse/walk.js';
import { parseYaml } from './parse/yaml.js';

export interface Analysis {
  readonly file: string;
  readonly data: PolicyData;
  readonly hooks: readonly Hook[];
  readonly places: Places;
  /** Mistakes and warnings. Features that are not supported yet are not reported here: the compiler finds them. */
  readonly diagnostics: readonly Diagnostic[];
  readonly valid: boolean;
}

/** Never throws, for any text. */
export function analyse(text: string, file: string): Analysis {
  const { report, document } = parseYaml(text, file);
  let data: PolicyData = {};
  let hooks: readonly Hook[] = [];
  if (document?.contents) {
    spellKeys(document.contents, policyShape, report);
    data = (walk(document.contents, policyShape, report) ?? {}) as PolicyData;
    hooks = hooksOf(data, report);
    checkPolicy(data, hooks, report);
  }
  return { file, data, hooks, places: report.places, diagnostics: report.diagnostics(), valid: !report.hasErrors };
}
