/**
 * A policy written in TypeScript: an operator that does not fit its argument, or an action without what it needs, does not compile.
 * Prints what the policy does; loads nothing, so it needs no root and no Linux. npx tsx examples/policy-in-code.ts
 */
import { definePolicy, explainPolicy, formatExplanation } from 'polytrace';

const MAY_WRITE = 2;

const policy = definePolicy({
  metadata: { name: 'writes-below-etc' },
  spec: {
    kprobes: [
      {
        call: 'security_file_permission',
        syscall: false,
        message: 'A configuration file was written',
        args: [
          { index: 0, type: 'file' },
          { index: 1, type: 'int' },
        ],
        selectors: [
          {
            matchArgs: [
              { index: 0, operator: 'Prefix', values: ['/etc/'] },
              { index: 1, operator: 'Equal', values: [MAY_WRITE] },
            ],
            matchBinaries: [{ operator: 'NotIn', values: ['/usr/bin/dpkg', '/usr/bin/apt-get'] }],
          },
        ],
      },
    ],
  },
});

process.stdout.write(formatExplanation(explainPolicy(policy)));
