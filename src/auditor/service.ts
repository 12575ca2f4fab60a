/**
 * The auditor: recomputes everything, all day, and says so. It has no tables, hears no messages and changes nothing.
 */
import { type Loop, loop } from '../kernel/lifecycle.ts';
import type { Telemetry } from '../kernel/telemetry.ts';
import type { World } from '../kernel/world.ts';
import type { Service } from '../messaging/service.ts';
import { auditRoutes } from './api.ts';
import { type AuditResult, type Databases, runPass } from './auditor.ts';
import { EQUATIONS } from './equations.ts';

export interface AuditorOptions {
  /** The databases of the services in this process, by name. They are only read. */
  readonly databases: Databases;
  readonly world: World;
  readonly telemetry: Telemetry;
  /** Rest between two passes of its own accord, milliseconds. */
  readonly intervalMs?: number;
}

export interface Auditor {
  /** The last full pass; undefined before the first. */
  last(): AuditResult | undefined;
  /** A full pass, now. Those who ask while one is running share it. */
  fresh(): Promise<AuditResult>;
}

const INTERVAL_MS = 60_000;
/** What a pass takes at a time: keys at most, and milliseconds, so that nobody waits for it noticeably. */
const CHUNKS = { chunk: 2_000, aim: 5 } as const;
/** In passing, a chunk is followed by a rest nineteen times as long: a twentieth of one processor at most. */
const RESTS_PER_WORK = 19;

/** What the program runs of it: no migrations and no subscriptions, unlike a service with a mailbox. */
export type AuditorService = Pick<Service, 'name' | 'routes' | 'runnables'>;

export function auditorService({ databases, world, telemetry, intervalMs = INTERVAL_MS }: AuditorOptions): AuditorService {
  let last: AuditResult | undefined;
  let asked: Promise<AuditResult> | undefined;

  function keep(result: AuditResult): AuditResult {
    last = result;
    const { auditViolations, auditRows, auditFinished } = telemetry.metrics;
    auditFinished.set(result.finished_at / 1_000);
    for (const { id, rows, violations, first } of result.equations) {
      auditViolations.set({ equation: id }, violations);
      auditRows.set({ equation: id }, rows);
      if (first !== undefined) telemetry.log.error({ equation: id, violations, ...first }, 'an equation does not hold');
    }
    return result;
  }

  const base = { equations: EQUATIONS, databases, world, ...CHUNKS };
  const auditor: Auditor = {
    last: () => last,
    fresh() {
      asked ??= runPass({ ...base, rest: () => 0 })
        .then(keep)
        .finally(() => (asked = undefined));
      return asked;
    },
  };
  const passing: Loop = loop({
    name: 'auditor',
    world,
    async turn(signal) {
      const result = await runPass({ ...base, rest: (ms) => Math.max(1, ms) * RESTS_PER_WORK, signal });
      // A pass that was told to stop has not seen everything.
      if (!signal.aborted) keep(result);
      return intervalMs;
    },
    failed: (error) => telemetry.log.warn({ err: error }, 'the audit could not look; it will try again'),
  });
  return { name: 'auditor', routes: auditRoutes(auditor), runnables: [passing] };
}
