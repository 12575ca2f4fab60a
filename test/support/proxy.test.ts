import { once } from 'node:events';
import { type Server, type Socket, connect, createServer } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { until } from '../messaging/support.ts';
import { type Proxy, openProxy, seededChance } from './proxy.ts';

let server: Server;
let proxy: Proxy;
const accepted: Socket[] = [];
const heard: string[] = [];
const clients: Socket[] = [];

beforeEach(async () => {
  server = createServer((socket) => {
    accepted.push(socket);
    socket
      .on('error', () => undefined)
      .on('data', (data) => {
        heard.push(data.toString());
        socket.write(data);
      });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  proxy = await openProxy({ port: typeof address === 'object' ? address!.port : 0, seed: 7 });
});
afterEach(async () => {
  for (const socket of [...clients.splice(0), ...accepted.splice(0)]) socket.destroy();
  heard.length = 0;
  await proxy.close();
  server.close();
  await once(server, 'close');
});

interface Client {
  readonly socket: Socket;
  readonly echoed: () => string;
}
async function client(): Promise<Client> {
  let text = '';
  const socket = connect(proxy.port, '127.0.0.1');
  socket.on('error', () => undefined).on('data', (data) => (text += data.toString()));
  clients.push(socket);
  await once(socket, 'connect');
  return { socket, echoed: () => text };
}
const echo = async ({ socket, echoed }: Client, text: string): Promise<void> => {
  const before = echoed();
  socket.write(text);
  await until(`${text} came back`, () => echoed() === before + text);
};

it('passes everything on, and ends with either end', async () => {
  const one = await client();
  await echo(one, 'hello');
  expect([proxy.connections(), proxy.accepted()]).toEqual([1, 1]);
  one.socket.end();
  await until('the server was told', () => accepted[0]!.destroyed);
  await until('it is forgotten', () => proxy.connections() === 0);
});

it('cut: both ends are gone, and new connections pass', async () => {
  const one = await client();
  await echo(one, 'hello');
  proxy.cut();
  await until('both ends know', () => one.socket.destroyed && accepted[0]!.destroyed);
  await echo(await client(), 'again');
});

it('cutAfter: the last bytes arrive, the next do not', async () => {
  const one = await client();
  await echo(one, 'ab');
  proxy.cutAfter(3);
  one.socket.write('cdefg');
  await until('it is cut', () => one.socket.destroyed);
  expect(heard.join('')).toBe('abcde');
  await echo(await client(), 'again');
});

it('vanish: the client is gone, the server believes in it', async () => {
  const one = await client();
  await echo(one, 'hello');
  proxy.vanish();
  await until('the client knows', () => one.socket.destroyed);
  await echo(await client(), 'somebody else');
  expect(accepted[0]!.destroyed).toBe(false);
});

it('hold: nothing passes and nobody is told; released, all of it arrives in order', async () => {
  const one = await client();
  await echo(one, 'a');
  proxy.hold();
  one.socket.write('b');
  one.socket.write('c');
  const other = connect(proxy.port, '127.0.0.1');
  clients.push(other);
  await once(other, 'connect'); // a round trip beside it: what was written before has reached the proxy
  expect(heard.join('')).toBe('a');
  proxy.release();
  await until('the rest came', () => one.echoed() === 'abc');
});

it('refuse: connections end at once', async () => {
  proxy.refuse(true);
  const refused = connect(proxy.port, '127.0.0.1').on('error', () => undefined);
  await new Promise((resolve) => void refused.on('close', resolve));
  proxy.refuse(false);
  await echo(await client(), 'welcome');
});

it('delayed and throttled, everything arrives in order', async () => {
  proxy.delay(1, 3);
  proxy.throttle(1_000_000);
  const one = await client();
  for (const text of ['a', 'b', 'c', 'd']) one.socket.write(text);
  await until('all came back', () => one.echoed() === 'abcd');
});

it('chance follows from the seed', () => {
  const [one, two, other] = [seededChance(7), seededChance(7), seededChance(8)];
  const some = Array.from({ length: 5 }, one);
  expect(Array.from({ length: 5 }, two)).toEqual(some);
  expect(Array.from({ length: 5 }, other)).not.toEqual(some);
  expect(some.every((n) => n >= 0 && n < 1)).toBe(true);
});
