/** What can be done to a site, by kind: how it is begun, and how it ends. Each ends by itself and leaves everything whole. */
import { FAILPOINTS, type Failpoint } from '../../src/kernel/failpoints.ts';
import type { PrivateBroker } from '../support/broker.ts';
import type { Proxy } from '../support/proxy.ts';
import { type Kept, pause } from './kept.ts';
import type { Part, Site } from './site.ts';
import type { Trouble } from './storm.ts';

/** Everything that can go wrong with a site. */
export function troublesOf(site: Site): Trouble[] {
  return [...processTroubles(site), ...networkTroubles(site), ...brokerTroubles(site), ...databaseTroubles(site), mailTrouble(site)];
}

type Strike = (ms: number) => Promise<void>;
const each = <Thing>(things: readonly Thing[], nameOf: (thing: Thing, i: number) => string, strike: (thing: Thing) => Strike): Map<string, Strike> =>
  new Map(things.map((thing, i) => [nameOf(thing, i), strike(thing)]));

/** Where a process comes by, and may be made to kill itself. Nobody comes by where only dead letters are dealt with. */
function placesOf({ services, does, lines }: Part): Failpoint[] {
  const calls = services.some((name) => name === 'payments' || name === 'shipping' || name === 'notifications');
  const comesBy: Readonly<Record<string, boolean>> = {
    unit: true,
    relay: does.includes('relay'),
    scheduler: does.includes('relay') && services.includes('orders'),
    bus: lines.broker === undefined,
    consumer: does.includes('worker'),
    task: does.includes('worker') && calls,
  };
  return FAILPOINTS.filter((place) => comesBy[place.slice(0, place.indexOf('.'))]);
}
/** It kills itself at one of the first so many times. */
const TRAP_HITS = 40;

function processTroubles({ parts }: Site): Trouble[] {
  const all = parts.map((part) => part.process);
  const lane = 'process';
  const to = (strike: (one: Kept) => Strike): Map<string, Strike> => each(all, ({ name }) => name, strike);
  const traps = parts.flatMap((part) => placesOf(part).map((place) => ({ one: part.process, place })));
  return [
    { kind: 'process killed', lane, turns: 2, lasts: [50, 4_000], targets: to((one) => (ms) => one.kill(ms)) },
    {
      kind: 'process killed at a bad moment',
      lane,
      turns: 4,
      lasts: [1, TRAP_HITS],
      targets: each(
        traps,
        ({ one, place }) => `${one.name} at ${place}`,
        ({ one, place }) =>
          (hit) =>
            one.trap(`${place}=kill@${hit}`),
      ),
    },
    // Longer than the lease of a relay, now and then.
    { kind: 'process frozen', lane, lasts: [500, 18_000], targets: to((one) => (ms) => one.freeze(ms)) },
    { kind: 'process restarted', lane, lasts: [0, 0], targets: to((one) => () => one.restart()) },
  ];
}

/** Each line alone, and all of a kind at once. */
function networkTroubles({ parts }: Site): Trouble[] {
  const lines = new Map<string, Proxy[]>();
  for (const {
    process: { name },
    lines: own,
  } of parts)
    for (const [to, proxy] of Object.entries(own) as [string, Proxy][]) {
      lines.set(`${name} and ${to}`, [proxy]);
      lines.set(`all and ${to}`, [...(lines.get(`all and ${to}`) ?? []), proxy]);
    }
  const lane = 'network';
  const during = (begin: (proxy: Proxy) => void, end: (proxy: Proxy) => void): ReadonlyMap<string, Strike> =>
    new Map(
      [...lines].map(([name, proxies]) => [
        name,
        async (ms) => {
          proxies.forEach(begin);
          await pause(ms);
          proxies.forEach(end);
        },
      ]),
    );
  return [
    {
      kind: 'line cut',
      lane,
      lasts: [0, 0],
      targets: during(
        (proxy) => proxy.cut(),
        () => undefined,
      ),
    },
    {
      kind: 'line cut in the middle of a message',
      lane,
      lasts: [500, 2_000],
      targets: during(
        (proxy) => proxy.cutAfter(777),
        () => undefined,
      ),
    },
    {
      kind: 'line gone',
      lane,
      lasts: [500, 6_000],
      targets: during(
        (proxy) => {
          proxy.refuse(true);
          proxy.cut();
        },
        (proxy) => proxy.refuse(false),
      ),
    },
    {
      kind: 'line silent',
      lane,
      lasts: [500, 10_000],
      targets: during(
        (proxy) => proxy.hold(),
        (proxy) => proxy.release(),
      ),
    },
    {
      kind: 'line slow',
      lane,
      lasts: [1_000, 8_000],
      targets: during(
        (proxy) => proxy.delay(20, 100),
        (proxy) => proxy.delay(0),
      ),
    },
  ];
}

