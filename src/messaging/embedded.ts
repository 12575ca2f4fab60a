/**
 * The embedded transport: a durable bus in one SQLite file beside the services' own, with every duplicate a broker can make.
 *
 * The very messages that are published are handed to the consumers at once, and are confirmed when all of them have acked. What is not
 * acked soon, and what no consumer has room for, is written to bus.db, one row a pack and queue, and confirmed then. So in the normal
 * case nothing is written, read or parsed; until the confirm the sender's outbox keeps the pack. What is written and acked is deleted
 * later; a crash in between is a redelivery.
 */
import type { Message } from '../contracts/envelope.ts';
import { COMMANDS, isCommand } from '../contracts/messages.ts';
import type { Database, Tx, WriteOptions } from '../db/database.ts';
import { openSqlite } from '../db/sqlite.ts';
import { Fault, codeOf } from '../kernel/errors.ts';
import { failpoint } from '../kernel/failpoints.ts';
import { loop, runnable } from '../kernel/lifecycle.ts';
import type { Telemetry } from '../kernel/telemetry.ts';
import type { World } from '../kernel/world.ts';
import { type Held, openHeld } from './embedded-held.ts';
import { lockFile } from './embedded-lock.ts';
import { type EmbeddedQueue, type Entry, type QueueStore, openQueue } from './embedded-queue.ts';
import type { Pack } from './outbox.ts';
import type { PublishOutcome, Queue, Transport } from './transport.ts';

/** Acked rows are deleted with the next publish, or after this time; a crash makes duplicates of what is not deleted yet. */
const ACK_MS = 200;
/** Packs handed out and not acked are written after this time. Longer than a batch takes under full load, or all of them would be. */
const WRITE_AFTER_MS = 1_000;
/** A read that failed is tried again after this time. */
const RETRY_MS = 1_000;

const TABLES = `
  create table if not exists bus_queue (name text primary key) strict, without rowid;
  create table if not exists bus_binding (queue text not null, type text not null, primary key (queue, type)) strict, without rowid;
  create table if not exists bus_message (
    seq integer primary key, queue text not null, messages integer not null, deliveries integer not null, body text not null
  ) strict;
  create index if not exists bus_message_queue on bus_message (queue, seq);
  create table if not exists bus_clean (id integer primary key) strict;
  create table if not exists bus_probe (id integer primary key, space blob not null) strict;`;

export interface EmbeddedOptions {
  /** The path of bus.db; `bus.db.lock` beside it is held while the program runs. */
  readonly file: string;
  readonly world: World;
  readonly telemetry: Telemetry;
  /** Opens the file; a test may hand over a database it can fill up. */
  readonly open?: (file: string) => Database;
  /** How long an ack is waited for before a pack is written; 0 writes everything before it is handed out. */
  readonly writeAfterMs?: number;
}

/** A pack on its way into a queue by way of bus.db. */
interface Row {
  readonly pack: Pack;
  readonly name: string;
  readonly queue: EmbeddedQueue;
}

interface MessageRow {
  readonly seq: number;
  readonly messages: number;
  readonly deliveries: number;
  readonly body: string;
}

