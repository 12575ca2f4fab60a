/** What the second thread runs; threads.ts says why there is one. */
import { parentPort, workerData } from 'node:worker_threads';
import type { ServiceName } from './config.ts';
import { openCrew, runnablesOf } from './crew.ts';
import { watchEventLoop } from './kernel/event-loop.ts';
import { armFailpoints } from './kernel/failpoints.ts';
import { startAll, stopAll } from './kernel/lifecycle.ts';
import { openPeer } from './kernel/peer.ts';
import { realWorld } from './kernel/world.ts';
import { linkedTransport } from './messaging/embedded-link.ts';
import { openTelemetry } from './telemetry.ts';
import type { ThreadData } from './threads.ts';

const { config, shared, suspectsLock } = workerData as ThreadData;
armFailpoints(config.failpoints);
const { telemetry, close } = await openTelemetry(config);
const port = parentPort!;
const peer = openPeer(port); // from here on it is spoken to
const transport = linkedTransport(peer);
const crew = openCrew(config, { transport, shared: (name) => shared.get(name)!, suspectsLock, world: realWorld(), telemetry });
const { relays, workers } = runnablesOf(crew, () => true);
const watch = watchEventLoop({ world: realWorld(), telemetry, thread: 'second' });
const things = [watch, ...[...crew.messagings.values()].map(({ timekeeper }) => timekeeper), ...relays, ...workers];
const here = (name: ServiceName) => crew.messagings.get(name)!.here;

peer.answer('start', () => startAll(things));
peer.answer('stop', async () => {
  await stopAll(things);
  await Promise.all([...crew.databases.values()].map((db) => db.close()));
  await close();
});
peer.answer('metrics', () => telemetry.metrics.registry.getMetricsAsJSON());
peer.answer('activity', (name: ServiceName) => here(name).activity());
peer.hear('said', (name: ServiceName) => here(name).said());
peer.hear('poke', (name: ServiceName) => here(name).poke());
peer.hear('end', () => port.close());
