/**
 * What is done with the goods of orders: load, let the domain decide, save and say, in one transaction.
 */
import type { DataOf, EventType } from '../contracts/messages.ts';
import { Fault } from '../kernel/errors.ts';
import type { Saying, TimerSaying, Unit } from '../messaging/mailbox.ts';
import { type Stock, free, freed, stockOf } from './domain.ts';
import { type Claims, type Part, claimsOf, fill } from './domain-claims.ts';
import { type Decided, type StockCommand, decideAll, filledAnswers, frees, linesOf } from './domain-decide.ts';
import type { Place } from './domain-distance.ts';
import { type Desk, NEEDS_LINE, departuresOf, partsOf } from './domain-parted.ts';
import type { Reservation, StockAnswer } from './domain-reservations.ts';
import type { Transfer } from './domain-transfers.ts';
import * as catalogue from './store.ts';
import * as claimStore from './store-claims.ts';
import { loadReservations, saveReservations } from './store-reservations.ts';
import * as store from './store-stock.ts';

/**
 * Decides about N orders in the order in which the commands arrived. Of ordinary reservations with at most eight statements, whatever
 * N: load and lock the reservations (and the lines they hold) and every level involved, decide in memory, write sums, rows and
 * postings. What is not ordinary costs a statement for each kind of row it has.
 */
export async function moveStock(unit: Unit, commands: readonly StockCommand[]): Promise<void> {
  const { tx, now } = unit;
  await lockReturnWarehouses(unit, commands);
  const known = await loadReservations(
    tx,
    commands.map(({ data }) => data.order_id),
    new Set(commands.filter(({ type }) => WHOLE.has(type)).map(({ data }) => data.order_id)),
  );
  const skus = [...new Set(skusOf(commands, known))];
  const levels = await store.lockStock(tx, skus);
  const books = await readBooks(unit, commands, known, levels);
  const { desk, decided } = await decideOn(unit, { commands, known, levels, books, skus });

  await saveReservations(tx, known, [...decided.reservations.values()], now);
  await saveTimers(unit, known, decided.reservations);
  await claimStore.saveDepartures(tx, desk.departures.now, desk.returns.now, now);
  const cause = commands.findLast(frees);
  const filled = filledAnswers(desk).map((answer) => ({ ...answer, ...(cause && { cause }) }));
  await saveMoved(unit, desk, [...decided.answers, ...filled]);
}

/** Commands that need to know all of a reservation, ordinary or not. */
const WHOLE: ReadonlySet<StockCommand['type']> = new Set(['stock.change', 'stock.renew', 'stock.take_back', 'shipment.shorted']);

/** Every sku a command may move: of lines wanted, and of lines held. */
function* skusOf(commands: readonly StockCommand[], known: ReadonlyMap<string, Reservation>): Generator<string> {
  for (const command of commands) {
    const reservation = known.get(command.data.order_id);
    for (const { sku } of reservation?.lines ?? []) yield sku;
    if (command.type !== 'stock.reserve' || reservation === undefined) for (const { sku } of linesOf(command)) yield sku;
  }
}

/** Goods may come back to where the sku never was. The warehouse stays locked, so that it cannot be archived under them. */
async function lockReturnWarehouses({ tx, now }: Unit, commands: readonly StockCommand[]): Promise<void> {
  const returns = commands.filter((command) => command.type === 'stock.take_back').map(({ data }) => data);
  if (returns.length === 0) return;
  const ids = [...new Set(returns.map(({ warehouse_id }) => warehouse_id))];
  const open = new Map((await catalogue.lockWarehouses(tx, ids)).map((warehouse) => [warehouse.id, warehouse]));
  for (const { return_id, warehouse_id } of returns) {
    const warehouse = open.get(warehouse_id);
    if (warehouse === undefined) throw new Fault('warehouse_not_found', `${return_id} is brought to ${warehouse_id}, which does not exist`);
    if (warehouse.archived_at !== null) throw new Fault('warehouse_archived', `${return_id} is brought to ${warehouse_id}, which is archived`);
  }
  await store.beginLevels(
    tx,
    returns.flatMap(({ warehouse_id, lines }) => lines.map(({ sku }) => ({ sku, warehouse_id }))),
    now,
  );
}

/** What is known of the orders beside their headers and lines; nothing, of ordinary ones. */
interface Books {
  readonly parts: readonly Part[];
  readonly entries: Awaited<ReturnType<typeof claimStore.loadEntries>>;
  readonly departures: Desk['departures']['before'];
  readonly returns: Desk['returns']['before'];
  readonly places: ReadonlyMap<string, Place>;
}

