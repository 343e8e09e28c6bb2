/**
 * Checks the imports of the .mjs, .cjs and .js files, which the TypeScript compiler does not check: each name that a file
 * imports is an export of the other file. A declaration file beside such a file declares nothing that it does not export.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import ts from 'typescript';

const OPTIONS: ts.CompilerOptions = {
  allowJs: true,
  checkJs: true,
  noEmit: true,
  skipLibCheck: true,
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.Node16,
  moduleResolution: ts.ModuleResolutionKind.Node16,
  noUncheckedSideEffectImports: true,
  types: ['node'],
};

/** Errors about names and modules that do not exist. Other errors need types, which these files do not have. */
const CODES: ReadonlySet<number> = new Set([
  1192, // Module has no default export.
  2304, // Cannot find name.
  2305, // Module has no exported member.
  2306, // File is not a module.
  2307, // Cannot find module.
  2459, // Module declares the name locally, but it is not exported.
  2552, // Cannot find name. Did you mean another one?
  2613, // Module has no default export. Did you mean a named one?
  2614, // Module has no exported member. Did you mean the default export?
  2724, // Module has no exported member. Did you mean another one?
]);
/** Property does not exist on the type. It is reported if the type is a module. */
const NO_PROPERTY = [2339, 2551];

/** Returns a line for each import and each declaration without its export. `files` are absolute paths. */
export function findModuleMistakes(files: readonly string[]): string[] {
  const host = ts.createCompilerHost(OPTIONS);
  const fileExists = host.fileExists.bind(host);
  // a declaration file hides the file that it describes
  const isHidden = (path: string): boolean => describedFile(path) !== undefined;
  host.fileExists = (path) => !isHidden(path) && fileExists(path);
  const program = ts.createProgram(files, OPTIONS, host);
  const mistakes = files
    .flatMap((file) => program.getSemanticDiagnostics(program.getSourceFile(file)))
    .filter(isModuleMistake)
    .map(formatDiagnostic);
  return [...mistakes, ...files.flatMap((file) => findWrongDeclarations(file, program))];
}

/** Returns the file that a declaration file describes, or undefined for another file. */
function describedFile(path: string): string | undefined {
  const match = /^(.*)\.d\.([mc])ts$/.exec(path);
  if (match === null || path.includes('/node_modules/')) return undefined;
  const file = `${match[1]}.${match[2]}js`;
  return existsSync(file) ? file : undefined;
}

function isModuleMistake({ code, messageText }: ts.Diagnostic): boolean {
  if (CODES.has(code)) return true;
  return NO_PROPERTY.includes(code) && ts.flattenDiagnosticMessageText(messageText, ' ').includes("'typeof import(");
}

function formatDiagnostic({ file, start = 0, messageText }: ts.Diagnostic): string {
  const text = ts.flattenDiagnosticMessageText(messageText, ' ');
  if (file === undefined) return text;
  return `${relative('.', file.fileName)}:${file.getLineAndCharacterOfPosition(start).line + 1}: ${text}`;
}

function findWrongDeclarations(file: string, program: ts.Program): string[] {
  const declaration = file.replace(/\.([mc])js$/, '.d.$1ts');
  if (declaration === file || !existsSync(declaration)) return [];
  const exported = exportNames(program, file);
  const declared = exportNames(ts.createProgram([declaration], { ...OPTIONS, noResolve: true }), declaration);
  return [...declared]
    .filter((name) => !exported.has(name))
    .map((name) => `${relative('.', declaration)}: ${relative('.', file)} does not export '${name}'.`);
}

/** The names of the values that a module exports. */
function exportNames(program: ts.Program, file: string): ReadonlySet<string> {
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(file);
  const module = source === undefined ? undefined : checker.getSymbolAtLocation(source);
  const symbols = module === undefined ? [] : checker.getExportsOfModule(module);
  return new Set(symbols.filter(({ flags }) => (flags & ts.SymbolFlags.Value) !== 0).map(({ name }) => name));
}

function listFiles(root: string): string[] {
  const patterns = ['*.mjs', '*.cjs', '*.js', ':!test/fuzz/corpus'];
  const list = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '--deduplicate', '--', ...patterns], {
    cwd: root,
    encoding: 'utf8',
  });
  return list
    .split('\n')
    .filter((name) => name !== '')
    .map((name) => join(root, name))
    .filter((file) => existsSync(file));
}

if (require.main === module) {
  const mistakes = findModuleMistakes(listFiles(resolve(__dirname, '..')));
  for (const mistake of mistakes) console.error(mistake);
  if (mistakes.length > 0) process.exitCode = 1;
}
