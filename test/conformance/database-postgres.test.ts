/**
 * What only PostgreSQL can get wrong: connections that die, commits without an answer, deadlocks, plans that no longer fit.
 */
import { once } from 'node:events';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Database, statement } from '../../src/db/database.ts';
import { databaseOver, openPostgres, verdictOn } from '../../src/db/postgres.ts';
import type { Session } from '../../src/db/postgres-pool.ts';
import { codeOf } from '../../src/kernel/errors.ts';
import { realWorld } from '../../src/kernel/world.ts';
import { type OpenDatabase, ask, postgresAt, postgresUrl, throwAwayName } from '../support/databases.ts';

const insertRow = statement<{ id: string }>({ id: 'text' }, (rows) => `insert into row_of_test (id) select row.id from ${rows}`);
const allRows = statement<{ one: number }, { id: string }>(
  { one: 'integer' },
  (rows) => `select t.* from row_of_test t join ${rows} on true order by t.id`,
);
const insert = (db: Database, id: string): Promise<unknown> => db.write((tx) => tx.run(insertRow, [{ id }]));
const idsOf = async (db: Database): Promise<string[]> =>
  (await db.read.raw<{ id: string }>('select id from row_of_test order by id')).map(({ id }) => id);
const failsWith =
  (code: string) =>
  (error: unknown): boolean =>
    codeOf(error) === code;

async function until(yes: () => Promise<boolean>): Promise<void> {
  while (!(await yes()));
}

/** Passes bytes on to PostgreSQL, and cuts every connection when `cutAt` finds what a client sends to be the moment. */
async function proxy(target: URL, cutAt: (bytes: Buffer) => boolean): Promise<string> {
  const sockets = new Set<Socket>();
  const port = Number(target.port || 5432);
  const folder = target.searchParams.get('host'); // of its Unix socket, where that is how it is reached
  const server = createServer((client) => {
    const upstream = folder === null ? connect(port, target.hostname) : connect(`${folder}/.s.PGSQL.${port}`);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => (client.destroy(), sockets.delete(socket)));
    }
    client.on('data', (bytes: Buffer) => {
      upstream.write(bytes);
      if (cutAt(bytes)) client.destroy(); // PostgreSQL still gets what was sent; the answer finds nobody
    });
    client.on('end', () => upstream.end());
    upstream.pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  const url = new URL(target);
  url.hostname = '127.0.0.1';
  url.searchParams.delete('host');
  url.port = String((server.address() as AddressInfo).port);
  return url.href;
}

