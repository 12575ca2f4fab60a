/**
 * /openapi.json: the routes as an OpenAPI 3.1 document. The schemas that validate are the schemas that document; examples are read
 * out of them, and a test sends each example through the schema it illustrates.
 */
import { z } from 'zod';
import {
  type CreateDocumentOptions,
  type ZodOpenApiOperationObject,
  type ZodOpenApiResponsesObject,
  createDocument,
  createSchema,
} from 'zod-openapi';
import { idempotencyKeySchema } from '../contracts/rest.ts';
import { CATALOGUE, type ErrorCode, Refusal } from '../kernel/errors.ts';
import type { Route } from '../messaging/service.ts';
import { operationSchema } from './context.ts';
import type { Door } from './http.ts';
import { PROBLEM_TYPE, problemOf, problemSchema, statusOf } from './problem.ts';

export interface DocumentOptions {
  readonly version: string;
  readonly routes: readonly Route[];
  readonly doors: readonly Door[];
}

const DESCRIPTION = `Waybill takes an order from checkout to doorstep.

Amounts are integers in minor units (1250 is 12.50 EUR), times are RFC 3339 in UTC, ids are opaque. Lists are paged by \`cursor\` and
\`limit\`. A write repeated with its \`Idempotency-Key\` has one effect and gets one answer. Errors are RFC 9457 problem documents whose
\`code\` is explained at [/docs/errors](/docs/errors). Fields this document does not name are refused in requests; new ones may appear in answers.`;

/** Errors any route may answer, beside those it declares. */
const ALWAYS: readonly ErrorCode[] = ['internal', 'unavailable'];
const OF_WRITES: readonly ErrorCode[] = ['idempotency_key_reused', 'idempotency_in_progress', 'storage_full'];
const OF_BODIES: readonly ErrorCode[] = ['malformed_body', 'body_too_large', 'unsupported_media_type'];

const RENDERING: CreateDocumentOptions = {
  override({ jsonSchema, zodSchema, io }) {
    // What is refused is said so; what is answered may grow.
    if (zodSchema._zod.def.type === 'object') {
      if (io === 'input') jsonSchema.additionalProperties ??= false;
      else if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
    }
    // The pattern behind a named format is a line of leap years; the name says more.
    if (jsonSchema.format !== undefined) delete jsonSchema.pattern;
  },
};

export function openApiDocument({ version, routes, doors }: DocumentOptions): object {
  const paths: Record<string, Record<string, ZodOpenApiOperationObject>> = {};
  const add = (method: string, path: string, operation: ZodOpenApiOperationObject): void => {
    (paths[path] ??= {})[method.toLowerCase()] = { operationId: operationId(method, path), ...operation };
  };
  for (const route of routes) add(route.method, route.path, operationOf(route));
  for (const { path, listed } of doors)
    if (listed) add('GET', path, { summary: listed.summary, tags: [listed.tag], responses: doorResponses(listed.output) });
  const tags = [...new Set(Object.values(paths).flatMap((methods) => Object.values(methods).flatMap((operation) => operation.tags ?? [])))];
  return createDocument(
    {
      openapi: '3.1.0',
      info: { title: 'Waybill', version, description: DESCRIPTION, license: { name: 'MIT', identifier: 'MIT' } },
      servers: [{ url: '/', description: 'This server.' }],
      tags: tags.map((name) => ({ name })),
      paths,
    },
    RENDERING,
  );
}

function operationOf(route: Route): ZodOpenApiOperationObject {
  const writes = route.method !== 'GET';
  const codes = new Set<ErrorCode>([...(route.refuses ?? []).filter(isCode), ...ALWAYS, ...(writes ? OF_WRITES : [])]);
  if (route.params ?? route.query ?? route.body) codes.add('invalid_request');
  if (route.body) for (const code of OF_BODIES) codes.add(code);
  return {
    tags: [route.tag],
    summary: route.summary,
    requestParams: {
      ...(route.params ? { path: parameters(route.params) } : {}),
      ...(route.query ? { query: parameters(route.query) } : {}),
    },
    ...(writes ? { parameters: WRITE_HEADERS } : {}),
    ...(route.body
      ? {
          requestBody: {
            required: !route.body.safeParse({}).success,
            content: { 'application/json': { schema: route.body, example: exampleFor(route.body, 'input') } },
          },
        }
      : {}),
    responses: {
      [route.answers === 'created' ? '201' : '200']: {
        description: route.answers === 'created' ? 'Made.' : 'Done.',
        content: contentOf(route),
      },
      ...previewResponse(route),
      ...problemResponses([...codes]),
    },
  } as ZodOpenApiOperationObject;
}

