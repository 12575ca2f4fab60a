/**
 * PostgreSQL without PostgreSQL: PGlite (PostgreSQL compiled to WebAssembly) behind the same sessions as the real one, so that the
 * dialect and the retry table are exercised on any machine. For tests only: it does not flush, and it has one connection.
 *
 * One engine serves a whole test run, since it takes 2 to 5 seconds to start; every database of a test is a schema in it.
 */
import { PGlite } from '@electric-sql/pglite';
import { ArrayParameter } from '../../src/db/postgres-array.ts';
import { PARSERS, type Session, type Sessions } from '../../src/db/postgres-pool.ts';

let started: PGlite | undefined;
const engine = (): PGlite => (started ??= new PGlite({ parsers: PARSERS }));

/** One connection: whoever wants it waits for the one before. */
let free: Promise<void> = Promise.resolve();

export function pgliteSessions(schema: string): Sessions {
  async function acquire(): Promise<Session> {
    const turn = free;
    let release = (): void => undefined;
    free = new Promise((resolve) => {
      release = resolve;
    });
    await turn;
    await engine().exec(`create schema if not exists "${schema}"; set search_path = "${schema}"`);
    return {
      async query(text, parameters = []) {
        const { rows } = await engine().query<object>(text, parameters.map(plain));
        return { rows, command: text.toUpperCase() };
      },
      async script(text) {
        await engine().exec(text);
      },
      release: () => release(),
    };
  }
  return { begin: 'begin', handedAround: false, acquire, end: () => Promise.resolve() };
}

/** PGlite makes arrays of its own. */
const plain = (parameter: unknown): unknown => (parameter instanceof ArrayParameter ? parameter.values : parameter);

export async function dropPgliteSchema(schema: string): Promise<void> {
  const session = await pgliteSessions(schema).acquire();
  await session.script(`drop schema "${schema}" cascade`);
  session.release(false);
}
