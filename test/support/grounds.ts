/**
 * The grounds the whole program stands on: a database and a bus. A story is told on each:
 *
 *   onEveryGround((ground) => {
 *     beforeAll(async () => { opened = await ground.open(); app = await startApp({ settings: opened.settings }); });
 *     …
 *   });
 *
 * Where a server is missing its grounds are skipped, and databases.ts and rabbit.ts have said so; with CI=true they fail.
 */
import { describe } from 'vitest';
import { SERVICES } from '../../src/config.ts';
import { ask, postgresUrl, throwAwayName } from './databases.ts';
import { rabbitUrl, removeTopology, throwAwayPrefix } from './rabbit.ts';

/** Of a program: what tells it where its data and its messages go. DATA_DIR is the business of whoever starts it. */
export type GroundSettings = Readonly<Partial<Record<'DATABASE_URL' | 'AMQP_URL' | 'AMQP_PREFIX', string>>>;

export interface OpenGround {
  readonly settings: GroundSettings;
  /** Removes all that was made there; the programs have been stopped. */
  remove(): Promise<void>;
}

export interface Ground {
  readonly name: string;
  /** Is what it needs there? */
  readonly there: boolean;
  /** One of its own: nothing in it, and nobody else. */
  open(): Promise<OpenGround>;
}

async function openDatabase(url: string): Promise<OpenGround> {
  const name = throwAwayName();
  await ask(url, `create database ${name}`);
  const own = new URL(url);
  own.pathname = `/${name}`;
  return { settings: { DATABASE_URL: own.href }, remove: () => ask(url, `drop database if exists ${name} with (force)`) };
}

function openBroker(url: string): OpenGround {
  const prefix = throwAwayPrefix();
  return { settings: { AMQP_URL: url, AMQP_PREFIX: prefix }, remove: () => removeTopology(url, prefix, SERVICES) };
}

const EMBEDDED: Ground = { name: 'SQLite, embedded', there: true, open: async () => ({ settings: {}, remove: async () => undefined }) };
const POSTGRES: Ground = { name: 'PostgreSQL, embedded', there: postgresUrl !== undefined, open: () => openDatabase(postgresUrl!) };
const BROKER: Ground = {
  name: 'PostgreSQL, RabbitMQ',
  there: postgresUrl !== undefined && rabbitUrl !== undefined,
  async open() {
    const database = await openDatabase(postgresUrl!);
    const broker = openBroker(rabbitUrl!);
    return {
      settings: { ...database.settings, ...broker.settings },
      async remove() {
        await database.remove();
        await broker.remove();
      },
    };
  },
};

const GROUNDS: readonly Ground[] = [EMBEDDED, POSTGRES, BROKER];

/** Declares the suites and tests of `tell` once for every ground. */
export function onEveryGround(tell: (ground: Ground) => void): void {
  for (const ground of GROUNDS) describe.skipIf(!ground.there)(`on ${ground.name}`, () => tell(ground));
}
