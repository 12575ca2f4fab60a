/** What the system says in the end, asked as anybody may ask; and what a person on duty does before. */
import type { ServiceName } from '../../src/config.ts';
import { SERVICES } from '../../src/config.ts';
import { ask, listOf } from '../support/client.ts';
import type { Mail, OrderFound, PaymentFound, Truth } from './history.ts';
import type { Site } from './site.ts';

/** Requests under way at once. */
const ASKED_AT_ONCE = 16;

/** The first door of a service, past no trouble: by now there is none. */
const doorOf = ({ parts }: Site, service: ServiceName): string =>
  `http://127.0.0.1:${parts.find(({ services, does }) => does.includes('api') && services.includes(service))!.process.port}`;

async function read<Body>(url: string, path: string): Promise<Body> {
  const { status, body } = await ask<Body>(url, 'GET', path);
  if (status !== 200) throw new Error(`GET ${path} was answered ${status}`);
  return body;
}

export async function truthOf(site: Site): Promise<Truth> {
  const of = (service: ServiceName): string => doorOf(site, service);
  const payments = await listOf<{ id: string }>(of('payments'), '/v1/payments');
  const audit = await read<{ violations: number; equations: { id: string; title: string; first?: unknown }[] }>(of('orders'), '/v1/audit?fresh=true');
  const broken = audit.equations.find(({ first }) => first !== undefined);
  return {
    orders: await listOf<OrderFound>(of('orders'), '/v1/orders'),
    payments: await all(payments, ({ id }) => read<PaymentFound>(of('payments'), `/v1/payments/${id}`)),
    shipments: await listOf(of('shipping'), '/v1/shipments'),
    levels: await listOf(of('inventory'), '/v1/stock'),
    postings: await listOf(of('inventory'), '/v1/stock/postings'),
    notifications: await listOf(of('notifications'), '/v1/notifications'),
    channels: ['log', 'email'],
    mails: site.mail.mails.map(mailOf),
    deadLetters: await openLetters(site),
    waiting: await waitingOn(site),
    audit: {
      violations: audit.violations,
      ...(broken === undefined ? {} : { first: `${broken.id} ${broken.title} ${JSON.stringify(broken.first)}` }),
    },
  };
}

interface Letter {
  readonly id: string;
  readonly service: ServiceName;
  readonly type: string;
  readonly code: string;
}

async function openLetters(site: Site): Promise<Letter[]> {
  const lists = SERVICES.map((service) => listOf<Letter>(doorOf(site, service), `/v1/dead-letters?status=open&service=${service}`));
  return (await Promise.all(lists)).flat();
}

/** Messages by where they wait. */
async function waitingOn(site: Site): Promise<Record<string, number>> {
  const waiting: Record<string, number> = {};
  for (const service of SERVICES) {
    const text = await (await fetch(`${doorOf(site, service)}/metrics`)).text();
    for (const [, name, count] of text.matchAll(/^waybill_outbox_messages\{service="(.+?)"\} (\d+)$/gm)) waiting[`outbox of ${name}`] = Number(count);
    for (const [, name, count] of text.matchAll(/^waybill_queue_messages\{queue="(.+?)"\} (\d+)$/gm))
      if (!name!.endsWith('.unrouted')) waiting[`queue ${name}`] = Number(count);
  }
  return waiting;
}

async function all<Item, Found>(items: readonly Item[], find: (item: Item) => Promise<Found>): Promise<Found[]> {
  const found: Found[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < items.length; i = next++) found[i] = await find(items[i]!);
  };
  await Promise.all(Array.from({ length: ASKED_AT_ONCE }, worker));
  return found;
}

export function countBy<Item>(items: readonly Item[], nameOf: (item: Item) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) counts[nameOf(item)] = (counts[nameOf(item)] ?? 0) + 1;
  return counts;
}

/** A mail's name is the id of its notification. */
function mailOf(text: string): Mail {
  const [, notification_id = ''] = /^Message-ID: <(.+?)@/im.exec(text) ?? [];
  const [, order_id = ''] = /^X-Waybill-Order: (\S+)/im.exec(text) ?? [];
  return { notification_id, order_id };
}

export interface Duty {
  /** Dead letters sent again, by code. */
  readonly redriven: Readonly<Record<string, number>>;
  readonly resumed: number;
}

/** What a person on duty does when the trouble is over: sends dead letters again, and resumes what is on hold for a technical reason. */
export async function onDuty(site: Site): Promise<Duty> {
  const letters = await openLetters(site);
  for (const { id, service } of letters) await ask(doorOf(site, service), 'POST', `/v1/dead-letters/${id}/redrive`);
  const held = await listOf<OrderFound>(doorOf(site, 'orders'), '/v1/orders?status=on_hold');
  const technical = held.filter(({ status_reason }) => status_reason === 'technical');
  for (const { id } of technical) await ask(doorOf(site, 'orders'), 'POST', `/v1/orders/${id}/resume`);
  return { redriven: countBy(letters, ({ type, code }) => `${type}: ${code}`), resumed: technical.length };
}

/** Orders that have left, and whose goods are still on the books although nothing moves any more; asks for them again. Answers how many. */
export async function askForGoods(site: Site): Promise<number> {
  const url = doorOf(site, 'orders');
  const left = [...(await listOf<OrderFound>(url, '/v1/orders?status=shipped')), ...(await listOf<OrderFound>(url, '/v1/orders?status=delivered'))];
  const late = left.filter(({ stops }) => stops.some(({ stop, state }) => stop === 'stock' && state === 'done'));
  for (const { id } of late) await ask(url, 'POST', `/v1/orders/${id}/resume`);
  return late.length;
}

/** Whether anything still moves by itself; asks little, often. */
export async function isAtRest(site: Site): Promise<boolean> {
  const waiting = Object.values(await waitingOn(site));
  if (waiting.some((count) => count > 0)) return false;
  const under = async (service: ServiceName, path: string): Promise<boolean> =>
    (await read<{ items: unknown[] }>(doorOf(site, service), `${path}&limit=1`)).items.length > 0;
  const moving = await Promise.all([
    under('orders', '/v1/orders?status=pending'),
    under('orders', '/v1/orders?status=on_hold'),
    under('payments', '/v1/payments?status=requested'),
    under('shipping', '/v1/shipments?status=pending'),
    under('notifications', '/v1/notifications?status=pending'),
  ]);
  return !moving.includes(true) && (await openLetters(site)).length === 0;
}
