// Mistakes, not taste: prettier does the layout, tsc the types, dependency-cruiser the imports.
import tseslint from 'typescript-eslint';

/** Rules that need types. They find what the compiler does not report. */
const TYPED_RULES = {
  // A switch over a union names every member, also where it has a `default`: a new member must not fall into it.
  '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: false }],
  '@typescript-eslint/await-thenable': 'error',
  '@typescript-eslint/no-array-delete': 'error',
  '@typescript-eslint/no-base-to-string': 'error',
  '@typescript-eslint/no-duplicate-type-constituents': 'error',
  '@typescript-eslint/no-floating-promises': 'error',
  '@typescript-eslint/no-for-in-array': 'error',
  '@typescript-eslint/no-implied-eval': 'error',
  '@typescript-eslint/no-misused-promises': 'error',
  '@typescript-eslint/no-redundant-type-constituents': 'error',
  '@typescript-eslint/no-unnecessary-type-assertion': 'error',
  '@typescript-eslint/no-unsafe-argument': 'error',
  '@typescript-eslint/no-unsafe-assignment': 'error',
  '@typescript-eslint/no-unsafe-call': 'error',
  '@typescript-eslint/no-unsafe-enum-comparison': 'error',
  '@typescript-eslint/no-unsafe-member-access': 'error',
  '@typescript-eslint/no-unsafe-return': 'error',
  '@typescript-eslint/no-unsafe-unary-minus': 'error',
  '@typescript-eslint/only-throw-error': 'error',
  '@typescript-eslint/prefer-promise-reject-errors': 'error',
  '@typescript-eslint/require-await': 'error',
  '@typescript-eslint/restrict-plus-operands': 'error',
  '@typescript-eslint/restrict-template-expressions': 'error',
  '@typescript-eslint/return-await': 'error',
  '@typescript-eslint/unbound-method': 'error',
};

/**
 * Files that may use node:fs. Each of them opens only what is named here. No traced process can choose it: root's own
 * files, kernel file systems that answer from memory, or what the user of the command line names.
 */
const SYNCHRONOUS_FILES = [
  'lib/cli/**', // files that the user of the command names
  'agent/lib/**', // the agent's own files: settings, certificates, its sockets, folders of policies
  'lib/native/{attachable,binding,btf,limits,preemption,preflight}.ts', // /sys, tracefs, /proc/self, the package
  'lib/learn/recordings.ts', // the recordings that the caller names
  'lib/library/{install,installed,keys}.ts', // the folder of the library, and files that the user of the command names
  'lib/read-up-to.ts', // policies that the caller names, and archives that the user of the command names
  'lib/attach/negative-cache.ts', // /sys/devices/system/cpu
  'lib/containers/cgroups.ts', // cgroupfs
  'lib/containers/sources/{cgroups,connection}.ts', // cgroupfs, and the sockets of container runtimes
  'lib/grpc/client.ts', // certificates that the caller names
  'lib/events/kernel-symbols.ts', // /proc/kallsyms, which the kernel answers from its own memory
  'lib/elf-files/host-files.ts', // validatePolicy(), which is synchronous: the caller asks for these files
  'lib/process/{host-namespaces,proc-files,procfs}.ts', // links and files of /proc that never wait for a process
  'lib/process/users.ts', // the host's /etc/passwd
  'lib/recording/**', // recordings that the caller names
  'lib/report/**', // the page of the package, and reports that the user of the command names
  'lib/run/{cgroup,enforce,output-files,programs,run}.ts', // cgroupfs, /proc, and files that the caller names
  'lib/tracer/{persistence,policy-files}.ts', // bpffs, and policies that the caller names
];

export default tseslint.config(
  { ignores: ['**/*.gen.ts', '.cache', 'build', 'coverage', '**/dist', 'node_modules', 'prebuilds'] },
  ...tseslint.configs.recommended,
  {
    rules: {
      eqeqeq: 'error',
      'no-console': 'off',
      'no-var': 'error',
      'prefer-const': 'error',
      '@typescript-eslint/consistent-type-imports': [
        'error',
        { fixStyle: 'inline-type-imports', disallowTypeAnnotations: false },
      ],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrors: 'none' },
      ],
    },
  },
  {
    files: ['{lib,agent,types,test,bench,examples,scripts}/**/*.{ts,mts}'],
    languageOptions: {
      parserOptions: {
        project: ['tsconfig.json', 'agent/page/tsconfig.json', 'agent/test/browser/tsconfig.json'],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: TYPED_RULES,
  },
  // the way of each event
  {
    files: ['lib/{wire/decode,events,stream,process,output}/**/*.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: 'ObjectExpression[properties.length>1] > SpreadElement:first-child',
          message:
            'On Node.js 20, each property after a spread that begins a literal costs about 700 ns: name all members, or add rare ones afterwards.',
        },
      ],
    },
  },
  // somebody may set the time of day: only what shows it to people or puts it into events asks for it
  {
    files: ['lib/**', 'agent/lib/**'],
    ignores: [
      'lib/containers/container-names.ts',
      'lib/process/clock.ts',
      'agent/lib/client/client.ts',
      'agent/lib/export/{export,file-sink}.ts',
      'agent/lib/main/agent.ts',
      'agent/lib/otlp/record.ts',
      'agent/lib/streams/{change,event-stream}.ts',
    ],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'Durations and deadlines are measured with performance.now().' },
      ],
    },
  },
  // A traced process chooses paths, file systems and mappings: a synchronous call that touches them can block forever.
  {
    files: ['lib/**/*.ts', 'agent/lib/**/*.ts'],
    ignores: SYNCHRONOUS_FILES,
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '^(node:)?fs$',
              importNamePattern: '^(?!(closeSync|constants)$)',
              allowTypeImports: true,
              message:
                'A file system that does not answer blocks the event loop, or a thread of the pool, forever: use lib/native/file-reader.ts, or add the file and the reason to SYNCHRONOUS_FILES.',
            },
            {
              regex: '^(node:)?fs/promises$',
              message: 'Four calls that do not return block all files of the embedding process: see SYNCHRONOUS_FILES.',
            },
          ],
        },
      ],
    },
  },
  // plain CommonJS: the install step and mocha's reporter run without a compiler
  { files: ['**/*.js', '**/*.cjs'], rules: { '@typescript-eslint/no-require-imports': 'off' } },
  // mocha's `this.timeout`, chains of assertions
  { files: ['test/**'], rules: { '@typescript-eslint/no-unused-expressions': 'off' } },
);
