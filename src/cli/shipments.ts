/** `waybill shipments`: what the warehouse does, and what happens on the way. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { World } from '../kernel/world.ts';
import type { Label, ShipmentDetail, TrackingEvent } from './answers.ts';
import type { Client } from './client.ts';
import { piecesOf, piecesText } from './pieces.ts';
import { type Output, bad, bold, facts, faint, good, moment, table, warning } from './print.ts';
import { CommandError, EXIT, type ExitCode } from './problems.ts';
import { orderIdOf } from './returns.ts';

export interface ShipmentFilter {
  readonly status?: string;
  readonly order?: string;
  readonly warehouse?: string;
  readonly limit: number;
}

export async function listShipments(client: Client, output: Output, { status, order, warehouse, limit }: ShipmentFilter): Promise<ExitCode> {
  const query = { status, order_id: order && (await orderIdOf(client, order)), warehouse_id: warehouse };
  const shipments = await client.first<ShipmentDetail>(limit, '/v1/shipments', query);
  output.answer(shipments, () =>
    table(
      ['id', 'order', 'status', 'tracking number', 'for', 'pieces', 'since'],
      shipments.map((shipment) => [
        shipment.id,
        shipment.order_number,
        statusText(shipment.status),
        shipment.tracking_number,
        shipment.recipient,
        piecesText(shipment.lines),
        moment(shipment.created_at),
      ]),
    ),
  );
  return EXIT.ok;
}

/** A shipment by its id, or by its tracking number or that of one of its parcels. */
const find = (client: Client, name: string): Promise<ShipmentDetail> =>
  client.get(`/v1/shipments/${name.startsWith('shp_') ? '' : 'tracking/'}${encodeURIComponent(name)}`);

export async function showShipment(client: Client, output: Output, name: string): Promise<ExitCode> {
  const shipment = await find(client, name);
  const events = await client.first<TrackingEvent>(100, `/v1/shipments/${shipment.id}/tracking-events`);
  output.answer({ ...shipment, tracking_events: events }, () =>
    [shipmentText(shipment), ...(events.length === 0 ? [] : [events.map(eventText).join('\n')])].join('\n\n'),
  );
  return EXIT.ok;
}

const eventText = ({ carrier_at, code, place, note, entered_by }: TrackingEvent): string =>
  [faint(moment(carrier_at)), code.padEnd(18), place, note, entered_by === null ? null : faint(`by ${entered_by}`)].filter(Boolean).join('  ');

export interface ActOptions {
  readonly dryRun: boolean;
}

/** A command about one shipment; what came of it is printed. */
export async function act(client: Client, output: Output, { name, action, body, dryRun }: Acting): Promise<ExitCode> {
  const { id } = await find(client, name);
  const shipment = await client.post<ShipmentDetail>(`/v1/shipments/${id}/${action}`, { ...body, ...(dryRun ? { dry_run: true } : {}) });
  if (dryRun) output.note('Only tried: nothing was changed.');
  output.answer(shipment, () => shipmentText(shipment));
  return EXIT.ok;
}
interface Acting extends ActOptions {
  readonly name: string;
  readonly action: string;
  readonly body?: object;
}

export interface PackOptions extends ActOptions {
  readonly parcel?: readonly string[];
  readonly weight?: readonly number[];
  readonly dims?: readonly string[];
}

export async function pack(
  client: Client,
  output: Output,
  name: string,
  { parcel = [], weight = [], dims = [], dryRun }: PackOptions,
): Promise<ExitCode> {
  const parcels = Math.max(1, parcel.length);
  if (weight.length > parcels || dims.length > parcels)
    throw new CommandError(EXIT.usage, `There are ${parcels} parcels: give --weight and --dims at most once for each, in the order of --parcel.`);
  const { lines } = await find(client, name);
  const body = Array.from({ length: parcels }, (_, i) => ({
    ...(parcel[i] === undefined ? {} : { lines: piecesOf(parcel[i], lines) }),
    ...(weight[i] === undefined ? {} : { weight_g: weight[i] }),
    ...(dims[i] === undefined ? {} : { dims_mm: dims[i].split('x').map(Number) }),
  }));
  return act(client, output, { name, action: 'pack', body: { parcels: body }, dryRun });
}

