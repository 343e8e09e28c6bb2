/** Finds the ways around filters on the process: ids of namespaces, names of programs, and processes of before. */
import type { BinaryFilter, SelectorData } from '../../model/model.js';
import { quote } from '../../parse/report.js';
import type { Finding, HookContext } from './context.js';

type ProcessFinding = Omit<Finding, 'selector'>;

export function findProcessWays({ selectors }: HookContext): Finding[] {
  return selectors.flatMap((selector, i) =>
    [...findNamespacePids(selector), ...binaryFilters(selector).flatMap(findBinaryWays)].map((found) => ({
      ...found,
      selector: i,
    })),
  );
}

function findNamespacePids({ matchPIDs = [] }: SelectorData): ProcessFinding[] {
  return matchPIDs.flatMap((filter): ProcessFinding[] => {
    // a pid namespace of an unprivileged process exempts nothing
    if (filter.isNamespacePID !== true || filter.operator === 'NotIn') return [];
    const way = 'in a pid namespace of its own (unshare -Upf), each process gets another id';
    const remedy = 'select containers with matchWorkloads or containerSelector, or the host with matchNamespaces';
    return [{ code: 'NAMESPACE_PID', exempts: false, way, remedy, at: filter }];
  });
}

const binaryFilters = (selector: SelectorData): BinaryFilter[] => [
  ...(selector.matchBinaries ?? []),
  ...(selector.matchParentBinaries ?? []),
];

/** Programs that run code which their arguments name. */
const INTERPRETER =
  /(^|\/)(ash|awk|bash|busybox|csh|dash|deno|env|expect|fish|gawk|java|ksh|ld-linux[^/]*|lua[\d.]*|make|mawk|node|nodejs|perl[\d.]*|php[\d.]*|pypy[\d.]*|python[\d.]*|R|ruby[\d.]*|sh|tclsh[\d.]*|vim?|wish|zsh)$/;
const SCRIPT = /\.(sh|bash|py|pl|rb|js|mjs|php|lua|awk)$/;

function findBinaryWays(filter: BinaryFilter): ProcessFinding[] {
  const { operator = 'In', values = [] } = filter;
  const exempts = operator.startsWith('Not');
  const interpreters = values.filter((value) => !operator.endsWith('Prefix') && INTERPRETER.test(value));
  const scripts = values.filter((value) => !operator.endsWith('Prefix') && SCRIPT.test(value));
  const findings: (ProcessFinding | false | undefined)[] = [
    exempts &&
      interpreters.length > 0 && {
        code: 'INTERPRETER',
        way: `${quote(interpreters[0])} runs code that its user chooses, and all of it is exempt`,
        remedy: 'exempt a compiled program, or only a service by its container or pid',
      },
    !exempts &&
      scripts.length > 0 && {
        code: 'INTERPRETER',
        way: `${quote(scripts[0])} is a script: its processes have the path of the interpreter, and do not match`,
        remedy: 'name the interpreter, or hook security_bprm_check, which sees the path of the script',
      },
    !exempts && {
      code: 'PROGRAM_COPY',
      way: 'a copy of the program has another path, and the dynamic loader (ld-linux) runs the program under its own',
      remedy: 'list the programs that are allowed (NotIn), and not those that are forbidden',
    },
    exempts && {
      code: 'PROGRAM_CODE',
      way: 'who may start the program can make it run other code, with LD_PRELOAD or ptrace',
      remedy: 'exempt only programs that other users cannot start, or that are set-user-id',
    },
    filter.followChildren === true && {
      code: 'LATE_POLICY',
      way: 'a process that is older than the policy counts as a child only if the parents between it and the program still run',
      remedy: 'load the policy at boot, before untrusted processes start',
    },
  ];
  return findings.flatMap((found) => (found ? [{ ...found, exempts, at: filter }] : []));
}