describe.skipIf(postgresUrl === undefined)('PostgreSQL', () => {
  const url = postgresUrl!;

  async function opened(): Promise<OpenDatabase> {
    const one = await postgresAt(url).open();
    onTestFinished(() => one.drop());
    await one.db.script('create table row_of_test (id text primary key)');
    return one;
  }

  it('a connection cut in the middle of a unit fails the unit, not the process, and the next one works', async () => {
    const { db } = await opened();
    const cut = db.write(async (tx) => {
      await tx.run(insertRow, [{ id: 'lost' }]);
      const [own] = await tx.raw<{ pid: number }>('select pg_backend_pid() as pid');
      await ask(url, `select pg_terminate_backend(${own!.pid})`);
      await tx.run(insertRow, [{ id: 'lost too' }]);
    });
    await expect(cut).rejects.toSatisfy(failsWith('unavailable'));
    await insert(db, 'kept');
    expect(await idsOf(db)).toEqual(['kept']);
  });

  it('idle connections that are cut are replaced', async () => {
    const { db } = await opened();
    const ownPid = (): Promise<{ pid: number }[]> => db.write((tx) => tx.raw<{ pid: number }>('select pg_backend_pid() as pid'));
    const pids = (await Promise.all([ownPid(), ownPid(), ownPid()])).flat().map(({ pid }) => pid);
    for (const pid of pids) await ask(url, `select pg_terminate_backend(${pid})`);
    await until(async () => (await db.read.raw(`select 1 from pg_stat_activity where pid in (${pids.join(', ')})`).catch(() => pids)).length === 0);
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, (_, i) => insert(db, `later ${i}`)));
    for (const outcome of outcomes) if (outcome.status === 'rejected') expect(codeOf(outcome.reason)).toBe('unavailable');
    await insert(db, 'last');
    expect(await idsOf(db)).toContain('last');
    expect(pids).not.toContain((await ownPid())[0]?.pid);
  });

  it('a commit without an answer is not run again', async () => {
    const { db } = await opened();
    const [{ schema } = { schema: '' }] = await db.read.raw<{ schema: string }>('select current_schema() as schema');
    let cutting = false;
    const through = openPostgres({ name: 'test', url: await proxy(new URL(url), (bytes) => cutting && bytes.includes('commit')), schema });
    onTestFinished(() => through.close());
    await insert(through, 'before');
    cutting = true;
    let runs = 0;
    const unknown = through.write(async (tx) => {
      runs += 1;
      await tx.run(insertRow, [{ id: 'unknown' }]);
    });
    await expect(unknown).rejects.toSatisfy(failsWith('unavailable'));
    expect(runs).toBe(1);
    cutting = false;
    await insert(through, 'after');
    expect(await idsOf(db)).toEqual(expect.arrayContaining(['before', 'after']));
  });

  it('units that deadlock are run again until both are done', async () => {
    const { db } = await opened();
    await Promise.all([insert(db, 'a'), insert(db, 'b')]);
    let runs = 0;
    let arrived = 0;
    let meet = (): void => undefined;
    const met = new Promise<void>((resolve) => (meet = resolve));
    const lockBoth = (first: string, second: string) =>
      db.write(async (tx) => {
        runs += 1;
        await tx.raw('select id from row_of_test where id = $1 for update', [first]);
        if ((arrived += 1) === 2) meet();
        await met; // both hold their first row: now each asks for the other's
        await tx.raw('select id from row_of_test where id = $1 for update', [second]);
      });
    await Promise.all([lockBoth('a', 'b'), lockBoth('b', 'a')]);
    expect(runs).toBe(3);
  });

  it('a prepared statement whose table has changed is prepared anew', async () => {
    const { db } = await opened();
    await insert(db, 'a');
    const all = (): Promise<{ id: string }[]> => db.write((tx) => tx.run(allRows, [{ one: 1 }]));
    expect(await Promise.all([all(), all(), all(), all()])).toEqual(Array.from({ length: 4 }, () => [{ id: 'a' }]));
    await db.script(`alter table row_of_test add column more text default 'new'`);
    expect(await all()).toEqual([{ id: 'a', more: 'new' }]);
  });

  it('commits wait for the disk, and a unit that stands still is cut off by the server', async () => {
    const { db } = await opened();
    const settings = await db.read.raw<{ name: string; setting: string }>(
      `select name, setting from pg_settings where name in ('synchronous_commit', 'idle_in_transaction_session_timeout', 'lock_timeout', 'statement_timeout') order by name`,
    );
    expect(settings).toEqual([
      { name: 'idle_in_transaction_session_timeout', setting: '10000' },
      { name: 'lock_timeout', setting: '3000' },
      { name: 'statement_timeout', setting: '30000' },
      { name: 'synchronous_commit', setting: 'on' },
    ]);
  });

  it('a sum that was not cast is refused instead of becoming a text', async () => {
    const { db } = await opened();
    await expect(db.read.raw('select sum(x) as total from (values (1::bigint)) as t (x)')).rejects.toThrow('cast(sum(x) as bigint)');
  });

  it('one schema is made by many starters, whatever its name', async () => {
    const schema = `${throwAwayName()} "Ü"`;
    const starters = Array.from({ length: 6 }, () => openPostgres({ name: 'test', url, schema, poolMax: 2 }));
    onTestFinished(() => ask(url, `drop schema if exists "${schema.replaceAll('"', '""')}" cascade`));
    await Promise.all(starters.map((db) => db.ping()));
    expect(await starters[0]!.read.raw('select current_schema() as schema')).toEqual([{ schema }]);
    await Promise.all(starters.map((db) => db.close()));
  });

  it('a server that takes no writes for now, as after a fail-over, is told as away; reading goes on, and writing when it takes them again', async () => {
    const schema = throwAwayName();
    const db = openPostgres({ name: 'test', url, schema, poolMax: 1 }); // one session, so that what is told it holds for all
    onTestFinished(async () => {
      await db.close();
      await ask(url, `drop schema if exists ${schema} cascade`);
    });
    await db.script('create table thing (n integer)');
    const sessionIs = (mode: 'read only' | 'read write'): Promise<unknown> =>
      db.write((tx) => tx.script(`set session characteristics as transaction ${mode}`));
    const write = (): Promise<unknown> => db.write((tx) => tx.raw('insert into thing (n) values (1)'));
    await sessionIs('read only');
    await expect(write()).rejects.toSatisfy(failsWith('unavailable'));
    expect(await db.read.raw('select n from thing')).toEqual([]);
    await sessionIs('read write');
    await write();
    expect(await db.read.raw('select n from thing')).toEqual([{ n: 1 }]);
  });

  it('a server that is away is told as such, and found when it is back', async () => {
    const db = openPostgres({ name: 'test', url: 'postgres://127.0.0.1:1/nowhere', schema: 'x' });
    onTestFinished(() => db.close());
    await expect(db.ping()).rejects.toSatisfy(failsWith('unavailable'));
    await expect(insert(db, 'a')).rejects.toSatisfy(failsWith('unavailable'));
  });
});

