/** `polytrace trace capable`: capabilities that the kernel checks. */
import { fieldColumn, WHO } from './columns.js';
import { formatPolicy, selectors } from './policy-text.js';
import { findValue, formatResult, numberValue, returnNumber } from './values.js';
import { isHookEvent, makeRow, type TracerDefinition } from './tracer.js';

/** CAP_OPT_NOAUDIT of linux/security.h: the caller only wants to know, and its denial is no error. */
const NO_AUDIT = 2n;

export const capableTracer: TracerDefinition = {
  name: 'capable',
  summary: 'capabilities that the kernel checks, and whether the process has them',
  takes: { failed: 'only capabilities that the process does not have', all: 'also checks that nobody audits' },
  needs: 'kprobes (CONFIG_KPROBE_EVENTS)',
  policies: (options) => [
    formatPolicy(
      options.policyName,
      [
        options.all === true
          ? 'Every check of a capability.'
          : 'Checks of capabilities, without those that nobody audits.',
      ],
      {
        kprobes: [
          {
            call: 'cap_capable',
            syscall: false,
            args: [
              { index: 2, type: 'capability', label: 'capability' },
              { index: 3, type: 'uint32', label: 'options' },
              { index: 1, type: 'user_namespace', label: 'namespace' },
            ],
            return: true,
            returnArg: { index: 0, type: 'int' },
            selectors: selectors(options, {
              ...(options.all === true ? {} : { matchCEL: { expr: `options & ${NO_AUDIT}u == 0u` } }),
              ...(options.failed === true && {
                matchReturnArgs: [{ index: 0, operator: 'LessThan', values: ['0'] }],
              }),
            }),
          },
        ],
      },
    ),
  ],
  columns: ({ all }) => [
    ...WHO,
    fieldColumn('RESULT', 7, 'result'),
    ...(all === true ? [fieldColumn('AUDIT', 5, 'audit')] : []),
    fieldColumn('USERNS', 10, 'userNamespace', { wide: true }),
    fieldColumn('CAPABILITY', 22, 'capability'),
  ],
  createCollector: () => ({
    forgotten: 0,
    take(event) {
      if (!isHookEvent(event)) return [];
      const capability = findValue(event, 'capability');
      const namespace = findValue(event, 'namespace');
      if (capability?.type !== 'capability') return [];
      const result = returnNumber(event) ?? 0n;
      return [
        makeRow(event, {
          capability: capability.name ?? `capability ${capability.value}`,
          result: result === 0n ? 'yes' : formatResult(result),
          audit: (numberValue(event, 'options') & NO_AUDIT) === 0n ? 'yes' : 'no',
          ...(namespace?.type === 'user_namespace' && { userNamespace: namespace.inode }),
        }),
      ];
    },
  }),
};
