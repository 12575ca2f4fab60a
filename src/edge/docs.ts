/**
 * What a person reads in a browser: the reference at /docs, the errors at /docs/errors, and what both are made of, /openapi.json.
 *
 * Nothing comes from another host. The reader (Scalar) is 4.4 MB of script inside an npm package that takes 0.2 s and 44 MB to load, so
 * it is loaded when somebody first asks for it, into a server of its own that never listens; and its web fonts are turned off.
 */
import { type FastifyInstance, fastify } from 'fastify';
import { CATALOGUE, type ErrorCode } from '../kernel/errors.ts';
import type { Door, DoorAnswer } from './http.ts';
import { openApiDocument } from './openapi.ts';
import { statusOf } from './problem.ts';
import type { Route } from '../messaging/service.ts';

/** The reader writes its own style sheets and scripts into the page. All they show is our own document. */
const READER_POLICY =
  "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

/** `routes` and `others` are what is documented; these doors are not, they are the documentation. */
export function docsDoors({ version, routes, others }: { version: string; routes: readonly Route[]; others: readonly Door[] }): Door[] {
  let document: string | undefined;
  let reader: Promise<FastifyInstance> | undefined;
  const read = async (path: string): Promise<DoorAnswer> => {
    reader ??= openReader();
    const { statusCode, headers, rawPayload } = await (await reader).inject({ url: path, headers: { host: 'localhost' } });
    const type = headers['content-type'];
    return {
      status: statusCode,
      type: typeof type === 'string' ? type : 'text/plain',
      body: rawPayload,
      headers: { 'content-security-policy': READER_POLICY },
    };
  };
  return [
    {
      path: '/openapi.json',
      async answer() {
        document ??= JSON.stringify(openApiDocument({ version, routes, doors: others }));
        return { status: 200, type: 'application/json; charset=utf-8', body: document };
      },
    },
    { path: '/docs', answer: async () => ({ status: 308, type: 'text/plain', body: '', headers: { location: '/docs/' } }) },
    { path: '/docs/', answer: read },
    { path: '/docs/js/scalar.js', answer: read },
    {
      path: '/docs/errors',
      answer: async () => ({
        status: 200,
        type: 'text/html; charset=utf-8',
        body: errorsPage(),
        headers: { 'content-security-policy': PAGE_POLICY },
      }),
    },
  ];
}

async function openReader(): Promise<FastifyInstance> {
  const { default: reference } = await import('@scalar/fastify-api-reference');
  const app = fastify();
  await app.register(reference, {
    routePrefix: '/docs',
    configuration: {
      url: '/openapi.json',
      withDefaultFonts: false,
      hideClientButton: true,
      showDeveloperTools: 'never',
      pageTitle: 'Waybill: API reference',
      telemetry: false,
      agent: { disabled: true },
      mcp: { disabled: true },
    },
  });
  await app.ready();
  return app;
}

/** A sentence of the catalogue, which marks code as Markdown does. */
const asHtml = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll(/`([^`]+)`/g, '<code>$1</code>');

/** The catalogue of errors; the `type` of a problem document points into it. */
function errorsPage(): string {
  const rows = (Object.keys(CATALOGUE) as ErrorCode[]).map((code) => {
    const { meaning, next, retryable } = CATALOGUE[code];
    return `<tr id="${code}"><th scope="row"><code>${code}</code></th><td>${statusOf(code)}</td><td>${asHtml(meaning)} ${asHtml(next)}</td><td>${retryable ? 'yes' : ''}</td></tr>`;
  });
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Errors - Waybill</title><style>
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}body{max-width:70rem;margin:2rem auto;padding:0 1rem}table{border-collapse:collapse}
th,td{text-align:left;vertical-align:top;padding:.5rem .75rem;border-bottom:1px solid #8884}tr:target{background:#fc06}
</style></head><body><h1>Errors</h1><p>Every error is a problem document (RFC 9457) with one of these codes. <a href="/docs/">API reference</a>, <a href="/">Waybill</a></p>
<table><thead><tr><th>code</th><th>status</th><th>what it means, what to do</th><th>retry as it is</th></tr></thead><tbody>
${rows.join('\n')}
</tbody></table></body></html>`;
}
