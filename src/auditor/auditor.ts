/**
 * Recomputes everything from zero: walks all equations over all rows, chunk by chunk, and says what does not add up.
 *
 *   for each check: chunk of keys ──> both sides ──> differ? ──> once more, a moment later ──> differ in the same way? ──> violation
 *
 * Memory is one chunk, whatever the tables hold. Before each statement the event loop has its turn; a pass at low priority also rests
 * after each chunk, so that it takes a small share of the process.
 */
import type { Database } from '../db/database.ts';
import type { World } from '../kernel/world.ts';
import type { BelongsCheck, Discrepancy, Equation, JourneyCheck, RowCheck, StockCheck } from './equation.ts';
import { type Journey, existingOrders, readJourneys, sameJourney } from './journey.ts';
import { walkStock } from './stock-walk.ts';

export type Databases = Readonly<Record<string, Database>>;

export interface EquationResult {
  readonly id: string;
  readonly title: string;
  /** Rows (or orders) whose two sides were compared. */
  rows: number;
  violations: number;
  /** The first violation met. */
  first?: Discrepancy;
}

export interface AuditResult {
  readonly ok: boolean;
  readonly violations: number;
  readonly equations: readonly EquationResult[];
  /** Milliseconds UTC. */
  readonly started_at: number;
  readonly finished_at: number;
}

export interface PassOptions {
  readonly equations: readonly Equation[];
  readonly databases: Databases;
  readonly world: World;
  /** Keys compared at a time, at most. */
  readonly chunk: number;
  /** How long a chunk should take, milliseconds; chunks shrink and grow towards it. */
  readonly aim: number;
  /** How long to rest after a chunk that took `ms` milliseconds. */
  rest(ms: number): number;
  readonly signal?: AbortSignal;
}

/** What differs is looked at again after each of these, milliseconds, and counts when it differs still and nothing about it has moved. */
const LOOKS_AGAIN_MS = [20, 200, 2_000] as const;
/** With so many violations there is no doubt any more that something is wrong: one more look is enough for the rest. */
const DOUBTLESS = 100;

/** One full pass. Throws what a database throws: an audit that could not look has found nothing out. */
export async function runPass(given: PassOptions): Promise<AuditResult> {
  const options = { ...given, databases: Object.fromEntries(Object.entries(given.databases).map(([name, db]) => [name, yielding(db)])) };
  const { equations, world } = options;
  const started_at = world.now();
  const results = equations.map(({ id, title }): EquationResult => ({ id, title, rows: 0, violations: 0 }));

  const resultsOf = <Check extends Equation['checks'][number]>(kind: Check['kind']): Work<Check>[] =>
    equations.flatMap(({ checks }, i) => checks.flatMap((check) => (check.kind === kind ? [{ check: check as Check, result: results[i]! }] : [])));

  for (const { check, result } of resultsOf<RowCheck>('rows')) await walkRows(check, result, options);
  for (const { check, result } of resultsOf<BelongsCheck>('belongs')) await walkBelongings(check, result, options);
  await walkLedger(resultsOf<StockCheck>('stock'), options);
  // One walk over the orders serves all equations about them: what the services say of an order is read once.
  await walkJourneys(resultsOf<JourneyCheck>('journey'), options);

  const violations = results.reduce((sum, result) => sum + result.violations, 0);
  return { ok: violations === 0, violations, equations: results, started_at, finished_at: world.now() };
}

interface Work<Check> {
  readonly check: Check;
  readonly result: EquationResult;
}

type Side = string | number | null;
interface CheckedRow {
  readonly k1: string;
  readonly k2?: string;
  readonly subject: string;
  readonly expected: Side;
  readonly found: Side;
}
const FIRST_KEYS = ['', ''] as const;

async function walkRows(check: RowCheck, result: EquationResult, options: PassOptions): Promise<void> {
  const db = options.databases[check.service];
  if (db === undefined) return;
  const text = check.text(db.dialect);
  const pace = startPace(options);
  let after: readonly string[] = FIRST_KEYS.slice(0, check.keys);
  do {
    const found = await db.read.raw<CheckedRow>(text, [...after, pace.chunk()]);
    const last = found.at(-1);
    if (last === undefined) return;
    result.rows += found.length;
    for (const row of found) if (row.expected !== row.found) note(result, inWords(row));
    after = check.keys === 1 ? [last.k1] : [last.k1, last.k2!];
  } while (await pace.breathe());
}

const inWords = ({ subject, expected, found }: CheckedRow): Discrepancy => ({ subject, expected: String(expected), found: String(found) });