/** Where a dry run is answered otherwise than the real one. */
function previewResponse({ previews, output, answers }: Route): object {
  if (previews === undefined) return {};
  const schema = answers === 'created' ? previews : z.union([output, previews]);
  const description = answers === 'created' ? 'With `dry_run`: nothing was made.' : 'Done; with `dry_run`: what would come of it.';
  const example = exampleFor(answers === 'created' ? previews : output, 'output');
  return { '200': { description, content: { 'application/json': { schema, example } } } };
}

function contentOf({ answers, output }: Route): object {
  if (answers !== 'file') return { 'application/json': { schema: output, example: exampleFor(output, 'output') } };
  const types = (output.meta() as { readonly types: readonly string[] }).types;
  return Object.fromEntries(types.map((type) => [type, { schema: { type: 'string', format: 'binary' } }]));
}

/** A route's params and query are objects, perhaps with a transformation around them, which the library looks through. */
const parameters = (schema: z.ZodType): z.ZodObject => schema as unknown as z.ZodObject;

const WRITE_HEADERS = [
  { in: 'header', name: 'Idempotency-Key', required: false, schema: schemaOf(idempotencyKeySchema, 'input') },
  { in: 'header', name: 'operation-name', required: false, schema: schemaOf(operationSchema, 'input') },
];

const isCode = (code: string): code is ErrorCode => Object.hasOwn(CATALOGUE, code);

/** One response a status, with an example a code. */
function problemResponses(codes: readonly ErrorCode[]): ZodOpenApiResponsesObject {
  const responses: Record<
    string,
    { description: string; content: Record<string, { schema: typeof problemSchema; examples: Record<string, object> }> }
  > = {};
  for (const code of codes.toSorted((a, b) => statusOf(a) - statusOf(b))) {
    const { meaning } = CATALOGUE[code];
    const response = (responses[statusOf(code)] ??= { description: '', content: { [PROBLEM_TYPE]: { schema: problemSchema, examples: {} } } });
    response.description += `${response.description === '' ? '' : ' '}\`${code}\`: ${meaning}`;
    response.content[PROBLEM_TYPE]!.examples[code] = { value: problemOf(new Refusal(code, meaning), 'req_01jm8r3v9qe7bvkc1xk6w2t4nz') };
  }
  return responses as ZodOpenApiResponsesObject;
}

function doorResponses(output: z.ZodType | undefined): ZodOpenApiResponsesObject {
  if (output === undefined) return { '200': { description: 'Text.', content: { 'text/plain': { schema: { type: 'string' } } } } };
  const content = { 'application/json': { schema: output, example: exampleFor(output, 'output') } };
  return {
    '200': { description: 'Well, or well enough to go on.', content },
    '503': { description: 'Not well; the same document says why.', content },
  };
}

/** `POST /v1/orders/{order_id}/cancel` → `postOrdersByOrderIdCancel`. */
function operationId(method: string, path: string): string {
  const words = path
    .replace(/^\/v1/, '')
    .replaceAll('{', 'by-')
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== '');
  return method.toLowerCase() + words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join('');
}

type Json = Readonly<Record<string, unknown>>;

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  return createSchema(schema, { io, opts: RENDERING }).schema as Json;
}

/** An example of a schema: its own where it has one, else made of the examples of its parts. */
export function exampleFor(schema: z.ZodType, io: 'input' | 'output'): unknown {
  const { schema: root, components } = createSchema(schema, { io, opts: RENDERING });
  return exampleOf(root as Json, components as Readonly<Record<string, Json>>);
}

function exampleOf(schema: Json, components: Readonly<Record<string, Json>>): unknown {
  const inner = (one: unknown): unknown => exampleOf(one as Json, components);
  if (typeof schema['$ref'] === 'string') return inner(components[schema['$ref'].split('/').at(-1)!] ?? {});
  if (Array.isArray(schema['examples'])) return schema['examples'][0];
  if ('default' in schema) return schema['default'];
  if ('const' in schema) return schema['const'];
  if (Array.isArray(schema['enum'])) return schema['enum'][0];
  const alternatives = schema['anyOf'] ?? schema['oneOf'] ?? schema['allOf'];
  if (Array.isArray(alternatives)) return inner(alternatives[0]);
  switch (schema['type']) {
    case 'object': {
      const required = new Set((schema['required'] as readonly string[] | undefined) ?? []);
      // An optional field is shown when somebody cared to give it an example; the others would be noise.
      const shown = Object.entries((schema['properties'] as Readonly<Record<string, Json>> | undefined) ?? {}).filter(
        ([name, part]) => required.has(name) || 'examples' in part,
      );
      return Object.fromEntries(shown.map(([name, part]) => [name, inner(part)]));
    }
    case 'array':
      return [inner(schema['items'])];
    case 'integer':
    case 'number':
      return Math.max(1, Number(schema['minimum'] ?? 1));
    case 'boolean':
      return false;
    case 'null':
      return null;
    default:
      return schema['format'] === 'date-time' ? '2026-03-01T09:30:00.000Z' : schema['format'] === 'email' ? 'ada@example.org' : 'text';
  }
}
