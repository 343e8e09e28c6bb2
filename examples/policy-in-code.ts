/**
 * A policy in TypeScript. An operator that does not fit its argument, or an incomplete action, does not compile. The
 * example prints an explanation and loads no policy, so it needs no root and no Linux. npx tsx
 * examples/policy-in-code.ts
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
