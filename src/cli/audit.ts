/** `waybill audit`. */
import type { Audit } from './answers.ts';
import type { Client } from './client.ts';
import { type Output, bad, good, moment, plural, table } from './print.ts';
import { EXIT, type ExitCode } from './problems.ts';

export async function audit(client: Client, output: Output, { last }: { readonly last: boolean }): Promise<ExitCode> {
  const result = await client.get<Audit>('/v1/audit', last ? {} : { fresh: true });
  output.answer(result, () => auditText(result));
  return result.ok ? EXIT.ok : EXIT.no;
}

export function auditText({ ok, violations, equations, finished_at: finishedAt }: Audit): string {
  const rows = equations.map(({ id, title, rows: checked, violations: found }) => [
    found === 0 ? good('holds') : bad('broken'),
    id,
    title,
    checked,
    found,
  ]);
  const broken = equations.flatMap(({ id, first }) =>
    first === undefined ? [] : [`${bad(id)}  ${first.subject}: expected ${first.expected}, found ${first.found}`],
  );
  const checked = equations.reduce((sum, equation) => sum + equation.rows, 0);
  const verdict = ok
    ? good(`${plural(equations.length, 'equation')} over ${plural(checked, 'row')}: all hold.`)
    : bad(`${plural(violations, 'violation')} in ${plural(checked, 'row')}.`);
  return [
    table(['', 'equation', '', 'rows', 'violations'], rows),
    ...(broken.length === 0 ? [] : [broken.join('\n')]),
    `${verdict} Finished ${moment(finishedAt)}.`,
  ].join('\n\n');
}
