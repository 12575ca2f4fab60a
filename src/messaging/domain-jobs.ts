/**
 * Jobs over many dead letters: what states they have, how fast they go, and when they stop by themselves.
 *
 *   state      pause     resume     cancel       too many fail    nothing left
 *   ─────────  ────────  ─────────  ───────────  ───────────────  ────────────
 *   running    paused    –          cancelled    stopped          done
 *   paused     –         running    cancelled    –                –
 *   stopped    –         running    cancelled    –                –
 *   cancelled  –         –          –            –                –
 *   done       –         –          –            –                –
 *
 * What is on its way when a job pauses, stops or is cancelled comes to its end, and its outcome is kept.
 *
 * Each dead letter of a job has an outcome of its own:
 *
 *            redrive                handled
 *   waiting ─────────> redriven ───────────────> succeeded
 *      │ │                └────────────────────> failed_again     open once more: the job does not send it a second time
 *      │ └─ discard ─> discarded
 *      └─────────────> skipped                   somebody else had sent it again or discarded it, or it is resolved
 *
 * A job goes slowly first, because the cause may not be mended after all: one message, then ten, then a hundred, each step when the one
 * before has come to its end; then as its rate allows. After a pause or a stop it begins slowly again.
 */

export const ACTIONS = ['redrive', 'discard'] as const;
export type JobAction = (typeof ACTIONS)[number];
export const OUTCOMES = ['waiting', 'redriven', 'succeeded', 'failed_again', 'skipped', 'discarded'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** What people ask for, and what happens by itself. */
export type JobCommand = 'pause' | 'resume' | 'cancel';
type Trigger = JobCommand | 'too_many_fail' | 'nothing_left';

export const TRANSITIONS = {
  running: { pause: 'paused', cancel: 'cancelled', too_many_fail: 'stopped', nothing_left: 'done' },
  paused: { resume: 'running', cancel: 'cancelled' },
  stopped: { resume: 'running', cancel: 'cancelled' },
  cancelled: {},
  done: {},
} as const satisfies Record<string, Partial<Record<Trigger, string>>>;
export type JobState = keyof typeof TRANSITIONS;
export const JOB_STATES = Object.keys(TRANSITIONS) as JobState[];

/** The state a trigger leads to; undefined where it is not allowed. */
export const nextState = (state: JobState, trigger: Trigger): JobState | undefined =>
  (TRANSITIONS[state] as Partial<Record<Trigger, JobState>>)[trigger];

export const isOver = (state: JobState): boolean => Object.keys(TRANSITIONS[state]).length === 0;

/** After so many messages of a slow start the next step begins. */
const STEPS: readonly number[] = [1, 11, 111];
/** On their way at once, at most. */
export const IN_FLIGHT_MAX = 500;
/** How long a job that could not send saves up what its rate would have allowed, milliseconds. */
const BURST_MS = 250;

export interface Pace {
  /** Messages a second. */
  readonly rate: number;
  /** Slow start. */
  readonly ramp: boolean;
  /** Sent since the job was started or resumed. */
  readonly sent: number;
  /** Not before this time, milliseconds UTC. */
  readonly next_at: number;
}

/** How many messages may be sent now, and, when none may, in how many milliseconds it is worth asking again (0: when one has settled). */
export function allowance({ rate, ramp, sent, next_at }: Pace, inFlight: number, now: number): { readonly most: number; readonly wait: number } {
  const stepIsSent = ramp && (sent === 0 || STEPS.includes(sent));
  if ((stepIsSent && inFlight > 0) || inFlight >= IN_FLIGHT_MAX) return { most: 0, wait: 0 };
  if (now < next_at) return { most: 0, wait: next_at - now };
  const saved = Math.min(now - next_at, BURST_MS);
  const byRate = 1 + Math.floor((saved * rate) / 1_000);
  const step = ramp ? STEPS.find((end) => sent < end) : undefined;
  return { most: Math.min(byRate, IN_FLIGHT_MAX - inFlight, step === undefined ? IN_FLIGHT_MAX : step - sent), wait: 0 };
}

/** When the next one may be sent after `n` were sent now. */
export const nextAt = ({ rate, next_at }: Pick<Pace, 'rate' | 'next_at'>, n: number, now: number): number =>
  Math.ceil(Math.max(next_at, now - BURST_MS) + (n * 1_000) / rate);

/** The last hundred outcomes or so; what lies further back counts less and less. */
export interface Recent {
  readonly settled: number;
  readonly failed: number;
}
const REMEMBERED = 100;

export function remember({ settled, failed }: Recent, more: Recent): Recent {
  let [all, bad] = [settled + more.settled, failed + more.failed];
  while (all >= REMEMBERED) [all, bad] = [all / 2, bad / 2];
  return { settled: Math.round(all), failed: Math.round(bad) };
}

/** Whether more fail than `percent`, even if everything on its way were to succeed. At 100 never. */
export const tooManyFail = ({ settled, failed }: Recent, inFlight: number, percent: number): boolean =>
  failed > 0 && failed * 100 > percent * (settled + inFlight);