function brokerTroubles({ brokers, away }: Site): Trouble[] {
  const lane = 'broker';
  const nodes = (strike: (broker: PrivateBroker) => Strike): Map<string, Strike> => each(brokers, (_, i) => `node ${i + 1}`, strike);
  const queues = ['orders', 'inventory', 'payments', 'shipping'];
  const crash = async (some: readonly PrivateBroker[], ms: number): Promise<void> => {
    for (const broker of some) away.add(broker);
    await Promise.all(some.map((broker) => broker.kill()));
    await pause(ms);
    await Promise.all(some.map((broker) => broker.start()));
    away.clear();
  };
  const [first] = brokers;
  if (first === undefined) return [];
  return [
    { kind: 'broker killed', lane, lasts: [100, 4_000], targets: nodes((broker) => (ms) => crash([broker], ms)) },
    {
      kind: 'all of the broker killed',
      lane,
      lasts: [100, 2_000],
      targets: new Map(brokers.length === 1 ? [] : [['at once', (ms: number) => crash(brokers, ms)]]),
    },
    {
      kind: 'broker frozen',
      lane,
      lasts: [500, 10_000],
      targets: nodes((broker) => async (ms) => {
        await broker.signal('SIGSTOP');
        await pause(ms);
        await broker.signal('SIGCONT');
      }),
    },
    {
      kind: 'broker short of memory',
      lane,
      lasts: [1_000, 6_000],
      targets: nodes((broker) => alarm(broker, 'set_vm_memory_high_watermark', { low: '0.0000001', usual: '0.4' })),
    },
    {
      kind: 'broker short of disk',
      lane,
      lasts: [1_000, 6_000],
      targets: nodes((broker) => alarm(broker, 'set_disk_free_limit', { low: '900GB', usual: '50MB' })),
    },
    {
      kind: 'queue deleted',
      lane,
      lasts: [500, 500],
      targets: each(
        queues,
        (name) => name,
        (name) => async (ms) => {
          await first.control('delete_queue', `waybill.q.${name}`);
          await pause(ms);
        },
      ),
    },
  ];
}

/** A limit the broker is beyond, for a while: it takes no messages, and goes on handing them out. */
const alarm =
  (broker: PrivateBroker, command: string, { low, usual }: { readonly low: string; readonly usual: string }): Strike =>
  async (ms) => {
    await broker.control(command, low);
    await pause(ms);
    await broker.control(command, usual);
  };

function databaseTroubles({ postgres }: Site): Trouble[] {
  if (postgres === undefined) return [];
  const away =
    (signal: 'SIGQUIT' | 'SIGINT') =>
    async (ms: number): Promise<void> => {
      await postgres.stop(signal);
      await pause(ms);
      await postgres.start();
    };
  return [
    { kind: 'database crashed', lane: 'database', lasts: [0, 5_000], targets: new Map([['PostgreSQL', away('SIGQUIT')]]) },
    { kind: 'database restarted', lane: 'database', lasts: [0, 1_000], targets: new Map([['PostgreSQL', away('SIGINT')]]) },
  ];
}

const mailTrouble = ({ mail }: Site): Trouble => ({
  kind: 'mail refused',
  lane: 'outside',
  lasts: [200, 3_000],
  targets: new Map([
    [
      'for now',
      async (ms) => {
        mail.refuse = { code: 451, at: 'DATA' };
        await pause(ms);
        mail.refuse = undefined;
      },
    ],
  ]),
});
