/**
 * From what was thrown to what is answered: RFC 9457 problem documents. The only file that gives a thrown thing a status code.
 *
 * A refusal speaks to the caller: its sentence and its fields go out as they are. A fault speaks to the operator: the caller gets
 * the sentence of the catalogue, because the fault's own may name hosts, files or SQL; the log gets everything.
 */
import { z } from 'zod';
import { CATALOGUE, type ErrorCode, Fault, type FieldError, Refusal, type Sort } from '../kernel/errors.ts';

const STATUS: Readonly<Record<Sort, number>> = {
  invalid: 400,
  unprocessable: 422,
  not_found: 404,
  conflict: 409,
  too_large: 413,
  busy: 503,
  bug: 500,
};
/** What only HTTP distinguishes. */
const STATUS_OF_CODE: Partial<Record<ErrorCode, number>> = { unsupported_media_type: 415, method_not_allowed: 405, foreign_host: 403 };

export const statusOf = (code: ErrorCode): number => STATUS_OF_CODE[code] ?? STATUS[CATALOGUE[code].sort];

/** Where a person reads about a code; served by the edge, so it works offline. */
export const typeOf = (code: ErrorCode): string => `/docs/errors#${code}`;

export const PROBLEM_TYPE = 'application/problem+json';

export const problemSchema = z
  .object({
    type: z.string().meta({ description: 'Where the code is explained.', examples: ['/docs/errors#invalid_request'] }),
    title: z.string().meta({ description: 'What the code means.' }),
    status: z.int(),
    detail: z.string().meta({ description: 'What happened this time.' }),
    code: z.string().meta({ description: 'For programs: stable.', examples: ['invalid_request'] }),
    next: z.string().meta({ description: 'What to do.' }),
    retryable: z.boolean().meta({ description: 'Whether the same request may succeed later, unchanged.' }),
    errors: z
      .array(z.object({ field: z.string(), rule: z.string(), remedy: z.string().optional() }))
      .meta({ description: 'The rules that were broken, and where.' }),
    request_id: z.string().meta({ description: 'Name it when you report a problem.' }),
  })
  .meta({ id: 'Problem', description: 'An error, as RFC 9457 writes it.' });

export type Problem = z.infer<typeof problemSchema>;

/** The problem document of whatever was thrown. */
export function problemOf(thrown: unknown, requestId: string): Problem {
  const known = recognise(thrown);
  const { meaning, next, retryable } = CATALOGUE[known.code];
  return {
    type: typeOf(known.code),
    title: meaning,
    status: statusOf(known.code),
    detail: known instanceof Refusal ? known.message : meaning,
    code: known.code,
    next,
    retryable,
    errors: known instanceof Refusal ? known.errors.map(toField) : [],
    request_id: requestId,
  };
}

const toField = ({ field, rule, remedy }: FieldError): Problem['errors'][number] =>
  remedy === undefined ? { field, rule } : { field, rule, remedy };

/** Seconds after which to try again, for the Retry-After header; undefined when trying again would not help. */
export const retryAfterOf = (code: ErrorCode): number | undefined => (CATALOGUE[code].retryable ? 1 : undefined);

/** Errors of the HTTP library in our own words. Everything unknown is `internal`: better one bug reported too many. */
function recognise(thrown: unknown): Refusal | Fault {
  if (thrown instanceof Refusal || thrown instanceof Fault) return thrown;
  switch (thrown instanceof Error && 'code' in thrown ? thrown.code : undefined) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new Refusal('unsupported_media_type', 'the body is not declared as application/json');
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new Refusal('body_too_large', 'the body is larger than 1 MiB');
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
      return new Refusal('malformed_body', 'the body is not valid JSON');
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new Refusal('malformed_body', 'the body is not as long as its Content-Length says');
    case 'FST_ERR_BAD_URL':
      return new Refusal('malformed_request', 'the path cannot be decoded');
    default:
      return new Fault('internal', 'unexpected', { cause: thrown });
  }
}
