import { describe } from 'vitest';
import { realWorld } from '../../src/kernel/world.ts';
import { type RabbitTransport, rabbitTransport } from '../../src/messaging/rabbit.ts';
import { telemetry } from '../messaging/support.ts';
import { type Proxy, openProxy } from '../support/proxy.ts';
import { rabbitUrl, removeTopology, throwAwayPrefix } from '../support/rabbit.ts';
import { type OpenTransport, transportSuite } from './transport.ts';

const world = realWorld();

interface OpenRabbit extends OpenTransport {
  readonly transport: RabbitTransport;
  readonly prefix: string;
  /** Between the present transport and the broker. */
  proxy(): Proxy;
}

function throughProxy(url: string, proxy: Proxy): string {
  const through = new URL(url);
  through.hostname = '127.0.0.1';
  through.port = String(proxy.port);
  return through.href;
}

async function open(url: string): Promise<OpenRabbit> {
  const prefix = throwAwayPrefix();
  const used = new Set<string>();
  const started: { transport: RabbitTransport; proxy: Proxy }[] = [];
  const start = async (): Promise<RabbitTransport> => {
    const { hostname, port } = new URL(url);
    const proxy = await openProxy({ host: hostname, port: Number(port || 5672) });
    const transport = rabbitTransport({ broker: { url: throughProxy(url, proxy) }, prefix, world, telemetry });
    started.push({ transport, proxy });
    await transport.start();
    return transport;
  };
  return {
    prefix,
    transport: await start(),
    proxy: () => started.at(-1)!.proxy,
    queue(name) {
      used.add(name);
      return name;
    },
    async crash() {
      const { transport, proxy } = started.at(-1)!;
      await proxy.close(); // reset, with all that was in hand; whatever the old one still does reaches nobody
      void transport.stop();
      return start();
    },
    async restart() {
      await started.at(-1)!.transport.stop();
      return start();
    },
    async drop() {
      for (const { transport, proxy } of started) {
        await transport.stop();
        await proxy.close();
      }
      await removeTopology(url, prefix, used);
    },
  };
}

describe.skipIf(rabbitUrl === undefined)('with a broker', () => transportSuite({ name: 'RabbitMQ', open: () => open(rabbitUrl!) }));
