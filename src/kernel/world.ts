/**
 * The world as a value: everything a program cannot compute from what it was given.
 *
 * Time, chance, identity and waiting come from here and from nowhere else, so that a simulator can hand down
 * another world and replay a run exactly. A test bans `Date.now`, `Math.random`, `setTimeout` and their kin elsewhere.
 */
import { randomFillSync } from 'node:crypto';
import { type Clock, steadyClock } from './clock.ts';

/** What an id is of. The prefix is part of the id, so that a person (and a log search) can tell what it names. */
// oxfmt-ignore
export type IdPrefix =
  | 'ord' | 'lin' | 'prd' | 'whs' | 'res' | 'pst' | 'pay' | 'pop' | 'shp' | 'prc' | 'lbl' | 'rtn' | 'ntf' | 'cus'
  | 'msg' | 'dl' | 'dlj' | 'tmr' | 'aud' | 'req' | 'adj' | 'rcp' | 'cnt' | 'mov' | 'trf' | 'hld' | 'rfd' | 'pid' | 'qst' | 'whk';

export interface World extends Clock {
  /** A new TypeID: `prefix_` and 26 characters of base 32, strictly increasing within the process. */
  id(prefix: IdPrefix): string;
  /** A number in [0, 1). */
  random(): number;
  /** Resolves after `ms` milliseconds, or at once when `signal` is aborted; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface MachineClocks {
  /** The machine's time, which somebody may set. */
  readonly wall?: () => number;
  /** Milliseconds that nobody can set. */
  readonly elapsed?: () => number;
  /** Milliseconds to add to the machine's time (test-clock.ts). */
  readonly ahead?: () => number;
}

/** The real world; a test may hand it clocks that it works itself. */
export function realWorld({ wall = Date.now, elapsed = () => performance.now(), ahead }: MachineClocks = {}): World {
  const clock = steadyClock(ahead === undefined ? wall : () => wall() + ahead(), elapsed);
  return { ...clock, id: typeIds(clock.now, randomBytes), random: Math.random, sleep };
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}

// Crockford's base 32, lower case, as TypeID 0.3 asks.
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const PAIRS = Array.from({ length: 1024 }, (_, n) => ALPHABET[n >> 5]! + ALPHABET[n & 31]!);

/**
 * Makes TypeIDs (prefix and UUIDv7, RFC 9562) that never go back: within one millisecond the 12 bits after the
 * version count up, and when they are spent, or the clock steps back, the id's millisecond runs ahead of the clock.
 *
 * Node's own `crypto.randomUUIDv7` is not monotonic (49,884 of 100,000 in a loop were out of order), and order matters:
 * ids are primary keys, and keyset pages and queues read them as time.
 *
 * A UUID of 128 bits is written as 26 × 5 = 130 bits, so two zero bits lead: 48 bits of time, 4 of version,
 * 12 counted, 2 of variant, 62 random.
 */
export function typeIds(now: () => number, bytes: () => Uint8Array): (prefix: IdPrefix) => string {
  let last = 0;
  let count = 0;
  let head = '';
  return (prefix) => {
    const ms = now();
    if (ms > last) {
      last = ms;
      count = 0;
      head = timeCharacters(last);
    } else if (count === 0xfff) {
      last += 1;
      count = 0;
      head = timeCharacters(last);
    } else {
      count += 1;
    }
    // After the 50 bits of `head` (2 zero bits and 48 of time) come 80 bits: 4 version, 12 count, 2 variant, 62 random.
    const r = bytes();
    const a = (0x7 << 16) | (count << 4) | 0x8 | ((r[0]! >> 6) & 0x3); // 20 bits: version, count, variant, 2 random
    const b = ((r[0]! & 0x3f) << 14) | (r[1]! << 6) | (r[2]! >> 2);
    const c = ((r[2]! & 0x3) << 18) | (r[3]! << 10) | (r[4]! << 2) | (r[5]! >> 6);
    const d = ((r[5]! & 0x3f) << 14) | (r[6]! << 6) | (r[7]! >> 2);
    return `${prefix}_${head}${twenty(a)}${twenty(b)}${twenty(c)}${twenty(d)}`;
  };
}

const twenty = (bits: number): string => PAIRS[bits >> 10]! + PAIRS[bits & 1023]!;

/** 50 bits: two zero bits and the 48 bits of the millisecond. */
function timeCharacters(ms: number): string {
  const high = Math.floor(ms / 2 ** 20); // 28 bits and the two zero bits make 30
  return PAIRS[high >> 20]! + twenty(high & 0xfffff) + twenty(ms % 2 ** 20);
}

const POOL_BYTES = 4096;
const pool = new Uint8Array(POOL_BYTES);
let poolAt = POOL_BYTES;

/** Eight random bytes out of a pool: one system call for 512 ids. */
function randomBytes(): Uint8Array {
  if (poolAt === POOL_BYTES) {
    randomFillSync(pool);
    poolAt = 0;
  }
  poolAt += 8;
  return pool.subarray(poolAt - 8, poolAt);
}

/** The least id of a prefix that can have been minted at `ms` or later. */
export const idFloor = (prefix: IdPrefix, ms: number): string => `${prefix}_${timeCharacters(ms)}${'0'.repeat(16)}`;

/** The millisecond an id was minted, as written in it; NaN when `id` is no TypeID. */
export function idTime(id: string): number {
  const text = id.slice(id.lastIndexOf('_') + 1);
  if (text.length !== 26) return Number.NaN;
  let ms = 0;
  for (let i = 0; i < 10; i += 1) ms = ms * 32 + ALPHABET.indexOf(text[i]!);
  return ms;
}
