/** `waybill topology`. */
import { type Output, bad, good, table } from './print.ts';
import { CommandError, EXIT, type ExitCode } from './problems.ts';

// Loaded only here: the other commands must not wait for a whole server to be read.
const load = async () => (await import('../main.ts')).topology;
type Plan = Awaited<ReturnType<Awaited<ReturnType<typeof load>>['plan']>>;

export async function planTopology(output: Output): Promise<ExitCode> {
  const topology = await load();
  const plan = await topology.plan().catch(inSentences);
  output.answer(plan, () => planText(plan));
  return plan.ok ? EXIT.ok : EXIT.no;
}

export async function applyTopology(output: Output, { migrate }: { readonly migrate: boolean }): Promise<ExitCode> {
  const topology = await load();
  const applied = await topology.apply({ migrate }).catch(inSentences);
  output.answer(applied, () => [...applied.steps, planText(applied.plan)].join('\n'));
  return applied.plan.ok ? EXIT.ok : EXIT.no;
}

export function planText({ ok, findings }: Plan): string {
  if (ok) return good(`${findings.length} exchanges and queues: all are as this version needs them.`);
  const rows = findings
    .filter(({ state }) => state !== 'same')
    .map(({ kind, name, state, differences }) => [
      bad(state),
      kind,
      name,
      differences.map(({ argument, wanted, found }) => `${argument} is ${found ?? 'not set'}, should be ${wanted ?? 'not set'}`).join('; '),
    ]);
  const remedies = [
    findings.some(({ state }) => state === 'missing') ? 'waybill topology apply creates what is missing.' : '',
    findings.some(({ kind, state }) => state === 'left' || (kind === 'queue' && state === 'different'))
      ? 'waybill topology apply --migrate replaces queues, messages included; stop the processes of their services first.'
      : '',
    findings.some(({ kind, state }) => kind === 'exchange' && state === 'different')
      ? 'An exchange holds no messages: delete one that is different by hand while nothing runs, then apply.'
      : '',
  ];
  return [table(['', '', '', 'differences'], rows), ...remedies.filter((line) => line !== '')].join('\n');
}

/** What the settings or the broker say is for people. */
function inSentences(error: unknown): never {
  if (!(error instanceof Error)) throw error;
  const faults = 'faults' in error && Array.isArray(error.faults) ? error.faults.map(String) : [];
  if (error.name === 'ConfigError') throw new CommandError(EXIT.usage, 'These settings cannot work:', { more: faults });
  if (error.name === 'Fault') throw new CommandError(EXIT.unreachable, `${error.message}.`);
  throw error;
}
