/**
 * SQLite: one file, one writing connection, one reading connection; and perhaps those of another thread.
 *
 * The writing connection is a queue. What is waiting when the writer is free runs in one transaction, each unit of work in a
 * savepoint of its own, and all are answered after the one commit and its flush: a flush to disk costs 0.1–8 ms, and sharing it is
 * worth a factor of 11 through HTTP (1,350 against 14,500 orders/s in a prototype). The savepoint costs 4 µs a unit.
 *
 *   waiting ──(writer free, GROUP_MAX at most)──> begin · unit · unit · … · commit ──> flush ──> hooks, answers
 *                                                          └ throws: its savepoint is rolled back, the others go on
 *
 * SQLite answers at once, so a unit that awaits nothing but its transaction is over before the event loop turns. One that is not
 * waits for something it must not wait for, and after IDLE_MAX_MS is rolled back with an error that says so.
 *
 * While another thread or process writes, the group waits without standing still.
 */
import { DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely';
import { Fault } from '../kernel/errors.ts';
import type { Metrics } from '../kernel/telemetry.ts';
import { type World, realWorld } from '../kernel/world.ts';
import { type Database, IDLE_MAX_MS, type Reader, type Tx, type WriteOptions } from './database.ts';
import { type LogFlusher, logFlusher } from './flush.ts';
import { type FlushWords, flushWords, openFlushes } from './flushes.ts';
import { BUSY_MAX_MS, connect, isBusy, sqliteDialect, statements, translate } from './sqlite-connection.ts';
import { type UnitOfWork, readerOf, unitOfWork } from './unit.ts';

/** Units that share one commit, at most: bounds both the work lost to a failed commit and the wait of the first unit. */
const GROUP_MAX = 256;
/** How soon a file that another one is writing to is tried again. */
const BUSY_AGAIN_MS = 1;
/** Half a dozen files are open at once, so these count six times. */
const WRITER_CACHE_KIB = 8_000;
const READER_CACHE_KIB = 1_000;

export interface SqliteOptions {
  readonly name: string;
  /** A file path, or `:memory:` for a database that dies with the process (tests). */
  readonly file: string;
  readonly metrics?: Metrics;
  readonly world?: World;
  /** How an open file is flushed; tests hand down another. */
  readonly flushFile?: (descriptor: number) => Promise<void>;
  /** Where other threads have the same file open: the words they share. */
  readonly shared?: FlushWords | undefined;
}

interface Waiting {
  readonly forgetful: boolean;
  work(tx: Tx): Promise<unknown>;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** What became of a unit, told when the group's fate is known. */
type Answer = () => void;

export function openSqlite({ name, file, metrics, world = realWorld(), flushFile, shared = flushWords() }: SqliteOptions): Database {
  const inMemory = file === ':memory:';
  const writer = connect(file, WRITER_CACHE_KIB);
  writer.exec('pragma busy_timeout = 0'); // `begin` waits, and does not stand still
  const writing = statements(writer);
  const log = inMemory ? undefined : logFlusher(file, flushFile);
  const flushes = openFlushes(shared, name);
  const waiting: Waiting[] = [];
  let draining: Promise<void> | undefined;
  let closing: Promise<void> | undefined;
  /** Gives up the unit that runs now; undefined while none does. */
  let abandon: ((error: Fault) => void) | undefined;

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      await turn(); // whoever is about to write may join
      await commitGroup(waiting.splice(0, GROUP_MAX));
    }
    draining = undefined;
  }

  async function commitGroup(group: Waiting[]): Promise<void> {
    const answers: Answer[] = [];
    try {
      log?.check();
      await begin();
      await runAll(group, answers);
      if (log === undefined || group.every(({ forgetful }) => forgetful)) writer.exec('commit');
      else await commitAndFlush(log);
    } catch (error) {
      rollback();
      const fault = translate(error);
      for (const one of group) one.reject(fault);
      return;
    }
    metrics?.commits.observe({ database: name }, group.length);
    for (const answer of answers) answer();
  }

  async function begin(): Promise<void> {
    for (const giveUpAt = world.now() + BUSY_MAX_MS; ; await world.sleep(BUSY_AGAIN_MS)) {
      try {
        return writer.exec('begin immediate');
      } catch (error) {
        if (!isBusy(error) || world.now() >= giveUpAt) throw error;
      }
    }
  }

  async function commitAndFlush(to: LogFlusher): Promise<void> {
    flushes.begin();
    try {
      writer.exec('commit');
      await to.flush().catch((error: unknown) => {
        flushes.fail();
        throw error;
      });
    } finally {
      flushes.end();
    }
  }

  async function runAll(group: readonly Waiting[], answers: Answer[]): Promise<void> {
    const watch = watchUnits();
    try {
      for (const one of group) answers.push(await (group.length === 1 ? runAlone(one) : runInSavepoint(one)));
    } finally {
      watch.abort();
    }
  }

  function rollback(): void {
    try {
      if (writer.isTransaction) writer.exec('rollback');
    } catch {
      // The file is in a worse state than the error being reported already says; the next `begin` will say it again.
    }
  }

  /** A unit with the transaction to itself: what it throws undoes all of it. */
  async function runAlone(one: Waiting): Promise<Answer> {
    const unit = unitOfWork(writing, sqliteDialect);
    const value = await settle(one, unit);
    return () => succeed(one, unit, value);
  }

  /** A unit among others. Throws only when the whole transaction is lost: on a full disk SQLite rolls back everything by itself. */
  async function runInSavepoint(one: Waiting): Promise<Answer> {
    const unit = unitOfWork(writing, sqliteDialect);
    writer.exec('savepoint unit');
    try {
      const value = await settle(one, unit);
      writer.exec('release unit');
      return () => succeed(one, unit, value);
    } catch (error) {
      if (!writer.isTransaction) throw error;
      writer.exec('rollback to unit; release unit');
      return () => one.reject(translate(error));
    }
  }

  function succeed(one: Waiting, unit: UnitOfWork, value: unknown): void {
    unit.committed();
    one.resolve(value);
  }

  async function settle(one: Waiting, unit: UnitOfWork): Promise<unknown> {
    try {
      const value = await new Promise((resolve, reject) => {
        abandon = reject;
        one.work(unit.tx).then(resolve, reject);
      });
      if (unit.failed !== undefined) throw unit.failed.error;
      return value;
    } finally {
      abandon = undefined;
      unit.end();
    }
  }

  /** Gives up units that stand still. Units that keep the rule are over before its first turn comes. */
  function watchUnits(): AbortController {
    const over = new AbortController();
    void (async () => {
      await turn();
      while (!over.signal.aborted) {
        const standing = abandon;
        await world.sleep(IDLE_MAX_MS, over.signal);
        if (!over.signal.aborted && standing !== undefined && standing === abandon) {
          standing(
            new Fault(
              'internal',
              `a unit of work on database ${name} stood still for ${IDLE_MAX_MS} ms: it awaits something other than its transaction`,
            ),
          );
        }
      }
    })();
    return over;
  }

  function write<T>(work: (tx: Tx) => Promise<T>, { forgetful = false }: WriteOptions = {}): Promise<T> {
    if (closing !== undefined) return Promise.reject(new Fault('unavailable', `database ${name} is closed`));
    return new Promise<T>((resolve, reject) => {
      waiting.push({ forgetful, work: async (tx) => work(tx), resolve: resolve as (value: unknown) => void, reject });
      draining ??= drain();
    });
  }

  const reader = inMemory ? undefined : connect(file, READER_CACHE_KIB);
  const reading = reader && statements(reader);
  /** Runs a read, and answers when all it can have seen is on the disk. */
  async function durably<T>(ask: () => Promise<T>): Promise<T> {
    if (closing !== undefined) throw new Fault('unavailable', `database ${name} is closed`);
    log?.check();
    const answer = await ask();
    await flushes.settled();
    return answer;
  }
  // A second connection to `:memory:` would be another database, so there a read waits in the queue like a write.
  const read: Reader =
    reading === undefined
      ? {
          dialect: sqliteDialect,
          run: (statement, rows) => (rows.length === 0 ? Promise.resolve([]) : write((tx) => tx.run(statement, rows))),
          query: (query, options) => write((tx) => tx.query(query, options)),
          raw: (text, parameters) => write((tx) => tx.raw(text, parameters)),
        }
      : readerOf(
          {
            ...reading,
            run: (statement, rows) => (rows.length === 0 ? Promise.resolve([]) : durably(() => reading.run(statement, rows))),
            query: (query, options) => durably(() => reading.query(query, options)),
            raw: (text, parameters) => durably(() => reading.raw(text, parameters)),
          },
          sqliteDialect,
        );

  return {
    name,
    dialect: sqliteDialect,
    read,
    builder: <Tables>() =>
      new Kysely<Tables>({
        dialect: {
          createAdapter: () => new SqliteAdapter(),
          createDriver: () => new DummyDriver(),
          createIntrospector: (db) => new SqliteIntrospector(db),
          createQueryCompiler: () => new SqliteQueryCompiler(),
        },
      }),
    write,
    script: (text) => write((tx) => tx.script(text)),
    async ping() {
      await read.raw('select 1');
    },
    close() {
      closing ??= Promise.resolve(draining).then(async () => {
        reader?.close();
        writer.close();
        await log?.close();
      });
      return closing;
    },
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
