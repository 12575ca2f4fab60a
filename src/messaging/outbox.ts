/**
 * The outbox: what a transaction said, as rows of that transaction, until the broker has confirmed it.
 *
 * A row is a pack: all messages of one type (and one destination) that one transaction said, as a JSON array. A batch of 200
 * reservations is one row, one broker message and one delete instead of 200 of each; the reader unpacks.
 */
import { type Message, encodeMessage } from '../contracts/envelope.ts';
import { type Tx, statement } from '../db/database.ts';

export interface Pack {
  /** The position in the outbox; 0 before the pack is stored. */
  readonly seq: number;
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
  readonly messages: Message[];
  readonly texts: string[];
  length: number;
}

/** Groups messages by type, in the order they were said. Pure. */
export function packsOf(messages: readonly Message[], destination: string | null = null): Pack[] {
  const open = new Map<string, OpenPack>();
  const packs: OpenPack[] = [];
  for (const message of messages) {
    let pack = open.get(message.type);
    if (pack === undefined || pack.messages.length === PACK_MAX || pack.length >= PACK_LENGTH) {
      pack = { messages: [], texts: [], length: 0 };
      open.set(message.type, pack);
      packs.push(pack);
    }
    const text = encodeMessage(message);
    pack.messages.push(message);
    pack.texts.push(text);
    pack.length += text.length;
  }
  return packs.map(({ messages, texts }) => {
    const body = `[${texts.join(',')}]`;
    return { seq: 0, type: messages[0]!.type, destination, messages, count: messages.length, body };
  });
}

interface OutboxRow {
  readonly ordinal: number;
  readonly type: string;
  readonly destination: string | null;
  readonly body: string;
  readonly messages: number;
  readonly created_at: number;
}

const insertPacks = statement<OutboxRow, { seq: number; ordinal: number }>(
  { ordinal: 'integer', type: 'text', destination: 'text', body: 'text', messages: 'integer', created_at: 'bigint' },
  (rows) => `
    insert into outbox (ordinal, type, destination, body, messages, created_at)
    select row.ordinal, row.type, row.destination, row.body, row.messages, row.created_at from ${rows} order by row.ordinal
    returning seq, ordinal`,
);

const insertPack = `
  insert into outbox (ordinal, type, destination, body, messages, created_at) values ($1, $2, $3, $4, $5, $6) returning seq`;

/** Stores packs in the transaction that said them; answers them with their places. */
export async function appendPacks(tx: Tx, packs: readonly Pack[], now: number): Promise<Pack[]> {
  if (tx.dialect.name === 'sqlite') return appendEach(tx, packs, now);
  const rows = packs.map(({ type, destination, body, count }, ordinal) => ({
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
