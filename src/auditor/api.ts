/** The door of the auditor. */
import { z } from 'zod';
import { flagSchema, timestamp } from '../contracts/rest.ts';
import { rfc3339 } from '../kernel/time.ts';
import { type Route, route } from '../messaging/service.ts';
import type { AuditResult } from './auditor.ts';
import type { Auditor } from './service.ts';

const equationSchema = z.object({
  id: z.string(),
  title: z.string().meta({ description: 'What must hold.' }),
  rows: z.int().meta({ description: 'How many rows or orders were compared.' }),
  violations: z.int(),
  first: z.object({ subject: z.string(), expected: z.string(), found: z.string() }).optional().meta({ description: 'The first violation met.' }),
});
const auditSchema = z
  .object({
    ok: z.boolean().meta({ description: 'Every equation holds for every row.' }),
    violations: z.int(),
    equations: z.array(equationSchema),
    started_at: timestamp,
    finished_at: timestamp,
  })
  .meta({ id: 'Audit', description: 'A pass over everything: every balance and status recomputed from the beginning.' });

export function auditRoutes(auditor: Auditor): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/audit',
      tag: 'Operations',
      summary: 'Whether everything adds up',
      query: z.object({
        fresh: flagSchema.default(false).meta({ description: 'true looks at everything now; false (the default) answers with the last pass.' }),
      }),
      output: auditSchema,
      answers: 'ok',
      handle: async ({ query: { fresh } }) => present((fresh ? undefined : auditor.last()) ?? (await auditor.fresh())),
    }),
  ];
}

const present = ({ started_at, finished_at, equations, ...rest }: AuditResult): z.output<typeof auditSchema> => ({
  ...rest,
  equations: equations.map((equation) => ({ ...equation })),
  started_at: rfc3339(started_at),
  finished_at: rfc3339(finished_at),
});
