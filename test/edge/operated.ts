/** The doors of operations over two services, orders and payments, without a program around them. */
import type { Database } from '../../src/db/database.ts';
import { openSqlite } from '../../src/db/sqlite.ts';
import { openEdge } from '../../src/edge/http.ts';
import type { Operated } from '../../src/edge/operated.ts';
import { operationRoutes } from '../../src/edge/operations.ts';
import { Fault } from '../../src/kernel/errors.ts';
import { type Runnable, startAll, stopAll } from '../../src/kernel/lifecycle.ts';
import { createTelemetry } from '../../src/kernel/telemetry.ts';
import type { Message } from '../../src/contracts/envelope.ts';
import { bury } from '../../src/messaging/dead-letters.ts';
import { openJobRunner } from '../../src/messaging/job-runner.ts';
import { messageOf, openTestMailbox } from '../support/mailbox.ts';
import { type TestWorld, testWorld } from '../support/world.ts';

export interface Doors {
  readonly world: TestWorld;
  readonly services: readonly Operated[];
  /** What the units of a service have said. */
  said(service: string): readonly Message[];
  /** Gives up another payment.authorize of the service. */
  bury(service: string, subject: string, error?: string): Promise<void>;
  get<Body>(path: string): Promise<Body>;
  post<Body>(path: string, body?: object, headers?: Record<string, string>): Promise<{ status: number; body: Body }>;
  close(): Promise<void>;
}

/** Milliseconds. */
export const GAP_LIMIT = 600_000;
const telemetry = createTelemetry({ level: 'silent' });

/** `jobs`: jobs over dead letters are worked on. */
export async function openDoors({ jobs = false }: { jobs?: boolean } = {}): Promise<Doors> {
  const world = testWorld();
  const databases: Database[] = [];
  const services: Operated[] = [];
  const said = new Map<string, readonly Message[]>();
  for (const service of ['orders', 'payments']) {
    const db = openSqlite({ name: service, file: ':memory:' });
    databases.push(db);
    const migrations = new URL(`../../src/${service}/migrations/`, import.meta.url);
    const { mailbox, said: mine } = await openTestMailbox(db, { service, migrations, world });
    said.set(service, mine);
    const control = { state: () => Promise.reject(new Error('not asked')), pause: async () => undefined, resume: async () => undefined };
    services.push({ service, mailbox, control });
  }
  const edge = openEdge({
    world,
    telemetry,
    host: '127.0.0.1',
    port: 0,
    routes: operationRoutes(services, { gapLimit: GAP_LIMIT }),
    doors: [],
    localOnly: true,
    checkAnswers: true,
  });
  const runners: Runnable[] = jobs ? services.map(({ mailbox }) => openJobRunner({ ...mailbox, world: { ...world, sleep: pause } }, telemetry)) : [];
  await startAll([edge, ...runners]);
  return {
    world,
    services,
    said: (service) => said.get(service)!,
    async bury(service, subject, error = 'it broke') {
      const { mailbox } = services.find((one) => one.service === service)!;
      const message = messageOf(world, 'payment.authorize', subject, { order_id: subject, amount: 1, currency: 'EUR', token: 'tok_secret' });
      const burial = { world, destination: service, attempts: 3, firstAt: world.now() };
      await mailbox.write((unit) => bury(unit, [message], new Fault('internal', error), burial));
      world.advance(1_000);
    },
    get: async (path) => (await fetch(edge.url() + path)).json() as never,
    async post(path, body, headers = {}) {
      const answer = await fetch(edge.url() + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        ...(body && { body: JSON.stringify(body) }),
      });
      return { status: answer.status, body: (await answer.json()) as never };
    },
    async close() {
      await stopAll([edge, ...runners]);
      for (const db of databases) await db.close();
    },
  };
}

/** A moment, however long the rest was to be: the clock of this world stands still. */
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2));
