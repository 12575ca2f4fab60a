/**
 * `waybill topology`: what the settings of this machine's environment say should be at the broker, compared and put right. Not the
 * server: it connects by itself, so that it can be run before the first start and between two versions.
 */
import { allQueues } from './app.ts';
import { type Environment, loadConfig, processEnvironment } from './config.ts';
import { Fault } from './kernel/errors.ts';
import { createTelemetry } from './kernel/telemetry.ts';
import { realWorld } from './kernel/world.ts';
import { type Applied, type TopologyOptions, type TopologyPlan, applyTopology, planTopology } from './messaging/rabbit-plan.ts';

export type { Applied, TopologyPlan } from './messaging/rabbit-plan.ts';

/** Throws a ConfigError, or a Fault for people. */
export const plan = async (environment?: Environment): Promise<TopologyPlan> => planTopology(optionsFrom(environment));

/** The same; `migrate` replaces queues that differ. */
export const apply = async (options: { readonly migrate: boolean }, environment?: Environment): Promise<Applied> =>
  applyTopology(optionsFrom(environment), options);

function optionsFrom(environment: Environment = processEnvironment()): TopologyOptions {
  const config = loadConfig(environment);
  if (config.amqp === undefined) throw new Fault('unavailable', 'AMQP_URL is not set: the built-in message bus has no topology to look after');
  const { url, prefix, tls } = config.amqp;
  const tools = { world: realWorld(), telemetry: createTelemetry({ level: 'silent' }) };
  return { broker: { url, tls, client: 'waybill' }, prefix, queues: allQueues(config, tools), world: tools.world };
}
