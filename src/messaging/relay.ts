/**
 * The relay: outbox rows to the transport, in order, deleted once confirmed. README.md draws the states of a row.
 *
 * What was committed in this process comes in memory and is never read back. Everything else is found by a look at the table.
 */
import type { Message } from '../contracts/envelope.ts';
import { type Database, statement } from '../db/database.ts';
import { failpoint } from '../kernel/failpoints.ts';
import { type Runnable, loop, runnable } from '../kernel/lifecycle.ts';
import type { Telemetry } from '../kernel/telemetry.ts';
import type { World } from '../kernel/world.ts';
import { openLease } from './lease.ts';
import type { Pack } from './outbox.ts';
import type { Transport } from './transport.ts';

/** Messages held in memory, at most: about 20 MB. Beyond, rows wait in the table and are read in order. */
const HELD_MAX = 20_000;
/** Messages published and not confirmed, at most: a broker that is slow to confirm holds the relay back, not the other way round. */
const UNCONFIRMED_MAX = 10_000;
/** Packs and messages in one publish: one commit of the embedded transport, one round of confirms of a broker. */
const BATCH_PACKS = 64;
const BATCH_MESSAGES = 5_000;
/** A slow look for rows nobody told of. Where other processes write too, the look starts at 25 ms and slows down to this. */
const LOOK_MS = 500;
const LOOK_FIRST_MS = 25;
/**
 * Confirmed rows are deleted together: after this time or this many. A crash makes duplicates of what is not deleted yet. 200 ms
 * spares commits; against 20 ms no gain in whole journeys was seen beyond the noise.
 */
const DELETE_MS = 200;
const DELETE_ROWS = 500;
/** How long a stopping relay goes on publishing what is committed. */
const DRAIN_MS = 5_000;

export interface Relay extends Runnable {
  /** Told of packs after their commit. */
  offer(packs: readonly Pack[]): void;
  /** Something was said elsewhere: look for it now, not within half a second. */
  lookNow(): void;
}

export interface RelayOptions {
  readonly service: string;
  readonly db: Database;
  readonly world: World;
  readonly telemetry: Telemetry;
  readonly transport: Transport;
  /** Makes dead letters of packs no queue takes, and deletes their rows, in one transaction. */
  unroutable(packs: readonly Pack[]): Promise<void>;
  /** Deletes confirmed rows; `redriven` are messages among them that had been unroutable before. */
  confirmed(seqs: readonly number[], redriven: readonly Message[]): Promise<void>;
}

const readPacks = statement<{ seq: number }, { seq: number; type: string; destination: string | null; body: string }>(
  { seq: 'bigint' },
  (rows) => `select o.seq, o.type, o.destination, o.body from outbox o join ${rows} on o.seq = row.seq order by o.seq`,
);