describe('the retry table', () => {
  const sqlError = (code: string): Error => Object.assign(new Error(`failed with ${code}`), { code });

  /** A database whose statements fail with the given errors first. */
  function failing(errors: Error[]): { db: Database; sent: string[]; released: boolean[] } {
    const sent: string[] = [];
    const released: boolean[] = [];
    const session: Session = {
      query(text) {
        sent.push(text);
        const error = text === 'begin' || text === 'rollback' ? undefined : errors.shift();
        return error === undefined ? Promise.resolve({ rows: [], command: text.toUpperCase() }) : Promise.reject(error);
      },
      script: () => Promise.resolve(),
      release: (broken) => void released.push(broken),
    };
    const sessions = { begin: 'begin', handedAround: false, acquire: () => Promise.resolve(session), end: () => Promise.resolve() };
    return { db: databaseOver({ name: 'test', sessions, world: { ...realWorld(), sleep: () => Promise.resolve() } }), sent, released };
  }
  const unit = (db: Database): Promise<unknown> => db.write((tx) => tx.raw('select 1'));

  it.each(['40001', '40P01', '55P03'])('%s: the whole unit again, three times at most', async (code) => {
    const some = failing([sqlError(code), sqlError(code), sqlError(code)]);
    await unit(some.db);
    expect(some.sent.filter((text) => text === 'begin')).toHaveLength(4);
    expect(some.sent.at(-1)).toBe('commit');
    const always = failing(Array.from({ length: 9 }, () => sqlError(code)));
    await expect(unit(always.db)).rejects.toSatisfy(failsWith('conflict'));
    expect(always.sent.filter((text) => text === 'begin')).toHaveLength(4);
  });

  it('hooks of a run that was undone are forgotten', async () => {
    const { db } = failing([sqlError('40001')]);
    const heard: number[] = [];
    let run = 0;
    await db.write(async (tx) => {
      const mine = (run += 1);
      tx.afterCommit(() => heard.push(mine));
      await tx.raw('select 1');
    });
    expect(heard).toEqual([2]);
  });

  it('a commit the server refused is run again, one it did not answer is not', async () => {
    const ok = { rows: [], command: 'SELECT' };
    const refused = failing([]);
    const commits: Error[] = [sqlError('40001')];
    const session = (kind: Error[]): Session => ({
      query: (text) =>
        text === 'commit' && kind.length > 0 ? Promise.reject(kind.shift()) : Promise.resolve({ ...ok, command: text.toUpperCase() }),
      script: () => Promise.resolve(),
      release: () => undefined,
    });
    let runs = 0;
    const over = (kind: Error[]): Database =>
      databaseOver({
        name: 'test',
        sessions: { begin: 'begin', handedAround: false, acquire: () => Promise.resolve(session(kind)), end: () => Promise.resolve() },
      });
    await over(commits).write(async () => void (runs += 1));
    expect(runs).toBe(2);
    runs = 0;
    await expect(over([new Error('Connection terminated unexpectedly')]).write(async () => void (runs += 1))).rejects.toSatisfy(
      failsWith('unavailable'),
    );
    expect(runs).toBe(1);
    expect(refused.sent).toEqual([]);
  });

  it('a broken connection is not given back', async () => {
    const gone = failing([sqlError('57P01')]);
    await expect(unit(gone.db)).rejects.toSatisfy(failsWith('unavailable'));
    expect(gone.released).toEqual([true]);
    const own = failing([sqlError('42601')]);
    await expect(unit(own.db)).rejects.toThrow('42601');
    expect(own.released).toEqual([false]);
  });

  it("what is neither the server nor the way to it is nobody else's fault", () => {
    expect(
      [
        sqlError('53100'),
        sqlError('08006'),
        sqlError('57014'),
        sqlError('ECONNREFUSED'),
        sqlError('EPIPE'),
        sqlError('23505'),
        sqlError('ENOENT'),
        new Error('a bug'),
        'text',
      ].map(verdictOn),
    ).toEqual(['storage_full', 'unavailable', 'unavailable', 'unavailable', 'unavailable', undefined, undefined, undefined, undefined]);
  });
});
