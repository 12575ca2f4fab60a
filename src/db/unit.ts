/**
 * What both databases do alike around a unit of work: its statements end with it, its first failed statement decides its fate, and
 * what it wants done after the commit is done then.
 */
import type { Compilable } from 'kysely';
import { Fault } from '../kernel/errors.ts';
import type { Dialect, Reader, Statement, Tx } from './database.ts';

/** How a connection runs texts. */
export interface Runner {
  run<In extends object, Out extends object>(statement: Statement<In, Out>, rows: readonly In[]): Promise<Out[]>;
  query<Out extends object>(query: Compilable<Out>, options?: { readonly json?: readonly (keyof Out & string)[] }): Promise<Out[]>;
  raw<Out extends object>(text: string, parameters?: readonly unknown[]): Promise<Out[]>;
  script(text: string): Promise<void>;
}

export interface UnitOfWork {
  readonly tx: Tx;
  /** To be called when the work has settled: a statement run after that is refused. */
  end(): void;
  /** The first failed statement's error, wrapped because anything may be thrown. PostgreSQL aborts there; so SQLite does too. */
  readonly failed: { readonly error: unknown } | undefined;
  /** Does what was asked for after the commit. */
  committed(): void;
}

export function unitOfWork(runner: Runner, dialect: Dialect): UnitOfWork {
  const hooks: (() => void)[] = [];
  let failed: { readonly error: unknown } | undefined;
  let over = false;

  async function step<T>(run: () => Promise<T>): Promise<T> {
    if (over) throw new Fault('internal', 'a statement was run on a transaction that is over: something was not awaited');
    if (failed !== undefined) throw failed.error;
    try {
      return await run();
    } catch (error) {
      failed ??= { error };
      throw error;
    }
  }

  return {
    tx: {
      dialect,
      run: (statement, rows) => (rows.length === 0 ? Promise.resolve([]) : step(() => runner.run(statement, rows))),
      query: (query, options) => step(() => runner.query(query, options)),
      raw: (text, parameters) => step(() => runner.raw(text, parameters)),
      script: (text) => step(() => runner.script(text)),
      afterCommit: (done) => void hooks.push(done),
    },
    end() {
      over = true;
    },
    get failed() {
      return failed;
    },
    committed() {
      for (const hook of hooks) {
        try {
          hook();
        } catch (error) {
          // The rows are committed, so the caller must not be told otherwise. It is a bug all the same, and bugs are loud.
          queueMicrotask(() => {
            throw error;
          });
        }
      }
    },
  };
}

/** A reader over a runner. */
export const readerOf = (runner: Runner, dialect: Dialect): Reader => ({ dialect, run: runner.run, query: runner.query, raw: runner.raw });
