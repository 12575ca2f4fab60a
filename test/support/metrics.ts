/** Metrics as Prometheus would read them. */
import type { Metrics } from '../../src/kernel/telemetry.ts';

export interface Sample {
  /** As exposed: a histogram has `_bucket`, `_sum` and `_count`. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The samples of a text in the format of Prometheus. */
export const samplesOf = (text: string): Sample[] =>
  [...text.matchAll(/^([a-z_]+)(?:\{(.*)\})? ([^\s]+)$/gm)].map(([, name, labels, value]) => ({
    name: name!,
    labels: Object.fromEntries([...(labels ?? '').matchAll(/(\w+)="([^"]*)"/g)].map(([, key, of]) => [key!, of!])),
    value: Number(value),
  }));

export const samplesIn = async ({ registry }: Metrics): Promise<Sample[]> => samplesOf(await registry.metrics());

/** The sum of all samples with this name and at least these labels; undefined when there is none. */
export function valueOf(samples: readonly Sample[], name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
  const found = samples.filter((sample) => sample.name === name && Object.entries(labels).every(([key, of]) => sample.labels[key] === of));
  return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
}
