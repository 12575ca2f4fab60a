/**
 * `npm start` as a newcomer runs it, to the first shipment, and Ctrl-C.
 */
import { describe, expect, it } from 'vitest';
import { type Server, startServer, until } from '../support/server.ts';

async function post<Answer>(server: Server, path: string, body: object): Promise<Answer> {
  const answer = await fetch(server.url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const text = await answer.text();
  expect(answer.status, `POST ${path} answers ${text}`).toBe(201);
  return JSON.parse(text) as Answer;
}

describe('npm start', () => {
  it.each(['stop', 'interrupt'] as const)('serves an order from checkout to a shipment, and ends cleanly at %s', async (end) => {
    const server = await startServer({ command: ['npm', 'start'] });
    try {
      await post(server, '/v1/products', { sku: 'TEAPOT', name: 'Teapot', price: 2499, currency: 'EUR' });
      const warehouse = await post<{ id: string }>(server, '/v1/warehouses', { name: 'Hamburg', location: 'Hamburg' });
      await post(server, '/v1/stock/receipts', { warehouse_id: warehouse.id, lines: [{ sku: 'TEAPOT', quantity: 10 }] });
      const order = await post<{ id: string }>(server, '/v1/orders', {
        customer: { id: 'c-1', name: 'Ada', email: 'ada@example.org' },
        currency: 'EUR',
        lines: [{ sku: 'TEAPOT', quantity: 2 }],
        payment: { token: 'tok_ok' },
      });
      const shipment = await until(async () => {
        const answer = await fetch(`${server.url}/v1/shipments?order_id=${order.id}`);
        expect(answer.status).toBe(200);
        const page = (await answer.json()) as { items: { status: string; order_id: string }[] };
        return page.items.find(({ status }) => status === 'ready');
      }, 'the shipment is ready');
      expect(shipment.order_id).toBe(order.id);
    } finally {
      await server[end]();
    }
    // npm passes the signal on (at Ctrl-C the server hears it twice); what counts is that the server has drained, and says so by its exit code.
    expect(await server.ended, server.output()).toEqual({ code: 0, signal: null });
    await expect(fetch(`${server.url}/health`)).rejects.toThrow('fetch failed');
  });

  it('passes on what stands after --', async () => {
    const server = startServer({ command: ['npm', 'start', '--', '--help'] });
    await expect(server).rejects.toThrow(/ended \(0\)[^]*waybill start/);
  });
});
