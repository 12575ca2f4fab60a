/**
 * What /health looks at and /metrics counts of the program's moving parts: databases, bus, consumers, what waits.
 */
import { statfs } from 'node:fs/promises';
import type { Database } from '../db/database.ts';
import { countOutbox } from '../messaging/backlog.ts';
import { unsafeSettings } from '../messaging/durability.ts';
import { countGaps } from '../messaging/gaps.ts';
import { SKEW_MAX_MS, skewOf } from '../messaging/timekeeper.ts';
import type { Messaging } from '../messaging/messaging.ts';
import type { Service } from '../messaging/service.ts';
import type { Transport } from '../messaging/transport.ts';
import type { Check, Finding } from './health.ts';
import type { Operated } from './operated.ts';

export type Measured = Operated & Pick<Messaging, 'activity'>;

export interface Parts {
  readonly transport: Transport;
  readonly services: readonly Measured[];
  /** What the services measure of themselves. */
  readonly measures: readonly NonNullable<Service['measure']>[];
  /** Whether their consumers run in this process. */
  readonly consumes: boolean;
  /** The data folder. */
  readonly folder: string;
  /** How long a message of a strict stream may be missing, milliseconds. */
  readonly gapLimit: number;
  /** It is another time here on purpose. */
  readonly clockIsSet?: boolean;
}

/** Below this much free space, bytes, writing may stop soon. */
const SPACE_LEAST = 1_000_000_000;

const databasesOf = (services: readonly Operated[]): [string, Database][] => services.map(({ service, mailbox }) => [service, mailbox.db]);

export const checksOf = ({ transport, services, consumes, folder, gapLimit, clockIsSet = false }: Parts): Check[] => [
  ...databasesOf(services).map(([name, db]): Check => ({ name: `database ${name}`, about: 'db', run: () => db.ping().then(() => undefined) })),
  {
    name: 'bus',
    about: 'queue',
    run: async () => {
      const { ok, reason, since } = await transport.health();
      return ok ? undefined : { status: 'down', detail: reason ?? 'does not work', ...(since !== undefined && { since }) };
    },
  },
  { name: 'disk', about: 'rest', run: () => statfs(folder).then(({ bavail, bsize }) => diskFinding(bavail * bsize)) },
  ...services
    .slice(0, clockIsSet ? 0 : 1)
    .map(({ mailbox: { db, world } }): Check => ({ name: 'clock', about: 'rest', run: () => skewOf(db, world).then(clockFinding) })),
  ...databasesOf(services) // one server keeps all of them
    .slice(0, 1)
    .filter(([, { dialect }]) => dialect.name === 'postgres')
    .map(([, db]): Check => ({ name: 'durability', about: 'rest', run: () => unsafeSettings(db).then(durabilityFinding) })),
  ...(consumes ? services.map((one) => consumerCheck(one, gapLimit)) : []),
];

/** Pure; of the milliseconds by which the time here is ahead of the clock of the database. */
export const clockFinding = (skew: number): Finding | undefined =>
  Math.abs(skew) <= SKEW_MAX_MS
    ? undefined
    : {
        status: 'degraded',
        detail: `it is ${Math.round(Math.abs(skew) / 60_000)} min ${skew > 0 ? 'later' : 'earlier'} here than by the clock of the database: set the wrong one right`,
      };

/** Pure; of settings of the database's server. */
export const durabilityFinding = (off: readonly string[]): Finding | undefined =>
  off.length === 0
    ? undefined
    : {
        status: 'degraded',
        detail: `${off.join(' and ')} ${off.length === 1 ? 'is' : 'are'} off at the database's server: a power cut can take what was accepted. Switch ${off.length === 1 ? 'it' : 'them'} on there`,
      };

/** Pure; of the bytes that are free where the data lies. */
export const diskFinding = (free: number): Finding | undefined =>
  free >= SPACE_LEAST
    ? undefined
    : { status: 'degraded', detail: `${Math.floor(free / 1e6)} MB free where the data lies: make room, on a full disk nothing can be written` };

const consumerCheck = ({ service, control, mailbox: { db, world } }: Operated, gapLimit: number): Check => ({
  name: `consumer ${service}`,
  about: 'rest',
  run: async () => {
    const { status, reason, last_error, dead_letters } = await control.state();
    if (status === 'paused') return { status: 'degraded', detail: `paused: ${reason}` };
    if (status === 'storm') return { status: 'degraded', detail: `it rests: ${last_error}` };
    if (status !== 'running') return { status: 'down', detail: `${status}${last_error === null ? '' : `: ${last_error}`}` };
    const { overdue } = await countGaps(db, world.now() - gapLimit);
    const found = [
      dead_letters > 0 ? `${dead_letters} dead letters are open` : '',
      overdue > 0 ? `${overdue === 1 ? '1 gap is' : `${overdue} gaps are`} overdue` : '',
    ].filter((one) => one !== '');
    return found.length === 0 ? undefined : { status: 'degraded', detail: found.join(', ') };
  },
});

/** Messages not yet published and not yet handled, over all services. */
export async function backlogOf({ transport, services }: Parts): Promise<{ outbox: number; queues: number }> {
  const outboxes = await Promise.all(databasesOf(services).map(([, db]) => countOutbox(db)));
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, n) => total + n, 0);
  return { outbox: sum(outboxes), queues: sum(Object.values(await transport.depths())) };
}
