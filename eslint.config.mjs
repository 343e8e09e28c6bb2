// Mistakes, not taste: prettier does the layout, tsc the types, dependency-cruiser the imports.
import tseslint from 'typescript-eslint';

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
      'agent/lib/streams/event-stream.ts',
    ],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'Durations and deadlines are measured with performance.now().' },
      ],
    },
  },
  // plain CommonJS: the install step and mocha's reporter run without a compiler
  { files: ['**/*.js', '**/*.cjs'], rules: { '@typescript-eslint/no-require-imports': 'off' } },
  // mocha's `this.timeout`, chains of assertions
  { files: ['test/**'], rules: { '@typescript-eslint/no-unused-expressions': 'off' } },
);
