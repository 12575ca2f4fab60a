import { defineConfig } from 'vitest/config';

// CI asks for a machine-readable report besides the one for people.
const report = process.env['WAYBILL_TEST_REPORT'];

// The shebang of node_modules/.bin/vitest finds the system's Node; npm finds the one that comes with the project.
if (!process.features.typescript) throw new Error('this is Node ' + process.version + ': run the tests with npm test, e.g. npm test -- src/kernel');

export default defineConfig({
  test: {
    // Threads that share their modules: 0.8 s for 440 tests where a process for each file took 3.1 s. The price is a habit: a test leaves nothing behind.
    pool: 'threads',
    isolate: false,
    globalSetup: 'test/support/sweep.ts',
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: { name: 'fast', include: ['src/**/*.test.ts', 'test/**/*.test.ts'], exclude: ['test/crash/**', 'test/journeys/**'] },
      },
      {
        // Real processes, started and killed: minutes rather than seconds, and one file at a time, so that they do not starve each other.
        extends: true,
        test: { name: 'slow', include: ['test/{crash,journeys}/**/*.test.ts'], fileParallelism: false, testTimeout: 180_000, hookTimeout: 180_000 },
      },
    ],
  },
});
