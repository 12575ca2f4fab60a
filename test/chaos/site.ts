/**
 * What a run is made of: the program in one of its two shapes, everything it needs, and a proxy on every line.
 *
 *   embedded   clients ─proxy─> one process, SQLite, the bus inside
 *   split      clients ─proxy─> nine processes ─┬─proxy each─> a PostgreSQL of the run's own
 *                                               └─proxy each─> its own RabbitMQ: one node, or a cluster of three behind one address
 *
 * Nothing here is shared with anybody: ports, folders, servers are the run's.
 */
import { join } from 'node:path';
import { mkdir } from 'node:fs/promises';
import { type Part as Does, type ServiceName, SERVICES } from '../../src/config.ts';
import { type PrivateBroker, startBroker } from '../support/broker.ts';
import { type PrivateCluster, startCluster } from '../support/cluster.ts';
import { type Leash, leash } from '../support/leash.ts';
import { type Proxy, openProxy } from '../support/proxy.ts';
import { freePort } from '../support/server.ts';
import { type MailServer, startMailServer } from '../notifications/mail-server.ts';
import { type Kept, keep } from './kept.ts';

export const SHAPES = ['embedded', 'split'] as const;
export type Shape = (typeof SHAPES)[number];

/** One process, and the lines it hangs on. */
export interface Part {
  readonly process: Kept;
  readonly services: readonly ServiceName[];
  /** What it runs of them. */
  readonly does: readonly Does[];
  readonly lines: { readonly clients: Proxy; readonly database?: Proxy; readonly broker?: Proxy };
}

export interface Site {
  readonly shape: Shape;
  readonly parts: readonly Part[];
  readonly mail: MailServer;
  readonly postgres: PrivateCluster | undefined;
  /** The nodes of the broker. */
  readonly brokers: readonly PrivateBroker[];
  /** Nodes that take no new connections now; whoever kills one says so. */
  readonly away: Set<PrivateBroker>;
  /** The folder of what the processes print. */
  readonly logs: string;
  /** Stops everything and removes it. */
  drop(): Promise<void>;
}

export interface SiteOptions {
  readonly shape: Shape;
  readonly seed: number;
  /** Nodes of the broker: 1 or 3. */
  readonly nodes: number;
}

/** Who runs what. The doors and the work of orders apart, and two of each; payments twice; the others alone. */
const SPLIT: readonly (readonly [name: string, service: ServiceName, ...does: Does[]])[] = [
  ['orders-api-1', 'orders', 'api'],
  ['orders-api-2', 'orders', 'api'],
  ['orders-work-1', 'orders', 'relay', 'worker'],
  ['orders-work-2', 'orders', 'relay', 'worker'],
  ['inventory', 'inventory', 'api', 'relay', 'worker'],
  ['payments-1', 'payments', 'api', 'relay', 'worker'],
  ['payments-2', 'payments', 'api', 'relay', 'worker'],
  ['shipping', 'shipping', 'api', 'relay', 'worker'],
  ['notifications', 'notifications', 'api', 'relay', 'worker'],
];

/** Short, so that what waits in vain is seen within a run; longer than anything here is away. */
const DEADLINES = { DEADLINE_STOCK: '60s', DEADLINE_PAYMENT: '90s', DEADLINE_SHIPPING: '60s' };

export async function openSite({ shape, seed, nodes }: SiteOptions): Promise<Site> {
  const held = await leash(`chaos-${shape}`);
  const opened: (() => Promise<unknown>)[] = [];
  const drop = async (): Promise<void> => {
    for (const close of opened.toReversed()) await close().catch(() => undefined); // the leash takes what would not go
    await held.letGo();
  };
  try {
    const logs = join(held.folder, 'logs');
    await mkdir(logs);
    const mail = await startMailServer();
    opened.push(() => mail.close());
    const ground = { ...held, seed, logs, mail, opened };
    const site = shape === 'embedded' ? await openEmbedded(ground) : await openSplit(ground, nodes);
    opened.push(() => Promise.all(site.parts.map(({ process: one }) => one.stop())));
    await Promise.all(site.parts.map(({ process: one }) => one.ready()));
    return { shape, mail, logs, ...site, drop };
  } catch (error) {
    await drop();
    throw error;
  }
}

interface Ground extends Leash {
  readonly seed: number;
  readonly logs: string;
  readonly mail: MailServer;
  /** How to close what was opened, in the order of opening. */
  readonly opened: (() => Promise<unknown>)[];
}
type Opened = Pick<Site, 'parts' | 'postgres' | 'brokers' | 'away'>;

async function openEmbedded(ground: Ground): Promise<Opened> {
  const part = await openPart(ground, {
    name: 'waybill',
    services: SERVICES,
    does: ['api', 'relay', 'worker'],
    env: { DATA_DIR: join(ground.folder, 'data') },
  });
  return { parts: [part], postgres: undefined, brokers: [], away: new Set() };
}

async function openSplit(ground: Ground, nodes: number): Promise<Opened> {
  const { folder: under, opened } = ground;
  const [postgres, brokers] = await Promise.all([startCluster({ under, settings: { max_connections: '300' } }), openBrokers(under, nodes)]);
  opened.push(
    () => postgres.drop(),
    () => Promise.all(brokers.toReversed().map((broker) => broker.drop())),
  );
  const away = new Set<PrivateBroker>();
  let turn = 0;
  const nextNode = (): number => {
    const there = brokers.filter((broker) => !away.has(broker));
    return (there[(turn += 1) % there.length] ?? brokers[0]!).port;
  };
  const parts: Part[] = [];
  for (const [name, service, ...does] of SPLIT) {
    const database = await line(ground, postgres.port);
    const broker = await line(ground, nextNode);
    const env = {
      DATA_DIR: join(under, name),
      SERVICES: service,
      PARTS: does.join(','),
      DATABASE_URL: `postgres://postgres@127.0.0.1:${database.port}/postgres`,
      AMQP_URL: `amqp://guest:guest@127.0.0.1:${broker.port}`,
    };
    parts.push(await openPart(ground, { name, services: [service], does, env, lines: { database, broker } }));
    if (parts.length === 1) await parts[0]!.process.ready(); // it makes the queues, before anybody is killed
  }
  return { parts, postgres, brokers, away };
}

async function openBrokers(under: string, nodes: number): Promise<PrivateBroker[]> {
  const first = await startBroker({ under });
  const others = await Promise.all(Array.from({ length: nodes - 1 }, () => startBroker({ under, joins: first })));
  return [first, ...others];
}

async function line({ seed, opened }: Ground, port: number | (() => number)): Promise<Proxy> {
  const proxy = await openProxy({ port, seed: seed + opened.length });
  opened.push(() => proxy.close());
  return proxy;
}

interface PartOptions {
  readonly name: string;
  readonly services: readonly ServiceName[];
  readonly does: readonly Does[];
  readonly env: Readonly<Record<string, string>>;
  readonly lines?: { readonly database: Proxy; readonly broker: Proxy };
}

async function openPart(ground: Ground, { name, services, does, env, lines }: PartOptions): Promise<Part> {
  const port = await freePort();
  const clients = await line(ground, port);
  const kept = keep({ name, port, env: { ...env, ...DEADLINES, SMTP_URL: ground.mail.url }, log: join(ground.logs, `${name}.log`) });
  return { process: kept, services, does, lines: { clients, ...lines } };
}
