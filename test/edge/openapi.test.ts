import { validate } from '@scalar/openapi-parser';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { fileSchema } from '../../src/contracts/rest.ts';
import { openApiDocument } from '../../src/edge/openapi.ts';
import { operationRoutes } from '../../src/edge/operations.ts';
import { route } from '../../src/messaging/service.ts';

const line = z
  .object({
    sku: z
      .string()
      .min(1)
      .meta({ examples: ['A'] }),
    quantity: z.int().min(1),
  })
  .meta({ id: 'Line' });
const routes = [
  route({
    method: 'POST',
    path: '/v1/orders',
    tag: 'Orders',
    summary: 'Place an order',
    body: z.object({ lines: z.array(line), note: z.string().optional() }),
    output: z.object({ id: z.string(), lines: z.array(line), placed_at: z.iso.datetime() }),
    answers: 'created',
    refuses: ['unknown_sku', 'no_price'],
    handle: async () => ({ id: 'x', lines: [], placed_at: '' }),
  }),
  route({
    method: 'GET',
    path: '/v1/orders/paper',
    tag: 'Orders',
    summary: 'Print',
    output: fileSchema(['application/pdf', 'text/plain']),
    answers: 'file',
    handle: async () => ({ type: 'text/plain', body: new Uint8Array(), sha256: '', name: '' }),
  }),
  ...operationRoutes([], { gapLimit: 1 }),
];

interface Operation {
  operationId: string;
  parameters?: { name: string; in: string; required?: boolean }[];
  requestBody?: { required: boolean; content: Record<string, { example: unknown; schema: { additionalProperties?: boolean } }> };
  responses: Record<
    string,
    { description: string; content: Record<string, { example?: unknown; examples?: Record<string, { value: { code: string; status: number } }> }> }
  >;
}
const document = openApiDocument({ version: '1.2.3', routes, doors: [] }) as {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, { additionalProperties?: boolean }> };
};
const place = document.paths['/v1/orders']!['post']!;

describe('openApiDocument', () => {
  test('is valid OpenAPI 3.1', async () => {
    const { valid, errors } = await validate(JSON.stringify(document));
    expect(errors ?? []).toEqual([]);
    expect(valid).toBe(true);
    expect(document.openapi).toBe('3.1.0');
  });

  test('the validator complains when it is not', async () => {
    const broken = structuredClone(document);
    broken.paths['/v1/orders']!['post']!.responses = {} as never;
    broken.paths['/v1/dead-letters']!['get']!.parameters = [{ name: 'x', in: 'nowhere' }];
    expect((await validate(JSON.stringify(broken))).valid).toBe(false);
  });

  test('says what is refused: fields nobody knows, and each code under its status', () => {
    expect(place.requestBody).toMatchObject({ required: true, content: { 'application/json': { schema: { additionalProperties: false } } } });
    const refused = place.responses['422']!;
    expect(refused.description).toContain('`unknown_sku`: A line names a sku that is not in the catalogue.');
    expect(Object.keys(refused.content['application/problem+json']!.examples!)).toEqual(['unknown_sku', 'no_price', 'idempotency_key_reused']);
    for (const [status, { content }] of Object.entries(place.responses))
      for (const [code, { value }] of Object.entries(content['application/problem+json']?.examples ?? {}))
        expect(value).toMatchObject({ code, status: Number(status) });
  });

  test('names the types a document may have', () => {
    const file = { schema: { type: 'string', format: 'binary' } };
    expect(document.paths['/v1/orders/paper']!['get']!.responses['200']!.content).toEqual({ 'application/pdf': file, 'text/plain': file });
  });

  test('does not promise that answers stay as they are', () => {
    expect(document.components.schemas['DeadLetter']!.additionalProperties).toBeUndefined();
  });

  test('names path parameters, query parameters and the headers of writes', () => {
    const redrive = document.paths['/v1/dead-letters/{id}/redrive']!['post']!;
    expect(redrive.parameters!.map(({ name, in: where }) => `${where} ${name}`).toSorted()).toEqual([
      'header Idempotency-Key',
      'header operation-name',
      'path id',
    ]);
    const list = document.paths['/v1/dead-letters']!['get']!;
    expect(list.parameters!.map(({ name }) => name)).toContain('cursor');
    expect(redrive.operationId).toBe('postDeadLettersByIdRedrive');
  });

  test('every request has an example that its own schema accepts', () => {
    for (const { body, path } of routes) {
      const example = document.paths[path]?.['post']?.requestBody?.content['application/json']?.example;
      if (body) expect(body.safeParse(example).success, `${path} ${JSON.stringify(example)}`).toBe(true);
    }
  });
});
