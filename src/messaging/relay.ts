/**
 * The relay: outbox rows to the transport, in order, deleted once confirmed. README.md draws the states of a row.
 *
 * What was committed in this process comes in memory and is never read back. Everything else is found by a look at the table.
 *
 * The outbox has shards, and each its lane here; a lane works while its shard is held (shards.ts). Where other processes write into the same
 * outbox, what came in memory is published only after a look that began later: a row of the same key that another process committed before
 * would else be overtaken.
 */
import type { Message } from '../contracts/envelope.ts';
import type { Database } from '../db/database.ts';
import { failpoint } from '../kernel/failpoints.ts';
import { type Runnable, backoff, loop, runnable, startAll } from '../kernel/lifecycle.ts';
import type { Telemetry } from '../kernel/telemetry.ts';
import type { World } from '../kernel/world.ts';
import { countOutbox } from './backlog.ts';
import { openCleaner } from './cleaner.ts';
import { lowMark } from './low-mark.ts';
import { type Pack, lastPlace, placesAbove, placesBeyond, readPacks } from './outbox.ts';
import { type Shares, openShares } from './shards.ts';
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
/** How long to leave a transport alone that refused, the first time and at most: a broker that is back is noticed within that. */
const REST = { first: 50, most: 2_000 };
/** What is committed here is told of within this time. */
const TOLD_MS = 1_000;
/** How long a stopping relay goes on publishing what is committed. */
const DRAIN_MS = 5_000;
/** And how long it tries to give its leases back. */
const RELEASE_MS = 2_000;

export interface Relay extends Runnable {
  /** Told of packs after their commit. */
  offer(packs: readonly Pack[]): void;
  /** Something was said elsewhere: look for it now, not within half a second. */
  lookNow(): void;
}

export interface RelayOptions {
  readonly service: string;
  /** Of the outbox; 1 when absent. */
  readonly shards?: number | undefined;
  /** Other processes are known to write into the same outbox. */
  readonly divided?: boolean | undefined;
  readonly db: Database;
  readonly world: World;
  readonly telemetry: Telemetry;
  readonly transport: Transport;
  /** Makes dead letters of packs no queue takes, and deletes their rows, in one transaction. */
  unroutable(packs: readonly Pack[]): Promise<void>;
  /** Deletes confirmed rows; `redriven` are messages among them that had been unroutable before. */
  confirmed(packs: readonly Pack[], redriven: readonly Message[]): Promise<void>;
}

export function openRelay({ shards = 1, ...options }: RelayOptions): Relay {
  const { service, db, world, telemetry } = options;
  const shares = openShares(db, service, shards, world);
  const states = Array.from({ length: shards }, () => ({ leads: false, depth: 0 }));
  const told = (shard: number, state: Partial<LaneState>): void => {
    Object.assign(states[shard]!, state);
    telemetry.metrics.outboxDepth.set(
      { service },
      states.reduce((sum, { depth }) => sum + depth, 0),
    );
    telemetry.metrics.relayLeads.set({ service }, states.filter(({ leads }) => leads).length / shards);
  };
  const lanes = states.map((_, shard) => openLane({ ...options, shard, shards, shares, told: (state) => told(shard, state) }));
  return {
    ...runnable(
      `${service} relay`,
      () => startAll(lanes),
      async () => {
        await Promise.all(lanes.map((lane) => lane.stop()));
        const failed = (error: unknown): void => telemetry.log.warn({ err: error, service }, 'a lease was not given back; it runs out');
        const bound = new AbortController();
        await Promise.race([shares.release().catch(failed), world.sleep(RELEASE_MS, bound.signal)]);
        bound.abort();
      },
    ),
    offer(packs) {
      const [first] = packs;
      if (first === undefined) return;
      if (shards === 1) lanes[0]!.offer(packs);
      else for (const shard of new Set(packs.map((pack) => pack.shard))) lanes[shard]!.offer(packs.filter((pack) => pack.shard === shard));
    },
    lookNow() {
      for (const lane of lanes) lane.lookNow();
    },
  };
}

