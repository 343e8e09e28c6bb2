/** Mistakes in the YAML and the structure of a policy, each with its code and position. */
import { checkMarked, policyYaml } from './marked-policies.js';
import { STRUCTURE } from './structure-cases.js';

describe('policy: mistakes of YAML and structure', () => {
  for (const [name, text] of STRUCTURE) it(name, () => checkMarked(text));

  it('reports several mistakes of one policy', () => {
    checkMarked(
      policyYaml(`
        kprobes:
        - call: fd_install
          syscall: ⟦WRONG_TYPE⟧"no"
          args:
          - index: 0
            type: ⟦UNKNOWN_VALUE⟧integer
          - index: ⟦NUMBER_OUT_OF_RANGE⟧-4
            type: string
          ⟦UNKNOWN_FIELD⟧selector: []`),
    );
  });
});