async function readBooks(
  { tx }: Unit,
  commands: readonly StockCommand[],
  known: ReadonlyMap<string, Reservation>,
  levels: Awaited<ReturnType<typeof store.lockStock>>,
): Promise<Books> {
  const parted = [...known.values()].filter(({ status }) => status === 'parted').map(({ order_id }) => order_id);
  const of = (type: StockCommand['type']): string[] => commands.filter((command) => command.type === type).map(({ data }) => data.order_id);
  const committing = new Set(of('stock.commit'));
  const nearest = [...known.values()].some(({ detail }) => detail?.asked?.strategy === 'nearest') || commands.some(asksNearest);
  return {
    parts: await claimStore.loadParts(tx, parted),
    entries: await claimStore.loadEntries(tx, parted),
    departures: departuresOf(
      await claimStore.loadDepartures(
        tx,
        parted.filter((id) => committing.has(id)),
      ),
    ),
    returns: await claimStore.loadReturns(tx, of('stock.take_back')),
    places: nearest
      ? await catalogue.findPlaces(
          tx,
          levels.map(({ warehouse_id }) => warehouse_id),
        )
      : new Map(),
  };
}

const asksNearest = ({ data }: StockCommand): boolean => 'allocation' in data && data.allocation?.strategy === 'nearest';

interface Found {
  readonly commands: readonly StockCommand[];
  readonly known: ReadonlyMap<string, Reservation>;
  readonly levels: Awaited<ReturnType<typeof store.lockStock>>;
  readonly books: Books;
  readonly skus: readonly string[];
}

/**
 * Decides. Who waits is read as far as what may become free reaches, and how long the line is when somebody must join it; when the
 * decisions turn out to need more than was read they are made again, on more.
 */
async function decideOn(unit: Unit, { commands, known, levels, books, skus }: Found): Promise<{ desk: Desk; decided: Decided }> {
  const { tx, now } = unit;
  const offers = commands.some(frees) ? offersOf(commands, known, books.parts) : [];
  let room: Desk['room'];
  for (let reach = 1; ; reach *= REACH) {
    const offered = offers.map((offer) => ({ ...offer, pieces: offer.pieces * reach }));
    const waiting = await claimStore.loadWaiting(tx, offered);
    const own = new Set(books.entries.map(keyOf));
    const others = [...new Map(waiting.map((entry) => [keyOf(entry), entry])).values()].filter((entry) => !own.has(keyOf(entry)));
    const desk: Desk = {
      stock: stockOf(levels),
      claims: claimsOf(books.parts, [...books.entries, ...others]),
      now,
      places: books.places,
      room,
      departures: { before: books.departures, now: [] },
      returns: { before: books.returns, now: [] },
      filled: new Map(),
    };
    const decided = decideAll(commands, known, desk);
    if (decided === NEEDS_LINE) {
      room = await claimStore.lockLine(tx, skus);
      reach /= REACH;
    } else if (!offered.some((offer) => isShort(offer, waiting, desk))) {
      const queued = new Set(
        desk.claims.changes().entries.flatMap(({ was, now: entry }) => (entry.quantity > (was?.quantity ?? 0) ? [entry.sku] : [])),
      );
      await expectNoNewLevels(unit, desk.stock, queued);
      return { desk, decided };
    }
  }
}
const REACH = 8;
const keyOf = ({ order_id, line_id }: { order_id: string; line_id: string }): string => `${order_id}\n${line_id}`;

/** What the commands may set free, and where. */
function offersOf(commands: readonly StockCommand[], known: ReadonlyMap<string, Reservation>, parts: readonly Part[]): claimStore.Offer[] {
  const claims = claimsOf(parts, []);
  const offers = new Map<string, claimStore.Offer>();
  const offer = (sku: string, warehouse_id: string, pieces: number): void => {
    const key = `${sku}\n${warehouse_id}`;
    offers.set(key, { sku, warehouse_id, pieces: pieces + (offers.get(key)?.pieces ?? 0) });
  };
  for (const command of commands.filter(frees)) {
    const reservation = known.get(command.data.order_id);
    if (reservation !== undefined)
      for (const { sku, warehouse_id, held } of partsOf(reservation, claims)) if (held > 0) offer(sku, warehouse_id, held);
    if (command.type === 'stock.take_back') for (const { sku, quantity } of command.data.lines) offer(sku, command.data.warehouse_id, quantity);
  }
  return [...offers.values()];
}

/** Is something left over while not everybody was asked who waits? */
function isShort(
  { sku, warehouse_id, pieces }: claimStore.Offer,
  waiting: readonly { sku: string; warehouse_id: string | null; quantity: number }[],
  { stock }: Desk,
): boolean {
  const cell = stock.cell(sku, warehouse_id);
  if (cell === undefined || free(cell) <= 0) return false;
  const asked = waiting.reduce(
    (sum, entry) => sum + (entry.sku === sku && (entry.warehouse_id ?? warehouse_id) === warehouse_id ? entry.quantity : 0),
    0,
  );
  return asked >= pieces;
}

