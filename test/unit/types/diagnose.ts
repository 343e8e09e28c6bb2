/** Type-checks programs in memory. */
import { join } from 'node:path';
import ts from 'typescript';
import { ROOT } from '../../project.js';

/** Returns the path of a program. Its imports are relative to this folder. */
export function programPath(name: string): string {
  return join(ROOT, 'test/unit/types', `${name}.virtual.ts`);
}

/** Matches the mistake in a program, with its correction: `«wrong|right»`. */
export const MARK = /«([^|]*)\|([^»]*)»/;

/** Type-checks all sources together, so that the library's own types are read only once. */
export function diagnose(sources: ReadonlyMap<string, string>): Map<string, ts.Diagnostic[]> {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (path) => ts.sys.readFile(path)) as {
    config: { compilerOptions: object };
  };
  const { options } = ts.convertCompilerOptionsFromJson(
    { ...config.compilerOptions, types: [], skipLibCheck: true, noUnusedLocals: false },
    ROOT,
  );
  const host = ts.createCompilerHost(options);
  const getSourceFile = host.getSourceFile.bind(host);
  const fileExists = host.fileExists.bind(host);
  const readFile = host.readFile.bind(host);
  host.fileExists = (path) => sources.has(path) || fileExists(path);
  host.readFile = (path) => sources.get(path) ?? readFile(path);
  host.getSourceFile = (path, language) => {
    const text = sources.get(path);
    return text === undefined ? getSourceFile(path, language) : ts.createSourceFile(path, text, language);
  };
  const program = ts.createProgram([...sources.keys()], options, host);
  return new Map(
    [...sources.keys()].map((path) => {
      const file = program.getSourceFile(path);
      return [path, [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]];
    }),
  );
}

/** Formats the messages, one per line. */
export const formatMessages = (found: readonly ts.Diagnostic[]): string =>
  found.map((d) => ts.flattenDiagnosticMessageText(d.messageText, '\n')).join('\n');
