import { defineConfig } from 'vitest/config';

// CI asks for a machine-readable report besides the one for people.
const report = process.env['WAYBILL_TEST_REPORT'];

// The shebang of node_modules/.bin/vitest finds the system's Node; npm finds the one that comes with the project.
if (!process.features.typescript) throw new Error('this is Node ' + process.version + ': run the tests with npm test, e.g. npm test -- src/kernel');

/** Real processes, started and ended. */
const minutes = { testTimeout: 180_000, hookTimeout: 180_000 };

export default defineConfig({
  test: {
    // Threads that share their modules: 0.8 s for 440 tests where a process for each file took 3.1 s. The price is a habit: a test leaves nothing behind.
    pool: 'threads',
    isolate: false,
    maxWorkers: 2, // half of what the tests do is waiting, and on two cores the default is one
    globalSetup: 'test/support/sweep.ts',
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    // One after another. Journeys wait most of their time, and share the cores; those that are killed and starved have the machine to themselves.
    projects: [
      {
        extends: true,
        test: {
          name: 'fast',
          include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: ['test/crash/**', 'test/journeys/**'],
          sequence: { groupOrder: 0 },
        },
      },
      { extends: true, test: { name: 'journeys', include: ['test/journeys/**/*.test.ts'], ...minutes, sequence: { groupOrder: 1 } } },
      {
        extends: true,
        test: { name: 'crash', include: ['test/crash/**/*.test.ts'], fileParallelism: false, ...minutes, sequence: { groupOrder: 2 } },
      },
    ],
  },
});