export function openRelay({ service, db, world, telemetry, transport, unroutable, confirmed }: RelayOptions): Relay {
  const log = telemetry.log.child({ service, part: 'relay' });
  const shared = db.dialect.name === 'postgres'; // other processes may write into the same outbox
  const lease = openLease(db, `relay:${service}`, world);
  const waiting: Pack[] = [];
  /** Rows that are waiting, in flight, or confirmed and not yet deleted: a look passes over them. */
  const known = new Set<number>();
  let held = 0; // messages in `waiting`
  /** Publishes whose confirms have not come. They never reject: what failed is `refused`. */
  const underWay = new Set<Promise<void>>();
  let unconfirmed = 0; // messages in them
  let refused: { readonly packs: Pack[]; error: unknown } | undefined;
  /** Rows up to this one lay there at the start. */
  let oldTo: number | undefined;
  let running = false;
  /** The table has rows that are not in memory; until they are read, later ones must not overtake them. */
  let behind = true;
  let spills = 0;
  let lookAt = 0;
  let lookEvery = LOOK_FIRST_MS;

  function offer(packs: readonly Pack[]): void {
    for (const pack of packs) {
      if (known.has(pack.seq)) continue;
      if (!running || behind || held >= HELD_MAX) {
        behind = true;
        spills += 1;
        continue;
      }
      hold(pack);
    }
    publisher.wake();
  }

  function hold(pack: Pack): void {
    known.add(pack.seq);
    waiting.push(pack);
    held += pack.count;
  }

  /** Reads the lowest rows that are not held. From the lowest each time: a transaction may commit after one with a higher seq. */
  async function look(): Promise<void> {
    oldTo ??= (await db.read.raw<{ seq: number }>('select coalesce(max(seq), 0) as seq from outbox'))[0]!.seq;
    const spillsBefore = spills;
    const rows = await db.read.raw<{ seq: number }>('select seq from outbox order by seq limit $1', [known.size + BATCH_PACKS]);
    const unknown = rows.filter(({ seq }) => !known.has(seq)).slice(0, BATCH_PACKS);
    for (const { seq, type, destination, body } of await db.read.run(readPacks, unknown)) {
      if (known.has(seq)) continue;
      const messages = JSON.parse(body) as Message[];
      hold({ seq, type, destination, messages, count: messages.length, body, ...(seq <= oldTo && { again: true }) });
    }
    behind = unknown.length === BATCH_PACKS || spills !== spillsBefore;
    lookEvery = unknown.length > 0 || !shared ? (shared ? LOOK_FIRST_MS : LOOK_MS) : Math.min(LOOK_MS, lookEvery * 1.5);
    lookAt = world.now() + lookEvery;
    await measure();
  }

  async function measure(): Promise<void> {
    const [row] = behind
      ? await db.read.raw<{ n: number }>('select cast(coalesce(sum(messages), 0) as bigint) as n from outbox')
      : [{ n: held + unconfirmed }];
    telemetry.metrics.outboxDepth.set({ service }, row!.n);
  }

  async function turn(): Promise<number> {
    const leads = await lease.held();
    telemetry.metrics.relayLeads.set({ service }, leads ? 1 : 0);
    if (!leads) {
      forget(); // whoever holds the lease finds the rows
      return 1_000;
    }
    if (refused !== undefined) await takeBack();
    if (unconfirmed >= UNCONFIRMED_MAX) {
      await Promise.race(underWay);
      return 0;
    }
    if (waiting.length === 0 && (behind || world.now() >= lookAt)) await look();
    if (waiting.length === 0) return Math.max(1, lookAt - world.now());
    send(take());
    return 0;
  }

  /** Publishes without waiting for the confirm: packs that follow are not held up by a consumer that has to be waited for. */
  function send(batch: readonly Pack[]): void {
    const messages = messagesIn(batch);
    unconfirmed += messages;
    const sent: Promise<void> = publish(batch)
      .catch((error: unknown) => {
        refused = { packs: [...(refused?.packs ?? []), ...batch], error };
        publisher.wake();
      })
      .finally(() => {
        unconfirmed -= messages;
        underWay.delete(sent);
      });
    underWay.add(sent);
  }

  /** The same packs again, in the same order, after a rest, when all that is under way has come to its end. Throws what they failed with. */
  async function takeBack(): Promise<never> {
    await Promise.all(underWay);
    const { packs, error } = refused!;
    refused = undefined;
    waiting.unshift(...packs.sort((a, b) => a.seq - b.seq));
    held += messagesIn(packs);
    throw error;
  }

  function take(): Pack[] {
    let packs = 0;
    let messages = 0;
    while (packs < waiting.length && packs < BATCH_PACKS && messages < BATCH_MESSAGES) messages += waiting[packs++]!.count;
    held -= messages;
    return waiting.splice(0, packs).sort((a, b) => a.seq - b.seq);
  }

  async function publish(batch: readonly Pack[]): Promise<void> {
    await failpoint('relay.before_publish');
    const outcomes = await transport.publish(batch);
    await failpoint('relay.after_publish');
    const unheard = batch.filter((_, i) => outcomes[i] === 'unroutable');
    if (unheard.length > 0) {
      await unroutable(unheard);
      for (const { seq } of unheard) known.delete(seq);
    }
    const done = unheard.length > 0 ? batch.filter((_, i) => outcomes[i] === 'confirmed') : batch;
    telemetry.metrics.published.inc({ service }, messagesIn(done));
    cleaner.add(done);
  }

  function forget(): void {
    behind = true;
    for (const { seq } of waiting.splice(0)) known.delete(seq);
    held = 0;
  }

  const failed = (error: unknown): void => log.warn({ err: error }, 'publishing failed; the same packs again, in order, after a rest');
  const publisher = loop({ name: `${service} relay`, world, turn, failed });
  const cleaner = openCleaner({
    service,
    world,
    async remove(packs) {
      await failpoint('relay.before_delete');
      const redriven = packs.flatMap(({ destination, messages }) =>
        destination === null ? messages.filter(({ redrive }) => redrive !== undefined) : [],
      );
      await confirmed(
        packs.map(({ seq }) => seq),
        redriven,
      );
      for (const { seq } of packs) known.delete(seq);
    },
    failed: (error) => log.warn({ err: error }, 'confirmed rows could not be deleted; tried again'),
  });

  async function drain(): Promise<void> {
    try {
      while ((waiting.length > 0 || behind || refused !== undefined) && (await lease.held())) if ((await turn()) > 0) break;
      await Promise.all(underWay);
    } finally {
      await cleaner.flush();
    }
  }

  return {
    ...runnable(
      `${service} relay`,
      async () => {
        running = true;
        await cleaner.start();
        await publisher.start();
      },
      async () => {
        const bound = new AbortController();
        const finish = async (): Promise<void> => {
          await publisher.stop();
          await cleaner.stop();
          await drain().catch(failed); // what is left is found after the next start
          await lease.release().catch(failed);
          bound.abort();
        };
        await Promise.race([finish(), world.sleep(DRAIN_MS, bound.signal)]);
        running = false;
        telemetry.metrics.relayLeads.set({ service }, 0);
      },
    ),
    offer,
    lookNow() {
      lookAt = 0;
      publisher.wake();
    },
  };
}

const messagesIn = (packs: readonly Pack[]): number => packs.reduce((sum, { count }) => sum + count, 0);

interface CleanerOptions {
  readonly service: string;
  readonly world: World;
  remove(packs: readonly Pack[]): Promise<void>;
  failed(error: unknown): void;
}

/** Collects confirmed packs and removes them together: after `DELETE_MS`, or when there are `DELETE_ROWS`. */
function openCleaner({ service, world, remove, failed }: CleanerOptions): Runnable & { add(packs: readonly Pack[]): void; flush(): Promise<void> } {
  const done: Pack[] = [];
  let soon = false;

  async function flush(): Promise<void> {
    soon = false;
    const packs = done.splice(0);
    if (packs.length === 0) return;
    try {
      await remove(packs);
    } catch (error) {
      done.unshift(...packs);
      throw error;
    }
  }

  const idle = 60_000; // woken when there is something to do
  const worker = loop({
    name: `${service} outbox cleaner`,
    world,
    failed,
    async turn() {
      await flush();
      return idle;
    },
  });
  return {
    ...worker,
    flush,
    add(packs) {
      done.push(...packs);
      if (done.length >= DELETE_ROWS) return worker.wake();
      if (soon) return;
      soon = true;
      void world.sleep(DELETE_MS).then(() => worker.wake());
    },
  };
}
