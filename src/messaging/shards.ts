/**
 * Who publishes what of an outbox, among processes that share a PostgreSQL database. An outbox has shards, one unless settings say more;
 * messages of one key are in one shard, and a shard has one holder at a time, which keeps their order.
 *
 *   free ──take──> held ──renew every 5 s──> held ──┬─ 15 s without renewal ─────────────────────────> free
 *                                                   └─ more than my part ─> giving up, until what is   ^
 *                                                      under way has come to its end ──────────────────┘
 *
 * Each process that relays is a member, by a lease of its own. The parts are equal, the oldest members having one more where they cannot be.
 * So a process that joins gets its part within some 6 s, what one gives up that stops is taken within 1 s by a member without any and within
 * 5 s by the others, and the shards of one that died within 20 s.
 *
 * lease.ts says when a lease counts, and what its holder may rely on. SQLite files belong to one process, so there all is held always.
 */
import type { Database, Dialect } from '../db/database.ts';
import type { World } from '../kernel/world.ts';
import { MARGIN_MS, RENEW_MS, TERM_MS, giveUp, take } from './lease.ts';
import { databaseClock as clock } from './timekeeper.ts';

/** How often somebody looks who has less than its part. */
const WANT_MS = 1_000;

const leasesOf = (dialect: Dialect): string => `
  select name, owner, case when expires_at > now.ms and expires_at <= now.ms + ${TERM_MS} then 1 else 0 end as alive
  from lease, (select ${clock(dialect)} as ms) as now where starts_with(name, $1) or starts_with(name, $2)`;

export interface LeaseRow {
  readonly name: string;
  readonly owner: string;
  /** 1 while it counts. */
  readonly alive: number;
}

export interface Shares {
  /** Whether a shard is held now; takes and renews what is due. */
  held(shard: number): Promise<boolean>;
  /** To be called by whoever found a shard not held any more, when all it had under way has come to its end. */
  done(shard: number): Promise<void>;
  /** Gives up everything. */
  release(): Promise<void>;
}

const nameOf = (service: string, shard: number): string => `relay:${service}:${shard}`;
const memberOf = (service: string, owner: string): string => `relay:${service}@${owner}`;

/** How many shards each member is to hold, by name; the oldest first, since names are ids. Pure. */
export function partOf(shards: number, members: readonly string[], me: string): number {
  const rank = members.toSorted().indexOf(me);
  return Math.floor(shards / members.length) + (rank < shards % members.length ? 1 : 0);
}

/** What a member does, seeing these leases: the shards to hold from now on, and those to give up. Pure. */
export function planOf(shards: number, service: string, me: string, rows: readonly LeaseRow[]): { hold: number[]; give: number[]; part: number } {
  const alive = rows.filter((row) => row.alive === 1);
  const members = new Set([me, ...alive.filter(({ name }) => name.includes('@')).map(({ owner }) => owner)]);
  const part = partOf(shards, [...members], me);
  const ownerOf = new Map(alive.map(({ name, owner }) => [name, owner]));
  const all = Array.from({ length: shards }, (_, shard) => shard);
  const mine = all.filter((shard) => ownerOf.get(nameOf(service, shard)) === me);
  const free = all.filter((shard) => !ownerOf.has(nameOf(service, shard)));
  return { hold: [...mine, ...free].slice(0, part), give: mine.slice(part), part };
}

export function openShares(db: Database, service: string, shards: number, world: World): Shares {
  if (db.dialect.name === 'sqlite') return { held: async () => true, done: async () => undefined, release: async () => undefined };
  const owner = world.id('pid');
  let holding = new Set<number>();
  /** Given up as soon as their lanes say that nothing of them is under way. */
  let giving = new Set<number>();
  let until = 0;
  let renewAt = 0;
  let renewing: Promise<void> | undefined;

  async function renew(): Promise<void> {
    const asked = world.now();
    const rows = await db.read.raw<LeaseRow>(leasesOf(db.dialect), [`relay:${service}:`, `relay:${service}@`]);
    const { hold, give, part } = planOf(shards, service, owner, rows);
    const wanted = [memberOf(service, owner), ...[...hold, ...give].map((shard) => nameOf(service, shard))];
    const gone = rows.filter(({ name, alive }) => alive === 0 && name.includes('@'));
    const got = await db.write(async (tx) => {
      await tx.run(giveUp, gone);
      return tx.run(
        take,
        wanted.map((name) => ({ name, owner })),
      );
    });
    const names = new Set(got.map(({ name }) => name));
    holding = new Set(hold.filter((shard) => names.has(nameOf(service, shard))));
    giving = new Set(give.filter((shard) => names.has(nameOf(service, shard))));
    until = asked + TERM_MS - MARGIN_MS;
    renewAt = asked + (holding.size < Math.max(1, part) ? WANT_MS : RENEW_MS);
  }

  return {
    async held(shard) {
      if (world.now() >= renewAt) await (renewing ??= renew().finally(() => (renewing = undefined)));
      return holding.has(shard) && world.now() < until;
    },
    async done(shard) {
      if (!giving.delete(shard)) return;
      await db.write((tx) => tx.run(giveUp, [{ name: nameOf(service, shard), owner }]));
    },
    async release() {
      const names = [...holding, ...giving].map((shard) => nameOf(service, shard));
      holding = new Set();
      giving = new Set();
      if (until > 0)
        await db.write((tx) =>
          tx.run(
            giveUp,
            [...names, memberOf(service, owner)].map((name) => ({ name, owner })),
          ),
        );
      until = 0;
    },
  };
}
