/**
 * Gauges that nobody keeps up to date while things happen: counted when metrics are read. What does not answer in time is left as it was
 * and said to be down, because metrics matter most when something is.
 */
import { statfs } from 'node:fs/promises';
import type { Metrics } from '../kernel/telemetry.ts';
import type { World } from '../kernel/world.ts';
import { type Standing, largestGroups, standingOf } from '../messaging/metering.ts';
import type { Measured, Parts } from './checks.ts';

export interface GaugesOptions extends Parts {
  readonly world: World;
  readonly metrics: Metrics;
}

const DEADLINE_MS = 2_000;
/** Groups of dead letters told of each service: fingerprints are not a closed set. */
const GROUPS_MAX = 10;
const STATES = ['running', 'paused', 'waiting', 'storm', 'elsewhere'] as const;

/** Brings the gauges up to date. Never rejects. */
export function openGauges(options: GaugesOptions): () => Promise<void> {
  const { services, measures, world, metrics } = options;
  const told = new Map<string, readonly Group[]>();

  /** Whether `work` was done in time. */
  async function done(work: Promise<unknown>): Promise<boolean> {
    const over = new AbortController();
    const late = world.sleep(DEADLINE_MS, over.signal).then(() => false);
    return Promise.race([
      work.then(
        () => true,
        () => false,
      ),
      late,
    ]).finally(() => over.abort());
  }

  async function refresh(): Promise<void> {
    await Promise.all([
      done(measureTransport(options)),
      done(statfs(options.folder).then(({ bavail, bsize }) => metrics.dataFree.set(bavail * bsize))),
      ...services.map(async (one) => {
        const up = await done(measureMailbox(one, options, told));
        metrics.databaseUp.set({ service: one.service }, up ? 1 : 0);
      }),
      ...measures.map((measure) => done(measure())),
    ]);
  }

  let running: Promise<void> | undefined;
  return () => (running ??= refresh().finally(() => (running = undefined))); // whoever asks meanwhile gets the same
}

async function measureTransport({ transport, metrics: { brokerUp, brokerBlocked } }: GaugesOptions): Promise<void> {
  const { ok, blocked = false } = await transport.health();
  brokerUp.set(ok ? 1 : 0);
  brokerBlocked.set(blocked ? 1 : 0);
  await transport.depths(); // keeps its own gauges
}

type Group = Awaited<ReturnType<typeof largestGroups>>[number];

async function measureMailbox(
  { service, mailbox: { db }, activity }: Measured,
  { consumes, gapLimit, world, metrics }: GaugesOptions,
  told: Map<string, readonly Group[]>,
): Promise<void> {
  const now = world.now();
  const standing = await standingOf(db, { now, gapLimit });
  tell(service, standing, metrics, (since) => (since === null ? 0 : Math.max(0, now - since) / 1_000));
  const groups = standing.dead_letters === 0 ? [] : await largestGroups(db, GROUPS_MAX);
  for (const { fingerprint, code } of told.get(service) ?? []) metrics.deadLetterGroups.remove({ service, code, fingerprint });
  for (const { fingerprint, code, open } of groups) metrics.deadLetterGroups.set({ service, code, fingerprint }, open);
  told.set(service, groups);
  if (!consumes) return;
  const { status } = await activity();
  for (const state of STATES) metrics.consumerState.set({ service, state }, state === status ? 1 : 0);
}

function tell(service: string, standing: Standing, metrics: Metrics, age: (since: number | null) => number): void {
  const about = { service };
  metrics.outboxDepth.set(about, standing.outbox);
  metrics.outboxAge.set(about, age(standing.outbox_since));
  metrics.parked.set(about, standing.parked);
  metrics.parkedAge.set(about, age(standing.parked_since));
  metrics.gapsOverdue.set(about, standing.gaps_overdue);
  metrics.timersOverdue.set(about, standing.timers_overdue);
  metrics.timersAge.set(about, age(standing.timers_since));
  metrics.deadLetters.set(about, standing.dead_letters);
  if (standing.horizon !== null) metrics.postgresHorizon.set(about, standing.horizon);
  if (standing.outbox_dead !== null) metrics.outboxDeadRows.set(about, standing.outbox_dead);
}
