/**
 * PostgreSQL without PostgreSQL: PGlite (PostgreSQL compiled to WebAssembly) behind the same sessions as the real one, so that the
 * dialect and the retry table are exercised on any machine. For tests only: it does not flush, and it has one connection.
 */
import { PGlite } from '@electric-sql/pglite';
import { PARSERS, type Session, type Sessions } from '../../src/db/postgres-pool.ts';

/** `folder`: where the data is kept; in memory when absent. */
export function pgliteSessions(folder?: string): Sessions {
  const engine = folder === undefined ? new PGlite({ parsers: PARSERS }) : new PGlite(folder, { parsers: PARSERS });
  // One connection: whoever wants it waits for the one before.
  let free: Promise<void> = Promise.resolve();

  async function acquire(): Promise<Session> {
    const turn = free;
    let release = (): void => undefined;
    free = new Promise((resolve) => {
      release = resolve;
    });
    await turn;
    return {
      async query(text, parameters = []) {
        const { rows } = await engine.query<object>(text, [...parameters]);
        return { rows, command: text.toUpperCase() };
      },
      async script(text) {
        await engine.exec(text);
      },
      release: () => release(),
    };
  }
  return { acquire, end: () => engine.close() };
}