export async function short(
  client: Client,
  output: Output,
  name: string,
  { missing, reason, dryRun }: ActOptions & { missing: string; reason: string },
): Promise<ExitCode> {
  const { lines } = await find(client, name);
  return act(client, output, { name, action: 'short', body: { lines: piecesOf(missing, lines), reason }, dryRun });
}

export interface TrackOptions extends ActOptions {
  readonly code: string;
  readonly at?: string;
  readonly event?: string;
  readonly place?: string;
  readonly note?: string;
}

/** What a carrier says, entered by whoever heard it. The number is that of the parcel. */
export async function track(client: Client, world: World, output: Output, number: string, options: TrackOptions): Promise<ExitCode> {
  const { code, at = new Date(world.now()).toISOString(), event = world.id('msg'), place, note, dryRun } = options;
  const sent = { carrier_event_id: event, code, carrier_at: at, ...(place === undefined ? {} : { place }), ...(note === undefined ? {} : { note }) };
  const path = `/v1/shipments/tracking/${encodeURIComponent(number)}/tracking-events`;
  const shipment = await client.post<ShipmentDetail>(path, { events: [sent], ...(dryRun ? { dry_run: true } : {}) });
  output.answer(shipment, () => shipmentText(shipment));
  return EXIT.ok;
}

const LOOK_MS = 200;
const WAIT_MS = 60_000;

/** Asks for labels, waits until the carrier has answered, and writes them into a folder. */
export async function labels(
  client: Client,
  world: World,
  output: Output,
  name: string,
  { format, out }: { format: string; out: string },
): Promise<ExitCode> {
  const { id } = await find(client, name);
  const path = `/v1/shipments/${id}/labels`;
  const until = world.now() + WAIT_MS;
  let found = (await client.post<{ items: Label[] }>(path, { format })).items;
  while (found.some(isOpen) && world.now() < until) {
    await world.sleep(LOOK_MS);
    found = (await client.get<{ items: Label[] }>(path)).items;
  }
  const current = found.filter((label, i) => found.findIndex(({ parcel_id }) => parcel_id === label.parcel_id) === i);
  await mkdir(out, { recursive: true });
  const files = current.map((label) => ({ ...label, file: label.status === 'bought' ? join(out, `${label.parcel_id}.${label.format}`) : null }));
  for (const { parcel_id, file } of files) if (file !== null) await writeFile(file, await client.download(`${path}/${parcel_id}`));
  output.answer(files, () =>
    table(
      ['parcel', 'status', 'file', 'why'],
      files.map(({ parcel_id, status, file, error }) => [parcel_id, status === 'bought' ? good(status) : bad(status), file, error]),
    ),
  );
  return files.every(({ file }) => file !== null) ? EXIT.ok : EXIT.no;
}

const isOpen = ({ status }: Label): boolean => status === 'requested' || status === 'unknown';

function shipmentText(shipment: ShipmentDetail): string {
  const { id, order_number, status, holds, lines, shorted, parcels } = shipment;
  const head = facts([
    ['shipment', `${bold(shipment.tracking_number)}  ${faint(id)}`],
    ['order', order_number],
    ['status', statusText(status)],
    ['on hold', holds.map(({ reason }) => reason).join(', ')],
    ['dispatch', shipment.dispatch_requested_at === null ? shipment.refused_reason && bad(`refused: ${shipment.refused_reason}`) : 'asked for'],
    ['from', shipment.warehouse_id],
    ['for', shipment.recipient],
    ['pieces', piecesText(lines)],
    ['missing', piecesText(shorted)],
    ['expected', moment(shipment.estimated_delivery)],
  ]);
  if (parcels.length === 0) return head;
  const rows = parcels.map((parcel) => [
    parcel.id,
    parcel.tracking_number,
    statusText(parcel.status),
    parcel.weight_g,
    piecesText(parcel.lines),
    [parcel.code, parcel.note].filter(Boolean).join(': '),
  ]);
  return `${head}\n\n${table(['parcel', 'tracking number', 'status', 'g', 'pieces', 'last'], rows)}`;
}

function statusText(status: string): string {
  if (status === 'exception' || status === 'lost' || status === 'returned') return bad(status);
  if (status === 'pending' || status === 'cancelled') return warning(status);
  return good(status);
}
