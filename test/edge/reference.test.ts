/** /openapi.json of the whole program: valid, complete, and true: every example is sent. */
import { validate } from '@scalar/openapi-parser';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CATALOGUE } from '../../src/kernel/errors.ts';
import { type TestApp, startApp } from '../support/app.ts';

interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  schema: { examples?: string[] };
}
interface Operation {
  operationId: string;
  summary?: string;
  tags?: string[];
  parameters?: Parameter[];
  requestBody?: { content: Record<string, { example?: unknown }> };
  responses: Record<string, { description: string; content?: Record<string, { examples?: Record<string, unknown> }> }>;
}

let app: TestApp;
let operations: { method: string; path: string; operation: Operation }[];
let text: string;

beforeAll(async () => {
  app = await startApp();
  text = await (await fetch(`${app.url()}/openapi.json`)).text();
  const { paths } = JSON.parse(text) as { paths: Record<string, Record<string, Operation>> };
  operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
});
afterAll(() => app.stop());

/** The path with an example in each of its places. */
const filled = (path: string, parameters: readonly Parameter[] = []): string =>
  path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(parameters.find((one) => one.in === 'path' && one.name === name)?.schema.examples?.[0] ?? 'x'),
  );

describe('/openapi.json', () => {
  test('is valid OpenAPI 3.1', async () => {
    const { valid, errors } = await validate(text);
    expect(errors ?? []).toEqual([]);
    expect(valid).toBe(true);
  });

  test('has every service, and the doors of the system', () => {
    const paths = operations.map(({ method, path }) => `${method} ${path}`);
    for (const path of [
      'POST /v1/orders',
      'GET /v1/payments',
      'POST /v1/stock/receipts',
      'POST /v1/shipments/{shipment_id}/dispatch',
      'GET /v1/notifications',
      'GET /v1/audit',
      'GET /health',
      'GET /metrics',
    ])
      expect(paths).toContain(path);
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length);
  });

  test('says of each operation what it is for, what it answers, and how it may fail', () => {
    for (const { method, path, operation } of operations) {
      const name = `${method} ${path}`;
      expect(operation.summary, name).toMatch(/^[A-Z].{5,}[^.]$/);
      expect(operation.tags, name).toHaveLength(1);
      expect(operation.tags![0], name).toMatch(/^[A-Z]/);
      if (!path.startsWith('/v1/')) continue;
      expect(Object.keys(operation.responses), name).toContain('500');
      const codes = Object.values(operation.responses).flatMap(({ content }) => Object.keys(content?.['application/problem+json']?.examples ?? {}));
      for (const code of codes) expect(CATALOGUE, name).toHaveProperty(code);
    }
  });

  test('every example is taken: none breaks a rule, none meets a bug', async () => {
    const sent = [];
    for (const { method, path, operation } of operations.filter(({ path }) => path.startsWith('/v1/'))) {
      const example = operation.requestBody?.content['application/json']?.example;
      const { status, body } = await app.ask<{ code?: string; errors?: unknown }>(method, filled(path, operation.parameters), example);
      sent.push({ name: `${method} ${path}`, status, body });
    }
    const wrong = sent.filter(({ status, body }) => status >= 500 || body.code === 'invalid_request' || body.code === 'route_not_found');
    expect(wrong).toEqual([]);
    expect(sent.length).toBeGreaterThan(30);
  });
});
