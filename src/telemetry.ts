/** What the program tells of itself, as its settings say. */
import type { Config } from './config.ts';
import { type Telemetry, createTelemetry } from './kernel/telemetry.ts';
import { realWorld } from './kernel/world.ts';
import { VERSION } from './version.ts';

/** With traces only where the settings say where they go: what makes them is not even loaded otherwise. */
export async function openTelemetry({ logLevel, tracing: options }: Config): Promise<{ telemetry: Telemetry; close(): Promise<void> }> {
  const telemetry = createTelemetry({ level: logLevel });
  if (options === undefined) return { telemetry, close: async () => undefined };
  const world = realWorld();
  const resource = { ...options.resource, 'service.version': VERSION, 'service.instance.id': world.id('pid') };
  const { openTracing } = await import('./kernel/open-telemetry.ts');
  const tracing = openTracing({ ...options, resource }, { telemetry, world });
  return { telemetry: { ...telemetry, tracer: tracing.tracer }, close: () => tracing.stop() };
}
