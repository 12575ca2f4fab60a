/**
 * How a command ends, and what it says when it could not do what it was asked. A person reads sentences, never stack traces.
 */

/** Exit codes, as `waybill --help` lists them. */
export const EXIT = {
  /** Done, and everything is as it should be. */
  ok: 0,
  /** Asked and answered, and the answer is no: a refusal, violations, differences. */
  no: 1,
  /** The server could not be reached, or could not answer. */
  unreachable: 2,
  /** The command was not understood. */
  usage: 64,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends a command with sentences for a person; for programs (`--json`) the same as one object. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: ExitCode;
  /** More sentences: the fields that are wrong, what to do. */
  readonly more: readonly string[];
  /** The catalogue's code of a refusal, where there is one. */
  readonly code: string;

  constructor(exitCode: ExitCode, message: string, { more = [], code = 'command_failed' }: { more?: readonly string[]; code?: string } = {}) {
    super(message);
    this.exitCode = exitCode;
    this.more = more;
    this.code = code;
  }
}

/** A problem document of the server. Every field may be missing: something else may stand between us and it. */
export interface Problem {
  readonly title?: string;
  readonly detail?: string;
  readonly code?: string;
  readonly next?: string;
  readonly retryable?: boolean;
  readonly errors?: readonly { readonly field: string; readonly rule: string; readonly remedy?: string }[];
  readonly request_id?: string;
}

/** The server said no. */
export function refused(problem: Problem, fallback: string): CommandError {
  const { title, detail, code, next, errors = [], request_id: requestId, retryable = false } = problem;
  const fields = errors.map(
    ({ field, rule, remedy }) => `  ${field === '' ? 'request' : field}: ${rule}${remedy === undefined ? '' : `. ${remedy}`}`,
  );
  // Where each field says what to do, a last sentence that says to mend the fields adds nothing.
  const told = errors.length > 0 && errors.every(({ remedy }) => remedy !== undefined);
  const report = code === 'internal' && requestId !== undefined ? [`Request id: ${requestId}`] : [];
  return new CommandError(retryable || code === 'internal' ? EXIT.unreachable : EXIT.no, detail ?? title ?? fallback, {
    more: [...fields, ...(next === undefined || told ? [] : [next]), ...report],
    ...(code === undefined ? {} : { code }),
  });
}

/** Nobody answers there. */
export const unreachable = (url: string, why: string): CommandError =>
  new CommandError(EXIT.unreachable, `Waybill does not answer at ${url}: ${why}.`, {
    more: ['Start it with `waybill start`, or say where it is with --url or WAYBILL_URL.'],
    code: 'unreachable',
  });