interface LaneState {
  readonly leads: boolean;
  /** Messages committed and not confirmed, as far as is known. */
  readonly depth: number;
}

interface LaneOptions extends Omit<RelayOptions, 'shards'> {
  readonly shard: number;
  readonly shards: number;
  readonly shares: Shares;
  told(state: Partial<LaneState>): void;
}

/** What happens to the rows of one shard. The first lane also takes what lies in shards there are no more. */
function openLane({
  service,
  shard,
  shards,
  divided = false,
  shares,
  told,
  db,
  world,
  telemetry,
  transport,
  unroutable,
  confirmed,
}: LaneOptions): Relay {
  const log = telemetry.log.child({ service, part: 'relay' });
  const shared = db.dialect.name === 'postgres'; // other processes may write into the same outbox
  const heldMax = HELD_MAX / shards;
  const waiting: Pack[] = [];
  /** Rows that are waiting, in flight, or confirmed and not yet deleted: a look passes over them. */
  const known = new Set<number>();
  let held = 0; // messages in `waiting`
  /** Publishes whose confirms have not come. They never reject: what failed is `refused`. */
  const underWay = new Set<Promise<void>>();
  let unconfirmed = 0; // messages in them
  let refused: { readonly packs: Pack[]; error: unknown } | undefined;
  const rest = openRest(world);
  /** Rows up to this one lay there at the start. */
  let oldTo: number | undefined;
  let running = false;
  /** The table has rows that are not in memory; until they are read, later ones must not overtake them. */
  let behind = true;
  let spills = 0;
  let lookAt = 0;
  let lookEvery = LOOK_FIRST_MS;
  /** Other processes write into this outbox: known beforehand, or because a look has found what nobody told of within a second. */
  let others = divided || shards > 1;
  const untold = new Map<number, number>();
  /** The highest place known. */
  let top = 0;
  const low = lowMark();
  /** What was offered since the last look began, where there are others. */
  let unchecked = new Set<number>();

  function offer(packs: readonly Pack[]): void {
    for (const pack of packs) {
      if (known.has(pack.seq)) {
        untold.delete(pack.seq); // the look was quicker
        continue;
      }
      if (!running || behind || held >= heldMax) {
        behind = true;
        spills += 1;
        continue;
      }
      if (others) unchecked.add(pack.seq);
      hold(pack);
    }
    publisher.wake();
  }

  function hold(pack: Pack): void {
    known.add(pack.seq);
    top = Math.max(top, pack.seq);
    waiting.push(pack);
    held += pack.count;
  }

  /** Reads the lowest rows that are not held. */
  async function look(): Promise<void> {
    oldTo ??= await lastPlace(db);
    const now = world.now();
    const [spillsBefore, complete] = [spills, !behind];
    unchecked = new Set();
    others ||= shared && [...untold.values()].some((at) => now - at >= TOLD_MS);
    const { above, sweep } = shared ? low.next(now, top) : { above: 0, sweep: false };
    const places = await placesAbove(db, shard, above, known.size + BATCH_PACKS);
    if (sweep && shard === 0) places.push(...(await placesBeyond(db, shards, BATCH_PACKS)));
    const unknown = places.filter(({ seq }) => !known.has(seq)).slice(0, BATCH_PACKS);
    for (const pack of await readPacks(db, unknown)) {
      if (known.has(pack.seq)) continue;
      if (complete && !others) untold.set(pack.seq, now);
      hold(pack.seq <= oldTo ? { ...pack, again: true } : pack);
    }
    if (others) waiting.sort((a, b) => a.seq - b.seq);
    behind = unknown.length === BATCH_PACKS || spills !== spillsBefore;
    lookEvery = unknown.length > 0 || !shared ? (shared ? LOOK_FIRST_MS : LOOK_MS) : Math.min(LOOK_MS, lookEvery * 1.5);
    lookAt = world.now() + lookEvery;
    await measure();
  }

  async function measure(): Promise<void> {
    told({ depth: behind ? await countOutbox(db, shard) : held + unconfirmed });
  }

  async function turn(): Promise<number> {
    const leads = await shares.held(shard);
    told({ leads });
    if (!leads) {
      await forget(); // whoever holds the shard finds the rows
      await shares.done(shard);
      return 1_000;
    }
    if (refused !== undefined) await takeBack();
    if (rest.left() > 0) return rest.left(); // whoever wakes it has something to publish, not a broker
    if (unconfirmed >= UNCONFIRMED_MAX) {
      await Promise.race(underWay);
      return 0;
    }
    if ((waiting.length === 0 && (behind || world.now() >= lookAt)) || unchecked.size > 0) await look();
    if (waiting.length === 0) return Math.max(1, lookAt - world.now());
    const batch = take();
    if (batch.length > 0) send(batch);
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
    rest.begin();
    throw error;
  }

  function take(): Pack[] {
    let packs = 0;
    let messages = 0;
    const isNext = (pack: Pack | undefined): boolean => pack !== undefined && !unchecked.has(pack.seq);
    while (isNext(waiting[packs]) && packs < BATCH_PACKS && messages < BATCH_MESSAGES) messages += waiting[packs++]!.count;
    held -= messages;
    return waiting.splice(0, packs).sort((a, b) => a.seq - b.seq);
  }

  async function publish(batch: readonly Pack[]): Promise<void> {
    await failpoint('relay.before_publish');
    const outcomes = await transport.publish(batch);
    rest.over();
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

  async function forget(): Promise<void> {
    behind = true;
    for (const { seq } of waiting.splice(0)) known.delete(seq);
    held = 0;
    await Promise.all(underWay);
    for (const { seq } of refused?.packs ?? []) known.delete(seq);
    refused = undefined;
    await cleaner.flush();
    untold.clear();
    unchecked.clear();
    top = 0;
    low.forget();
  }

  const failed = (error: unknown): void => log.warn({ err: error }, 'publishing failed; the same packs again, in order, after a rest');
  const publisher = loop({ name: `${service} relay ${shard}`, world, turn, failed });
  const cleaner = openCleaner({
    service,
    world,
    async remove(packs) {
      await failpoint('relay.before_delete');
      const redriven = packs.flatMap(({ destination, messages }) =>
        destination === null ? messages.filter(({ redrive }) => redrive !== undefined) : [],
      );
      await confirmed(packs, redriven);
      for (const { seq } of packs) known.delete(seq);
    },
    failed: (error) => log.warn({ err: error }, 'confirmed rows could not be deleted; tried again'),
  });

  async function drain(): Promise<void> {
    try {
      while ((waiting.length > 0 || behind || refused !== undefined) && (await shares.held(shard))) if ((await turn()) > 0) break;
      await Promise.all(underWay);
    } finally {
      await cleaner.flush();
    }
  }

  return {
    ...runnable(
      `${service} relay ${shard}`,
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
          bound.abort();
        };
        await Promise.race([finish(), world.sleep(DRAIN_MS, bound.signal)]);
        running = false;
        told({ leads: false });
      },
    ),
    offer,
    lookNow() {
      lookAt = 0;
      publisher.wake();
    },
  };
}

/** Ever longer, until a publish is confirmed: that one could be begun says nothing. */
function openRest({ now, random }: World) {
  let refusals = 0;
  let until = 0;
  return {
    left: () => Math.max(0, until - now()),
    begin: () => (until = now() + backoff((refusals += 1), REST, random())),
    over: () => (refusals = 0),
  };
}

const messagesIn = (packs: readonly Pack[]): number => packs.reduce((sum, { count }) => sum + count, 0);
