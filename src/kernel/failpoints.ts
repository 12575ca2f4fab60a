/**
 * Named places where a test can make the program die, fail, wait or hang.
 *
 * `WAYBILL_FAILPOINTS="relay.after_publish=kill@3,consumer.in_tx=throw"`: at the third hit of the first point the process
 * kills itself with SIGKILL; at every hit of the second an error is thrown. Actions: `kill`, `throw`, `delay:MS`, `hang`.
 * Without the variable a failpoint is one property read.
 */

export type FailpointAction = { readonly act: 'kill' | 'throw' | 'hang' } | { readonly act: 'delay'; readonly ms: number };
export interface Armed {
  readonly action: FailpointAction;
  /** The hit at which it acts; 0 means at every hit. */
  readonly at: number;
  hits: number;
}

let armed: Map<string, Armed> | undefined;

/** Every failpoint there is, so that a misspelt one is refused instead of silently never met. */
// oxfmt-ignore
export const FAILPOINTS = [
  'unit.before_commit', 'unit.after_commit',
  'relay.before_publish', 'relay.after_publish', 'relay.before_delete',
  'bus.before_commit', 'bus.after_commit',
  'consumer.before_tx', 'consumer.in_tx', 'consumer.after_commit', 'consumer.after_ack',
  'failure.before_commit', 'failure.after_commit',
  'scheduler.in_tx', 'scheduler.after_commit',
  'job.in_tx', 'job.after_commit',
  'task.after_claim', 'task.after_perform', 'task.after_conclude',
] as const;
export type Failpoint = (typeof FAILPOINTS)[number];

/**
 * Arms failpoints from a text such as `relay.after_publish=kill@3,consumer.in_tx=delay:50`; an empty text disarms all.
 * Throws an Error that names the part it cannot read.
 */
export function armFailpoints(text: string): void {
  const next = readFailpoints(text);
  armed = next.size === 0 ? undefined : next;
}

/** Reads such a text without arming anything; throws likewise. */
export function readFailpoints(text: string): Map<string, Armed> {
  const parts = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  const next = new Map<string, Armed>();
  for (const part of parts) {
    const match = /^([a-z_.]+)=(kill|throw|hang|delay:(\d+))(?:@(\d+))?$/.exec(part);
    if (!match || !(FAILPOINTS as readonly string[]).includes(match[1]!)) {
      throw new Error(
        `WAYBILL_FAILPOINTS: cannot read "${part}"; write point=kill|throw|hang|delay:MS with an optional @HIT, where point is one of ${FAILPOINTS.join(', ')}`,
      );
    }
    const action: FailpointAction = match[3] === undefined ? { act: match[2] as 'kill' | 'throw' | 'hang' } : { act: 'delay', ms: Number(match[3]) };
    next.set(match[1]!, { action, at: Number(match[4] ?? 0), hits: 0 });
  }
  return next;
}

/** A place where a failure can be provoked. Returns nothing to wait for unless a test armed it. */
export function failpoint(name: Failpoint): Promise<void> | undefined {
  if (armed === undefined) return undefined;
  const point = armed.get(name);
  if (point === undefined) return undefined;
  point.hits += 1;
  if (point.at !== 0 && point.at !== point.hits) return undefined;
  const { action } = point;
  switch (action.act) {
    case 'kill':
      process.kill(process.pid, 'SIGKILL');
      return new Promise(() => undefined);
    case 'throw':
      throw new Error(`failpoint ${name}`);
    case 'hang':
      return new Promise(() => undefined);
    case 'delay':
      return new Promise((resolve) => setTimeout(resolve, action.ms));
  }
}
