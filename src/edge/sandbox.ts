/**
 * The sandbox: what nobody may do to a real shop. Its routes exist with SANDBOX=true only.
 */
import { z } from 'zod';
import { timestamp } from '../contracts/rest.ts';
import { Refusal } from '../kernel/errors.ts';
import type { TestClock } from '../kernel/test-clock.ts';
import { rfc3339 } from '../kernel/time.ts';
import { type Route, route } from '../messaging/service.ts';

/** A year at a time. */
const ADVANCE_MAX = 366 * 86_400_000;
/** What RFC 3339 can write. */
const LAST_MOMENT = Date.UTC(9999, 11, 31);
const ISO = /^P(?=\d|T\d)(?:(\d{1,3})D)?(?:T(?=\d)(?:(\d{1,4})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?)?$/;

/** Milliseconds of `P8D`, `PT36H`, `P1DT12H30M`; undefined for anything else. */
function durationOf(text: string): number | undefined {
  const parts = ISO.exec(text)?.slice(1);
  if (parts === undefined) return undefined;
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = parts.map((part: string | undefined) => Number(part ?? 0));
  return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1_000;
}

const advanceSchema = z
  .union([z.number(), z.string()])
  .transform((given, context) => {
    const ms = typeof given === 'string' ? durationOf(given) : given;
    if (ms !== undefined && Number.isInteger(ms) && ms >= 1 && ms <= ADVANCE_MAX) return ms;
    context.addIssue({ code: 'custom', message: 'must be a duration such as "P8D", "PT36H" or "P1DT12H30M", or milliseconds; 366 days at most' });
    return z.NEVER;
  })
  .meta({ description: 'A duration such as `P8D` or `PT36H`, or milliseconds; 366 days at most.', examples: ['P8D'] });

const clockSchema = z
  .object({ now: timestamp, ahead_ms: z.int().meta({ description: 'How far it is ahead of the clock of the machine.' }) })
  .meta({ id: 'SandboxClock' });

export function sandboxRoutes(clock: TestClock): Route[] {
  const read = () => ({ now: rfc3339(clock.world.now()), ahead_ms: clock.ahead() });
  return [
    route({
      method: 'GET',
      path: '/v1/sandbox/clock',
      tag: 'Sandbox',
      summary: 'The time it is',
      output: clockSchema,
      answers: 'ok',
      handle: async () => read(),
    }),
    route({
      method: 'POST',
      path: '/v1/sandbox/clock',
      tag: 'Sandbox',
      summary: 'Put the clock forward; whatever is due by then happens at once',
      body: z.object({ advance: advanceSchema }),
      output: clockSchema,
      answers: 'ok',
      async handle({ body }) {
        if (clock.world.now() + body.advance > LAST_MOMENT) {
          const rule = 'would pass the year 9999';
          throw new Refusal('invalid_request', `advance ${rule}`, [
            { field: 'advance', rule, remedy: 'Take another DATA_DIR, whose clock is not so far ahead.' },
          ]);
        }
        clock.advance(body.advance);
        return read();
      },
    }),
  ];
}
