/**
 * The services with what carries their messages, none of it started: what each thread of the program has, all of it or a part.
 */
import { join } from 'node:path';
import type { Config, ServiceName } from './config.ts';
import type { Database } from './db/database.ts';
import type { FlushWords } from './db/flushes.ts';
import { openPostgres } from './db/postgres.ts';
import { openSqlite } from './db/sqlite.ts';
import { inventoryService } from './inventory/service.ts';
import type { Runnable } from './kernel/lifecycle.ts';
import type { LockWord } from './kernel/lock.ts';
import type { Telemetry } from './kernel/telemetry.ts';
import type { World } from './kernel/world.ts';
import { mailboxElsewhere } from './messaging/elsewhere.ts';
import { overdueGapsOf } from './messaging/gaps.ts';
import type { Mailbox } from './messaging/mailbox.ts';
import { type Elsewhere, type Messaging, messagingFor } from './messaging/messaging.ts';
import type { Service } from './messaging/service.ts';
import type { Transport } from './messaging/transport.ts';
import { type Channel, logChannel, smtpChannel, webhookChannel } from './notifications/channels.ts';
import { notificationsService } from './notifications/service.ts';
import { ordersService } from './orders/service.ts';
import { simulatedGateway } from './payments/gateway.ts';
import { paymentsService } from './payments/service.ts';
import { stripeGateway } from './payments/stripe.ts';
import { stripeWebhooks } from './payments/stripe-webhooks.ts';
import { type WebhookReader, simulatedWebhooks } from './payments/webhooks.ts';
import { simulatedCarrier } from './shipping/carrier.ts';
import { shippingService } from './shipping/service.ts';

export interface Tools {
  readonly world: World;
  readonly telemetry: Telemetry;
}

export interface CrewOptions extends Tools {
  readonly transport: Transport;
  /** The words of files that another thread has open, too. */
  readonly shared?: ((name: ServiceName) => FlushWords) | undefined;
  /** The thread that carries the messages of a service, if it is another one. */
  readonly elsewhere?: ((name: ServiceName) => Elsewhere | undefined) | undefined;
  readonly suspectsLock?: LockWord | undefined;
}

export interface Crew {
  readonly databases: ReadonlyMap<ServiceName, Database>;
  readonly messagings: ReadonlyMap<ServiceName, Messaging>;
  /** Those of this crew. */
  readonly services: readonly Service[];
  /** With those that run elsewhere, to be read like a table of contents. */
  readonly everything: readonly Service[];
}

/** The services the settings name. */
export function openCrew(config: Config, { transport, shared, elsewhere, suspectsLock, ...tools }: CrewOptions): Crew {
  const databases = new Map(config.services.map((name) => [name, openDatabase(name, config, tools, shared?.(name))]));
  // Whoever answers requests, handles messages or lets timers fire writes into the outbox; what does not run here runs elsewhere.
  const outbox = { shards: config.outboxShards, divided: (['api', 'relay', 'worker'] as const).some((part) => !config.parts.includes(part)) };
  const messaging = (service: ServiceName, db: Database): Messaging =>
    messagingFor({ service, ...outbox, db, transport, elsewhere: elsewhere?.(service), suspectsLock, ...tools });
  const messagings = new Map(Array.from(databases, ([name, db]) => [name, messaging(name, db)]));
  const everything = buildServices((name) => messagings.get(name)?.mailbox ?? mailboxElsewhere(name, tools.world), config, tools);
  return { databases, messagings, everything, services: everything.filter(({ name }) => messagings.has(name as ServiceName)) };
}

/** What runs of a crew, of the services that run here, in the order of starting. */
export function runnablesOf({ messagings, services }: Crew, here: (name: ServiceName) => boolean): { relays: Runnable[]; workers: Runnable[] } {
  const mine = services.flatMap((service) => {
    const name = service.name as ServiceName;
    return here(name) ? [{ service, messaging: messagings.get(name)! }] : [];
  });
  return {
    relays: mine.flatMap(({ messaging: { relay, scheduler } }) => [relay, scheduler]),
    workers: [
      ...mine.flatMap(({ service }) => service.runnables),
      ...mine.map(({ service, messaging }) => messaging.consumer(service.subscriptions)),
    ],
  };
}

export function openDatabase(
  name: ServiceName,
  { databaseUrl, databasePool: poolMax, databasePooler: handedAround, dataDir }: Config,
  { world, telemetry: { metrics } }: Tools,
  shared?: FlushWords,
): Database {
  if (databaseUrl !== undefined) return openPostgres({ name, url: databaseUrl, schema: `waybill_${name}`, metrics, world, poolMax, handedAround });
  return openSqlite({ name, file: join(dataDir, `${name}.db`), metrics, shared });
}

/** Whose webhooks are taken: those of the provider there is, when its secret is known. */
function webhooksOf({ stripe, paymentWebhookSecret: webhookSecret }: Config): Readonly<Record<string, WebhookReader>> | undefined {
  if (webhookSecret === undefined) return undefined;
  return stripe === undefined ? { simulated: simulatedWebhooks(webhookSecret) } : { stripe: stripeWebhooks({ ...stripe, webhookSecret }) };
}

/** Every service with what it needs of the outside and of others: orders reads the catalogue through a port, because siblings never meet. */
export function buildServices(mailboxOf: (name: ServiceName) => Mailbox, config: Config, { world, telemetry }: Tools): Service[] {
  const context = (name: ServiceName) => ({ mailbox: mailboxOf(name), telemetry });
  const gateway = config.stripe === undefined ? simulatedGateway({ world }) : stripeGateway(config.stripe);
  const channels = channelsOf(config, { world, telemetry });
  // Each asks the other, long after both were made.
  const destinations = config.services.includes('orders') ? (ids: readonly string[]) => orders.destinations(ids) : undefined;
  const inventory = inventoryService({ ...context('inventory'), destinations });
  const catalogue = config.services.includes('inventory') ? inventory.catalogue : undefined; // else it is asked by message
  const own = config.services.map(mailboxOf);
  const gaps = async (orderId: string) => (await Promise.all(own.map((mailbox) => overdueGapsOf(mailbox, orderId, config.gapLimit)))).flat();
  const orders = ordersService({ ...context('orders'), catalogue, gaps, defaultToken: gateway.defaultToken, deadlines: config.deadlines });
  return [
    inventory,
    orders,
    paymentsService({ ...context('payments'), gateway, webhooks: webhooksOf(config) }),
    shippingService({ ...context('shipping'), carrier: simulatedCarrier({ world }) }),
    notificationsService({ ...context('notifications'), channels }),
  ];
}

/** The ways to customers there are by these settings. */
function channelsOf({ smtpUrl, mailFrom, notifyWebhook }: Config, { world, telemetry }: Tools): Channel[] {
  return [
    logChannel(telemetry),
    ...(smtpUrl === undefined ? [] : [smtpChannel({ url: smtpUrl, from: mailFrom })]),
    ...(notifyWebhook === undefined ? [] : [webhookChannel({ ...notifyWebhook, now: world.now })]),
  ];
}
