/** Type-checks programs that are no files. */
import { join } from 'node:path';
import ts from 'typescript';
import { ROOT } from '../../project.js';

/** The path of a program. Its imports begin in this folder. */
export function programPath(name: string): string {
  return join(ROOT, 'test/unit/types', `${name}.virtual.ts`);
}

/** The mistake of a program and what is right: `«wrong|right»`. */
export const MARK = /«([^|]*)\|([^»]*)»/;

/** Type-checks all sources at once, so that the library's own types are read only once. */
export function diagnose(sources: ReadonlyMap<string, string>): Map<string, ts.Diagnostic[]> {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (path) => ts.sys.readFile(path)) as {
    config: { compilerOptions: object };
  };
  const { options } = ts.convertCompilerOptionsFromJson(
    { ...config.compilerOptions, types: [], skipLibCheck: true, noUnusedLocals: false },
    ROOT,
  );
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (path) => sources.has(path) || fileExists.call(host, path);
  host.readFile = (path) => sources.get(path) ?? readFile.call(host, path);
  host.getSourceFile = (path, language) => {
    const text = sources.get(path);
    return text === undefined ? getSourceFile.call(host, path, language) : ts.createSourceFile(path, text, language);
  };
  const program = ts.createProgram([...sources.keys()], options, host);
  return new Map(
    [...sources.keys()].map((path) => {
      const file = program.getSourceFile(path);
      return [path, [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]];
    }),
  );
}

/** The messages, one in a line. */
export const formatMessages = (found: readonly ts.Diagnostic[]): string =>
  found.map((d) => ts.flattenDiagnosticMessageText(d.messageText, '\n')).join('\n');