async function walkBelongings(check: BelongsCheck, result: EquationResult, options: PassOptions): Promise<void> {
  const { orders, [check.service]: db } = options.databases;
  if (orders === undefined || db === undefined) return;
  const pace = startPace(options);
  let after = '';
  do {
    const found = await db.read.raw<{ k1: string; order_id: string; subject: string }>(check.text, [after, pace.chunk()]);
    const last = found.at(-1);
    if (last === undefined) return;
    const known = await existingOrders(orders.read, [...new Set(found.map(({ order_id }) => order_id))]);
    result.rows += found.length;
    for (const { order_id, subject } of found)
      if (!known.has(order_id)) note(result, { subject, expected: `order ${order_id}`, found: 'no such order' });
    after = last.k1;
  } while (await pace.breathe());
}

async function walkLedger(work: readonly Work<StockCheck>[], options: PassOptions): Promise<void> {
  const { inventory: db } = options.databases;
  if (db === undefined || work.length === 0) return;
  const tell =
    (side: StockCheck['side']) =>
    (discrepancy?: Discrepancy): void => {
      for (const { result } of work.filter(({ check }) => check.side === side)) {
        result.rows += 1;
        if (discrepancy !== undefined) note(result, discrepancy);
      }
    };
  await walkStock({ db, ...startPace(options), balance: tell('balances'), sku: tell('skus') });
}

async function walkJourneys(work: readonly Work<JourneyCheck>[], options: PassOptions): Promise<void> {
  const { databases } = options;
  if (databases['orders'] === undefined || work.length === 0) return;
  const pace = startPace(options);
  let after = '';
  do {
    const journeys = await readJourneys(databases, { after, limit: pace.chunk() });
    const last = journeys.at(-1);
    if (last === undefined) return;
    for (const { result } of work) result.rows += journeys.length;
    await compare(journeys, work, options);
    after = last.order.id;
  } while (await pace.breathe());
}

/** Compares orders; what differs is looked at again, because services are read one after the other and work goes on meanwhile. */
async function compare(journeys: readonly Journey[], work: readonly Work<JourneyCheck>[], { databases, world, signal }: PassOptions): Promise<void> {
  const differs = (journey: Journey): boolean => work.some(({ check }) => check.find(journey, world.now()) !== undefined);
  let suspects = journeys.filter(differs);
  const sure = work.reduce((sum, { result }) => sum + result.violations, 0) >= DOUBTLESS;
  for (const pause of sure ? LOOKS_AGAIN_MS.slice(0, 1) : LOOKS_AGAIN_MS) {
    if (suspects.length === 0) return;
    await world.sleep(pause, signal);
    const before = new Map(suspects.map((journey) => [journey.order.id, journey]));
    const again = await readJourneys(databases, { ids: [...before.keys()] });
    // What has moved is met again by the next pass.
    suspects = again.filter((journey) => sameJourney(before.get(journey.order.id)!, journey) && differs(journey));
  }
  for (const journey of suspects) {
    for (const { check, result } of work) {
      const discrepancy = check.find(journey, world.now());
      if (discrepancy !== undefined) note(result, discrepancy);
    }
  }
}

function note(result: EquationResult, discrepancy: Discrepancy): void {
  result.violations += 1;
  result.first ??= discrepancy;
}

/** A walk's way not to be in the way: chunks of bounded time, and rests between them. */
interface Pace {
  /** How many keys to take next. */
  chunk(): number;
  /** After a chunk; answers false when it is time to stop. */
  breathe(): Promise<boolean>;
}

const CHUNK_LEAST = 10;

function startPace({ world, chunk: most, aim, rest, signal }: PassOptions): Pace {
  let chunk = Math.min(most, CHUNK_LEAST);
  let begun = world.now();
  return {
    chunk: () => chunk,
    async breathe() {
      const took = world.now() - begun;
      if (took > aim) chunk = Math.max(Math.min(most, CHUNK_LEAST), Math.floor((chunk * aim) / took));
      else if (took * 2 < aim) chunk = Math.min(most, chunk * 2);
      const pause = rest(took);
      if (pause > 0) await world.sleep(pause, signal);
      begun = world.now();
      return signal?.aborted !== true;
    },
  };
}

/** Reads that let the event loop have its turn first: SQLite answers at once, and a row of such answers would hold everybody else. */
function yielding(db: Database): Database {
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const { read } = db;
  return {
    ...db,
    read: {
      ...read,
      run: async (statement, rows) => (await turn(), read.run(statement, rows)),
      raw: async (text, parameters) => (await turn(), read.raw(text, parameters)),
    },
  };
}
