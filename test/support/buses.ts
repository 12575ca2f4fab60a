/**
 * The buses messages may travel on, and what can be combined: a database with a bus. Cases of the kernel are shown on each:
 * `onEveryCombination((combination) => { … await openBench(combination) … })`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import { createTelemetry } from '../../src/kernel/telemetry.ts';
import type { World } from '../../src/kernel/world.ts';
import { embeddedTransport } from '../../src/messaging/embedded.ts';
import { rabbitTransport } from '../../src/messaging/rabbit.ts';
import type { Transport } from '../../src/messaging/transport.ts';
import { type TestDatabase, databases } from './databases.ts';
import { rabbitUrl, removeTopology, throwAwayPrefix } from './rabbit.ts';

const telemetry = createTelemetry({ level: process.env['WAYBILL_TEST_LOG'] ?? 'silent' });

export interface OpenBus {
  /** Started. */
  readonly transport: Transport;
  /** Stops it and removes all it kept. */
  drop(): Promise<void>;
}

interface TestBus {
  readonly name: 'embedded' | 'RabbitMQ';
  readonly there: boolean;
  open(world: World): Promise<OpenBus>;
}

export const embedded: TestBus = {
  name: 'embedded',
  there: true,
  async open(world) {
    const folder = await mkdtemp(join(tmpdir(), 'waybill-bus-'));
    const transport = embeddedTransport({ file: join(folder, 'bus.db'), world, telemetry });
    await transport.start();
    return {
      transport,
      async drop() {
        await transport.stop();
        await rm(folder, { recursive: true, force: true });
      },
    };
  },
};

const rabbit: TestBus = {
  name: 'RabbitMQ',
  there: rabbitUrl !== undefined,
  async open(world) {
    const prefix = throwAwayPrefix();
    const declared = new Set<string>();
    const transport = rabbitTransport({ broker: { url: rabbitUrl! }, prefix, world, telemetry });
    await transport.start();
    return {
      transport: {
        ...transport,
        declare(queues) {
          for (const { name } of queues) declared.add(name);
          return transport.declare(queues);
        },
      },
      async drop() {
        await transport.stop();
        await removeTopology(rabbitUrl!, prefix, declared);
      },
    };
  },
};

export interface Combination {
  readonly name: string;
  readonly database: TestDatabase;
  readonly bus: TestBus;
}

const NAMES = { sqlite: 'SQLite', postgres: 'PostgreSQL', pglite: 'PGlite', pgbouncer: 'PgBouncer' } as const;
const COMBINATIONS: readonly Combination[] = [embedded, rabbit].flatMap((bus) =>
  databases().map((database) => ({ name: `${NAMES[database.name]}, ${bus.name}`, database, bus })),
);

/** Declares the suites and tests of `tell` once for every combination; those without a broker are skipped, and rabbit.ts has said so. */
export function onEveryCombination(tell: (combination: Combination) => void): void {
  for (const combination of COMBINATIONS) describe.skipIf(!combination.bus.there)(`on ${combination.name}`, () => tell(combination));
}
