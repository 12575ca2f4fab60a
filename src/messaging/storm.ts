/**
 * Keeps a consumer from working through a storm (domain-storm.ts) in one process: each judges by what it sees itself. What is in hand stays in
 * hand meanwhile: giving it back to a broker would count as another delivery of each message, and after twenty it gives them up.
 */
import { Fault } from '../kernel/errors.ts';
import type { Logger, Metrics } from '../kernel/telemetry.ts';
import type { World } from '../kernel/world.ts';
import { CALM, type Storm, afterSettled, atOnce, atTime } from './domain-storm.ts';
import { classOf } from './failures.ts';
import type { Message } from '../contracts/envelope.ts';

export interface StormGuard {
  /** Milliseconds still to rest; 0 when there is work to be done. */
  rest(): number;
  /** Messages one transaction may take. Throws a Fault that is waited for when a rest has begun. */
  most(): number;
  handled(messages: number): void;
  failed(message: Message, thrown: unknown): void;
  /** A person decided something about the consumer at that time: it ends a storm that began before. */
  decided(at: number): void;
}

export function openStormGuard(service: string, { world, log, metrics }: { world: World; log: Logger; metrics: Metrics }): StormGuard {
  let storm: Storm = CALM;

  function turn(next: Storm): void {
    const before = storm.state;
    storm = next;
    if (next.state === before) return;
    if (next.state === 'resting') {
      metrics.storms.inc({ service });
      log.error({ until: next.until }, `consuming rests: ${sentence(next)}`);
    } else if (next.state === 'calm') log.warn('the storm is over, consuming goes on as before');
    else log.warn('consuming tries again, slowly first');
  }

  return {
    rest() {
      turn(atTime(storm, world.now()));
      return storm.state === 'resting' ? storm.until - world.now() : 0;
    },
    most() {
      if (storm.state === 'resting') throw new Fault('unavailable', sentence(storm));
      return atOnce(storm);
    },
    handled: (messages) => turn(afterSettled(storm, { settled: messages, failed: 0 }, world.now())),
    failed(message, thrown) {
      if (message.redrive !== undefined || classOf(thrown) === 'contract') return;
      turn(afterSettled(storm, { settled: 1, failed: 1 }, world.now()));
    },
    decided(at) {
      if (storm.state !== 'calm' && at > storm.began) turn(CALM);
    },
  };
}

const sentence = ({ failed, settled }: { readonly failed: number; readonly settled: number }): string =>
  `${failed} of the last ${settled} messages failed; it tries again by itself, or at once when it is resumed`;
