/**
 * The outbox: what a transaction said, as rows of that transaction, until the broker has confirmed it.
 *
 * A row is a pack: all messages of one type (and one destination) that one transaction said, as a JSON array. A batch of 200
 * reservations is one row, one broker message and one delete instead of 200 of each; the reader unpacks.
 *
 * On PostgreSQL an outbox may have shards, so that several relays share it: then a pack holds messages of one shard, which follows from
 * their key. Messages of one key are always in the same.
 */
import { crc32 } from 'node:zlib';
import { type Message, encodeMessage } from '../contracts/envelope.ts';
import { type Database, type Tx, statement } from '../db/database.ts';

export interface Pack {
  /** The position in the outbox; 0 before the pack is stored. */
  readonly seq: number;
  readonly shard: number;
  readonly type: string;
  /** The one queue it is for; null: whoever subscribes to the type. */
  readonly destination: string | null;
  readonly messages: readonly Message[];
  /** How many they are. */
  readonly count: number;
  /** `messages` as JSON: encoded once, stored in the outbox and handed to the broker as it is. */
  readonly body: string;
  /** It lay in the outbox when the program started, so it may have been published before. */
  readonly again?: boolean;
}

/** Packs hold this many messages at most, and are closed once they are this long, so that no body comes near the limits of brokers. */
export const PACK_MAX = 200;
const PACK_LENGTH = 2_000_000;

interface OpenPack {
  readonly shard: number;
  readonly messages: Message[];
  readonly texts: string[];
  length: number;
}

/** The shard of a key. Every process must come to the same, so this never changes. */
const shardOf = (key: string, shards: number): number => (shards === 1 ? 0 : crc32(key) % shards);

/** Groups messages by type and shard, in the order they were said. Pure. */
export function packsOf(messages: readonly Message[], destination: string | null = null, shards = 1): Pack[] {
  const open = new Map<string, OpenPack>();
  const packs: OpenPack[] = [];
  for (const message of messages) {
    const shard = shardOf(message.partitionkey, shards);
    const group = shards === 1 ? message.type : `${shard} ${message.type}`;
    let pack = open.get(group);
    if (pack === undefined || pack.messages.length === PACK_MAX || pack.length >= PACK_LENGTH) {
      pack = { shard, messages: [], texts: [], length: 0 };
      open.set(group, pack);
      packs.push(pack);
    }
    const text = encodeMessage(message);
    pack.messages.push(message);
    pack.texts.push(text);
    pack.length += text.length;
  }
  return packs.map(({ shard, messages: said, texts }) => {
    const body = `[${texts.join(',')}]`;
    return { seq: 0, shard, type: said[0]!.type, destination, messages: said, count: said.length, body };
  });
}

interface OutboxRow {
  readonly shard: number;
  readonly ordinal: number;
  readonly type: string;
  readonly destination: string | null;
  readonly body: string;
  readonly messages: number;
  readonly created_at: number;
}

const insertPacks = statement<OutboxRow, { seq: number; ordinal: number }>(
  { shard: 'integer', ordinal: 'integer', type: 'text', destination: 'text', body: 'text', messages: 'integer', created_at: 'bigint' },
  (rows) => `
    insert into outbox (shard, ordinal, type, destination, body, messages, created_at)
    select row.shard, row.ordinal, row.type, row.destination, row.body, row.messages, row.created_at from ${rows} order by row.ordinal
    returning seq, ordinal`,
);

const insertPack = `
  insert into outbox (ordinal, type, destination, body, messages, created_at) values ($1, $2, $3, $4, $5, $6) returning seq`;

/** Stores packs in the transaction that said them; answers them with their places. */
export async function appendPacks(tx: Tx, packs: readonly Pack[], now: number): Promise<Pack[]> {
  if (tx.dialect.name === 'sqlite') return appendEach(tx, packs, now);
  const rows = packs.map(({ shard, type, destination, body, count }, ordinal) => ({
    shard,
    ordinal,
    type,
    destination,
    body,
    messages: count,
    created_at: now,
  }));
  const stored = await tx.run(insertPacks, rows);
  return stored.sort((a, b) => a.ordinal - b.ordinal).map(({ seq, ordinal }) => ({ ...packs[ordinal]!, seq }));
}

/**
 * SQLite has no round trips to save, and rows here are few and large: writing bodies into the JSON of a set and parsing them out again
 * costs 1 µs a message, a sixth of all that the kernel spends on it.
 */
async function appendEach(tx: Tx, packs: readonly Pack[], now: number): Promise<Pack[]> {
  const stored: Pack[] = [];
  for (const [ordinal, pack] of packs.entries()) {
    const { type, destination, body, count } = pack;
    const [row] = await tx.raw<{ seq: number }>(insertPack, [ordinal, type, destination, body, count, now]);
    stored.push({ ...pack, seq: row!.seq });
  }
  return stored;
}

type Place = Pick<Pack, 'shard' | 'seq'>;

const deleteRows = statement<Place>({ shard: 'integer', seq: 'bigint' }, (rows, dialect) =>
  dialect.name === 'sqlite'
    ? `delete from outbox where seq in (select row.seq from ${rows})`
    : `delete from outbox where (shard, seq) in (select row.shard, row.seq from ${rows})`,
);
/** Forgets packs that are where they belong. */
export const removePacks = (tx: Tx, packs: readonly Place[]): Promise<unknown> =>
  tx.run(
    deleteRows,
    packs.map(({ shard, seq }) => ({ shard, seq })),
  );

const findRows = {
  sqlite: 'select seq, 0 as shard from outbox where $1 = 0 and seq > $2 order by seq limit $3',
  postgres: 'select seq, shard from outbox where shard = $1 and seq > $2 order by seq limit $3',
} as const;
/** The places of the lowest rows of a shard above one. */
export const placesAbove = ({ dialect, read }: Database, shard: number, seq: number, limit: number): Promise<Place[]> =>
  read.raw<Place>(findRows[dialect.name], [shard, seq, limit]);

/** The same of rows that lie in shards there are no more; none on SQLite, which has one. */
export const placesBeyond = ({ read }: Database, shards: number, limit: number): Promise<Place[]> =>
  read.raw<Place>('select seq, shard from outbox where shard >= $1 order by shard, seq limit $2', [shards, limit]);

const readRows = statement<Place, Place & { type: string; destination: string | null; body: string }>(
  { shard: 'integer', seq: 'bigint' },
  (rows, dialect) => `
    select o.seq, row.shard, o.type, o.destination, o.body from outbox o
    join ${rows} on o.seq = row.seq ${dialect.name === 'sqlite' ? '' : 'and o.shard = row.shard'} order by o.seq`,
);
export async function readPacks({ read }: Database, places: readonly Place[]): Promise<Pack[]> {
  const rows = await read.run(readRows, places);
  return rows.map((row) => {
    const messages = JSON.parse(row.body) as Message[];
    return { ...row, messages, count: messages.length };
  });
}

/** The highest place given out so far that still has its row; 0 when there is none. */
export async function lastPlace({ read }: Database): Promise<number> {
  return (await read.raw<{ seq: number }>('select coalesce(max(seq), 0) as seq from outbox'))[0]!.seq;
}