async function saveTimers(unit: Unit, known: ReadonlyMap<string, Reservation>, decided: ReadonlyMap<string, Reservation>): Promise<void> {
  const timers: TimerSaying[] = [];
  const cancelled: string[] = [];
  for (const [order_id, { detail }] of decided) {
    const key = `expire:${order_id}`;
    const dueAt = detail?.expires_at ?? null;
    if (dueAt !== null) timers.push({ key, dueAt, saying: { type: 'stock.expire', subject: order_id, data: { order_id } } });
    else if ((known.get(order_id)?.detail?.expires_at ?? null) !== null) cancelled.push(key);
  }
  if (timers.length > 0) await unit.setTimers(timers);
  if (cancelled.length > 0) await unit.cancelTimers(cancelled);
}

// ── What every movement of stock has in common ───────────────────────────────────────────────────────────────────────────────

/**
 * Whoever lets somebody wait holds the line and looks once more: a level that came to be meanwhile may have what is about to be waited
 * for, and who filled it has seen nobody waiting.
 */
export async function expectNoNewLevels({ tx }: Unit, stock: Stock, skus: ReadonlySet<string>): Promise<void> {
  if (skus.size === 0) return;
  await claimStore.lockLine(tx, skus);
  const seen = [...skus].reduce((sum, sku) => sum + stock.cellsOf(sku).length, 0);
  if ((await store.countLevels(tx, skus)) !== seen) throw new Fault('conflict', 'goods arrived where there never were any');
}

/** Gives what has become free to those who wait for it. Moves `stock`. */
export async function fillLine({ tx }: Unit, stock: Stock, offers: readonly claimStore.Offer[]): Promise<Pick<Desk, 'claims' | 'filled'>> {
  const skus = offers.map(({ sku }) => sku);
  await claimStore.lockLine(tx, skus);
  const claims = claimsOf([], await claimStore.loadWaiting(tx, offers));
  const filled = Map.groupBy(fill(new Set(skus), { stock, claims }), ({ order_id }) => order_id);
  return { claims, filled };
}

/** What has more to be promised now than when it was found. */
export const offersIn = (stock: Stock): claimStore.Offer[] =>
  stock
    .cells()
    .filter(freed)
    .map((cell) => ({ sku: cell.found.sku, warehouse_id: cell.found.warehouse_id, pieces: free(cell) }));

type Answer = StockAnswer & { readonly cause?: StockCommand };

/** Writes levels, postings and claims, and says what became of orders and which thresholds were crossed. */
export async function saveMoved(unit: Unit, { stock, claims }: { stock: Stock; claims: Claims }, answers: readonly Answer[]): Promise<void> {
  const { tx, now, say } = unit;
  await store.saveStock(tx, stock, now);
  await claimStore.saveClaims(tx, claims.changes(), now);
  const waits = new Set(answers.filter((answer) => answer.waits === true).map(({ data }) => data.order_id));
  const skus = [...waits].flatMap((id) => claims.entriesOf(id)).map(({ sku }) => sku);
  const places = Map.groupBy(
    (await claimStore.loadPlaces(tx, skus)).filter(({ order_id }) => waits.has(order_id)),
    ({ order_id }) => order_id,
  );
  say(answers.map((answer) => sayingOf(answer, places.get(answer.data.order_id) ?? [])));
  say(stock.crossings());
}

/** Of the order it is about, whoever caused it. */
function sayingOf({ waits, cause, type, data }: Answer, places: readonly claimStore.PlaceInLine[]): Saying {
  const queued = places.map(({ line_id, sku, quantity, place }) => ({ line_id, sku, quantity, place }));
  const more = waits === true && (queued.length > 0 || type !== 'stock.reserved') ? { queued } : {};
  return { type, data: { ...data, ...more }, subject: data.order_id, correlationid: data.order_id, ...(cause && { cause }) } as Saying;
}

export type TransferEvent = Extract<EventType, `transfer.${string}`>;
/** Tells of the transfer as it is now; `reason` where the event has one. */
export function sayTransfer({ say }: Unit, type: TransferEvent, transfer: Transfer, reason?: string): void {
  const { id, from_warehouse_id, to_warehouse_id, status, version } = transfer;
  const lines = transfer.lines.map((line) => ({ ...line }));
  const data = { transfer_id: id, from_warehouse_id, to_warehouse_id, status, lines, ...(reason !== undefined && { reason }) };
  say([{ type, subject: id, sequence: version, data: data as DataOf<typeof type> }]);
}