export function embeddedTransport({ file, world, telemetry, open: openFile, writeAfterMs = WRITE_AFTER_MS }: EmbeddedOptions): Transport {
  const log = telemetry.log.child({ part: 'bus' });
  const queues = new Map<string, EmbeddedQueue>();
  /** Event type to the queues that take it. */
  const bindings = new Map<string, string[]>();
  const leftovers = new Map<string, number>();
  const acked: number[] = [];
  /** Rows whose delivery this run has counted, until they are acked. */
  const claimed = new Set<number>();
  let flushSoon = false;
  let nextSeq = 1;
  let leftoverTo = 0;
  /** The run before did not part in order. */
  let afterCrash = true;
  let broken: string | undefined;
  /** The size of the last publish that could not be written. */
  let missingBytes = 0;
  let unlock: (() => void) | undefined;
  let database: Database | undefined;

  const db = (): Database => {
    if (database === undefined) throw new Fault('unavailable', 'the bus is not running');
    return database;
  };

  async function write<T>(work: (tx: Tx) => Promise<T>, options: WriteOptions = {}): Promise<T> {
    try {
      const result = await db().write(work, options);
      broken = undefined;
      return result;
    } catch (error) {
      broken = codeOf(error) === 'storage_full' ? 'the disk is full' : (error as Error).message;
      throw error;
    }
  }

  async function open(): Promise<void> {
    unlock = lockFile(`${file}.lock`);
    database = openFile?.(file) ?? openSqlite({ name: 'bus', file, metrics: telemetry.metrics });
    await database.script(TABLES);
    const { read } = database;
    const [last] = await read.raw<{ seq: number }>('select coalesce(max(seq), 0) as seq from bus_message');
    nextSeq = last!.seq + 1;
    const clean = await database.write((tx) => tx.raw('delete from bus_clean returning id'));
    afterCrash = clean.length === 0;
    leftoverTo = afterCrash ? last!.seq : 0;
    const waiting = await read.raw<{ queue: string; n: number }>('select queue, sum(messages) as n from bus_message group by queue');
    for (const { queue, n } of waiting) leftovers.set(queue, n);
    for (const { name } of await read.raw<{ name: string }>('select name from bus_queue')) addQueue(name);
    for (const { queue, type } of await read.raw<{ queue: string; type: string }>('select queue, type from bus_binding')) bind(queue, [type]);
    await flusher.start();
    if (writeAfterMs > 0) await writer.start();
  }

  async function close(): Promise<void> {
    await writer.stop();
    await flusher.stop();
    await held
      .writeDue(true)
      .then(flush)
      .then(partClean)
      .catch((error: unknown) => log.warn({ err: error }, 'acks could not be written; these packs come again'));
    await database?.close();
    database = undefined;
    unlock?.();
  }

  /**
   * When everything handed out was acked or released, the next start need not suspect what is left: it has not been delivered, and what
   * was counted for this run is taken back. A deployment is no crash.
   */
  async function partClean(): Promise<void> {
    if ([...queues.values()].some((queue) => queue.unsettled() > 0)) return;
    await write(async (tx) => {
      await tx.raw('update bus_message set deliveries = deliveries - 1 where seq in (select value from json_each($1))', [
        JSON.stringify([...claimed]),
      ]);
      await tx.raw('insert or replace into bus_clean (id) values (1)');
    });
  }

  function addQueue(name: string): void {
    if (queues.has(name)) return;
    const store: QueueStore = {
      read,
      settle,
      orphaned() {
        held.orphan(name);
        writer.wake();
      },
      failed(error) {
        log.warn({ err: error, queue: name }, 'the queue could not be read; tried again');
        void world.sleep(RETRY_MS).then(() => queues.get(name)!.retry());
      },
    };
    queues.set(name, openQueue(name, store, leftoverTo, leftovers.get(name) ?? 0));
  }

  function bind(queue: string, types: readonly string[]): void {
    for (const type of types) bindings.set(type, [...(bindings.get(type) ?? []), queue]);
  }

  async function declare(declared: readonly Queue[]): Promise<void> {
    await write(async (tx) => {
      for (const { name, types } of declared) {
        await tx.raw('insert into bus_queue (name) values ($1) on conflict do nothing', [name]);
        await tx.raw('delete from bus_binding where queue = $1', [name]);
        for (const type of types) await tx.raw('insert into bus_binding (queue, type) values ($1, $2) on conflict do nothing', [name, type]);
      }
    });
    for (const { name, types } of declared) {
      addQueue(name);
      for (const [type, bound] of bindings)
        bindings.set(
          type,
          bound.filter((queue) => queue !== name),
        );
      bind(name, [...new Set(types)]);
    }
  }

  /** The queues a pack goes to; undefined when it names one that is not there. */
  function route({ type, destination }: Pack): readonly string[] | undefined {
    const name = destination ?? (isCommand(type) ? COMMANDS[type].to : undefined);
    if (name === undefined) return bindings.get(type) ?? [];
    return queues.has(name) ? [name] : undefined;
  }

  async function publish(packs: readonly Pack[]): Promise<PublishOutcome[]> {
    db(); // throws when the bus does not run
    const routes = packs.map(route);
    const confirmed: Promise<void>[] = [];
    const rows: Row[] = [];
    for (const [i, pack] of packs.entries()) {
      for (const name of routes[i] ?? []) {
        const queue = queues.get(name)!;
        if (writeAfterMs > 0 && pack.again !== true && queue.takesDirectly()) confirmed.push(handOver(pack, name, queue));
        else rows.push({ pack, name, queue: queue.awaitRow() });
      }
    }
    if (rows.length > 0) confirmed.push(store(rows));
    await Promise.all(confirmed);
    return routes.map((queue) => (queue === undefined ? 'unroutable' : 'confirmed'));
  }

  /** Straight to a consumer; resolves when it has acked, or when the pack was written after all. */
  function handOver(pack: Pack, name: string, queue: EmbeddedQueue): Promise<void> {
    return new Promise((confirm) => {
      const seq = nextSeq++;
      held.hold({ seq, queue: name, messages: pack.count, body: pack.body, confirm });
      queue.offer(entryOf(pack, { seq, deliveries: 0, trusted: true }));
    });
  }

  /** To bus.db, and to the consumers after the commit. */
  async function store(rows: readonly Row[]): Promise<void> {
    let deleting: number[] = [];
    try {
      await write(async (tx) => {
        deleting = acked.splice(0);
        await remove(tx, deleting);
        const entries: { queue: EmbeddedQueue; entry: Entry }[] = [];
        for (const { pack, name, queue } of rows) {
          const seq = nextSeq++;
          const { body, count } = pack;
          const deliveries = pack.again === true && afterCrash ? 1 : 0;
          if (deliveries > 0) claimed.add(seq);
          await insert(tx, { seq, queue: name, messages: count, deliveries, body });
          entries.push({ queue, entry: entryOf(pack, { seq, deliveries, trusted: pack.again !== true }) });
        }
        await failpoint('bus.before_commit');
        tx.afterCommit(() => {
          for (const { queue, entry } of entries) queue.offer(entry);
        });
      });
      await failpoint('bus.after_commit');
    } catch (error) {
      acked.push(...deleting);
      missingBytes = rows.reduce((sum, { pack }) => sum + pack.body.length, 0);
      throw error;
    } finally {
      for (const { queue } of rows) queue.rowCame();
    }
  }

  /** Writes packs that were handed out and are not acked. */
  async function keep(packs: readonly Held[]): Promise<void> {
    missingBytes = packs.reduce((sum, { body }) => sum + body.length, 0);
    await write(async (tx) => {
      for (const { seq, queue, messages, body } of packs) await insert(tx, { seq, queue, messages, deliveries: 0, body });
      await failpoint('bus.before_commit');
    });
    await failpoint('bus.after_commit');
  }

  // Bound one by one: packing bodies into the JSON of a set, to be unpacked by SQLite, costs three times as much.
  const insert = (tx: Tx, { seq, queue, messages, deliveries, body }: MessageRow & { readonly queue: string }): Promise<unknown> =>
    tx.raw('insert into bus_message (seq, queue, messages, deliveries, body) values ($1, $2, $3, $4, $5)', [seq, queue, messages, deliveries, body]);

  /** Writes as much as could not be written: nobody may be publishing any more, and a small row may find room where a pack did not. */
  async function probe(): Promise<void> {
    for (const bytes of [missingBytes, 0]) {
      await write((tx) => tx.raw('insert or replace into bus_probe (id, space) values (1, zeroblob($1))', [bytes]));
    }
  }

  function settle(seq: number): void {
    if (!held.settle(seq)) forget(seq);
  }

  /** The row of a pack is to be deleted. */
  function forget(seq: number): void {
    acked.push(seq);
    claimed.delete(seq);
    if (flushSoon) return;
    flushSoon = true;
    void world.sleep(ACK_MS).then(() => flusher.wake());
  }

  async function flush(): Promise<void> {
    flushSoon = false;
    if (acked.length === 0) return;
    let deleting: number[] = [];
    try {
      await write(
        async (tx) => {
          deleting = acked.splice(0);
          await remove(tx, deleting);
        },
        { forgetful: true },
      );
    } catch (error) {
      acked.push(...deleting);
      throw error;
    }
  }

  const remove = async (tx: Tx, seqs: readonly number[]): Promise<void> => {
    if (seqs.length > 0) await tx.raw('delete from bus_message where seq in (select value from json_each($1))', [JSON.stringify(seqs)]);
  };

  const held = openHeld({ world, afterMs: writeAfterMs, write: keep, remove: forget });
  const writer = loop({
    name: 'bus writer',
    world,
    failed: (error) => log.warn({ err: error }, 'packs that wait for their consumer could not be written; tried again, and kept by their senders'),
    async turn() {
      await held.writeDue();
      return writeAfterMs;
    },
  });
  const flusher = loop({
    name: 'bus acks',
    world,
    failed: (error) => log.warn({ err: error }, 'acks could not be written; tried again'),
    async turn() {
      await flush();
      return 60_000; // woken by the next ack
    },
  });

  async function read(queue: string, { seq, to, limit, claim }: Parameters<QueueStore['read']>[1]): Promise<Entry[]> {
    const select = 'select seq, messages, deliveries, body from bus_message where queue = $1 and seq >= $2 and seq <= $3 order by seq limit $4';
    const parameters = [queue, seq, to ?? Number.MAX_SAFE_INTEGER, limit];
    if (!claim) return (await db().read.raw<MessageRow>(select, parameters)).map(toEntry);
    const rows = await write(async (tx) => {
      const found = await tx.raw<MessageRow>(select, parameters);
      const seqs = JSON.stringify(found.map((row) => row.seq));
      await tx.raw('update bus_message set deliveries = deliveries + 1 where seq in (select value from json_each($1))', [seqs]);
      return found;
    });
    for (const row of rows) claimed.add(row.seq);
    return rows.map((row) => toEntry({ ...row, deliveries: row.deliveries + 1 }));
  }

  return {
    ...runnable('bus', open, close),
    declare,
    publish,
    async consume(name, { prefetch, deliver }) {
      const queue = queues.get(name);
      if (queue === undefined) throw new Fault('unavailable', `queue ${name} was not declared`);
      const remove = queue.take(prefetch, deliver);
      return { cancel: async () => remove() };
    },
    async depths() {
      const depths = Object.fromEntries([...queues].map(([name, queue]) => [name, queue.depth()]));
      for (const [queue, depth] of Object.entries(depths)) telemetry.metrics.queueDepth.set({ queue }, depth);
      for (const [queue, { takers }] of queues) {
        telemetry.metrics.queueConsumers.set({ queue }, takers().count);
        telemetry.metrics.queueUnsettled.set({ queue }, takers().messages);
      }
      return depths;
    },
    async health() {
      if (database === undefined) return { ok: false, reason: 'the bus is not running' };
      if (broken !== undefined) await probe().catch(() => undefined);
      return broken === undefined ? { ok: true } : { ok: false, reason: broken };
    },
  };
}

/** Messages are read where they are handled: a pack that only passes through (embedded-link.ts) is never parsed. */
const entryOf = (pack: Pack, about: Pick<Entry, 'seq' | 'deliveries' | 'trusted'>): Entry => ({
  ...about,
  count: pack.count,
  body: pack.body,
  get messages() {
    return pack.messages;
  },
});

function toEntry({ seq, messages, deliveries, body }: MessageRow): Entry {
  const base = { seq, count: messages, body, deliveries, trusted: false };
  try {
    return { ...base, messages: JSON.parse(body) as Message[] };
  } catch {
    return { ...base, messages: [], undecodable: body };
  }
}
