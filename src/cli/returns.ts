/** `waybill returns`: goods that come back. */
import type { Return, Returnable } from './answers.ts';
import type { Client } from './client.ts';
import { piecesOf, piecesText } from './pieces.ts';
import { type Output, bad, bold, facts, faint, good, moment, table, warning } from './print.ts';
import { CommandError, EXIT, type ExitCode } from './problems.ts';

export interface ReturnFilter {
  readonly status?: string;
  readonly order?: string;
  readonly limit: number;
}

export async function listReturns(client: Client, output: Output, { status, order, limit }: ReturnFilter): Promise<ExitCode> {
  const returns = await client.first<Return>(limit, '/v1/returns', { status, order_id: order });
  output.answer(returns, () =>
    table(
      ['number', 'id', 'order', 'status', 'pieces', 'since'],
      returns.map((one) => [one.number, one.id, one.order_number, statusText(one.status), piecesText(one.lines), moment(one.created_at)]),
    ),
  );
  return EXIT.ok;
}

/** The id of a return, which may be told by its number. */
async function idOf(client: Client, name: string): Promise<string> {
  if (name.startsWith('rtn_')) return name;
  const [found] = await client.first<Return>(1, '/v1/returns', { number: name });
  if (found === undefined) throw new CommandError(EXIT.no, `There is no return ${name}.`, { code: 'return_not_found' });
  return found.id;
}

/** The id of an order, which may be told by its number. */
export const orderIdOf = async (client: Client, name: string): Promise<string> =>
  name.startsWith('ord_') ? name : (await client.get<{ id: string }>(`/v1/orders/${encodeURIComponent(name)}`)).id;

const returnableOf = async (client: Client, orderId: string): Promise<readonly Returnable[]> =>
  (await client.get<{ items: Returnable[] }>(`/v1/returns/returnable/${encodeURIComponent(orderId)}`)).items;

export async function showReturn(client: Client, output: Output, name: string): Promise<ExitCode> {
  const back = await client.get<Return>(`/v1/returns/${await idOf(client, name)}`);
  output.answer(back, () => returnText(back));
  return EXIT.ok;
}

export async function listReturnable(client: Client, output: Output, order: string): Promise<ExitCode> {
  const items = await returnableOf(client, await orderIdOf(client, order));
  output.answer(items, () =>
    table(
      ['line', 'sku', 'delivered', 'in returns', 'returnable'],
      items.map((line) => [line.line_id, line.sku, line.delivered, line.returned, line.returnable]),
    ),
  );
  return EXIT.ok;
}

export interface RequestOptions {
  readonly pieces: string;
  readonly reason: string;
  readonly note?: string;
  readonly dryRun: boolean;
}

export async function requestReturn(
  client: Client,
  output: Output,
  order: string,
  { pieces, reason, note, dryRun }: RequestOptions,
): Promise<ExitCode> {
  const order_id = await orderIdOf(client, order);
  const lines = piecesOf(pieces, await returnableOf(client, order_id)).map((line) => ({ ...line, reason }));
  return say(client, output, '/v1/returns', { order_id, lines, ...(note === undefined ? {} : { note }) }, dryRun);
}

/** approve, reject, cancel, close */
export const decide = async (
  client: Client,
  output: Output,
  { name, action, body = {}, dryRun }: { name: string; action: string; body?: object; dryRun: boolean },
): Promise<ExitCode> => say(client, output, `/v1/returns/${await idOf(client, name)}/${action}`, body, dryRun);

export interface ReceiveOptions {
  readonly restock?: readonly string[];
  readonly quarantine?: readonly string[];
  readonly scrap?: readonly string[];
  readonly warehouse?: string;
  readonly dryRun: boolean;
}

/** What came; everything that is expected, back on the shelf, when nothing is said. */
export async function receive(client: Client, output: Output, name: string, { warehouse, dryRun, ...came }: ReceiveOptions): Promise<ExitCode> {
  const id = await idOf(client, name);
  const { lines } = await client.get<Return>(`/v1/returns/${id}`);
  const said = (['restock', 'quarantine', 'scrap'] as const).flatMap((disposition) =>
    (came[disposition] ?? []).flatMap((pieces) => piecesOf(pieces, lines).map((piece) => ({ ...piece, disposition }))),
  );
  const all = lines.map(({ line_id, quantity }) => ({ line_id, quantity, disposition: 'restock' }));
  const body = { lines: said.length > 0 ? said : all, ...(warehouse === undefined ? {} : { warehouse_id: warehouse }) };
  return say(client, output, `/v1/returns/${id}/receive`, body, dryRun);
}

async function say(client: Client, output: Output, path: string, body: object, dryRun: boolean): Promise<ExitCode> {
  const back = await client.post<Return>(path, { ...body, ...(dryRun ? { dry_run: true } : {}) });
  if (dryRun) output.note('Only tried: nothing was changed.');
  output.answer(back, () => returnText(back));
  return EXIT.ok;
}

function returnText(back: Return): string {
  const { id, number, order_number, status, parcel_id, warehouse_id, lines, received, note, rejection } = back;
  return facts([
    ['return', `${bold(number)}  ${faint(id)}`],
    ['order', order_number],
    ['status', statusText(status)],
    ['came back', parcel_id && `undelivered, ${parcel_id}`],
    ['to', warehouse_id],
    ['expected', lines.map(({ sku, quantity, reason }) => `${sku} × ${quantity} (${reason})`).join(', ')],
    ['came', (received ?? []).map(({ sku, quantity, disposition }) => `${sku} × ${quantity} (${disposition})`).join(', ')],
    ['note', note],
    ['rejected', rejection],
  ]);
}

function statusText(status: string): string {
  if (status === 'rejected') return bad(status);
  if (status === 'requested' || status === 'receiving') return warning(status);
  return good(status);
}
