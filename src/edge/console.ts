/**
 * The page at `/`: one HTML file without a build that shows what happens, live, over the public API.
 */
import { readFileSync } from 'node:fs';
import { hash } from 'node:crypto';
import type { Door } from './http.ts';

export function consoleDoors(): Door[] {
  const page = read('./console.html');
  const icon = read('./icon.svg');
  const headers = { 'content-security-policy': policyOf(page) };
  return [
    { path: '/', answer: async () => ({ status: 200, type: 'text/html; charset=utf-8', body: page, headers }) },
    // Browsers ask for this path whatever the page; without an answer each page begins with an error in the browser's log.
    { path: '/favicon.ico', answer: async () => ({ status: 200, type: 'image/svg+xml', body: icon }) },
  ];
}

const read = (file: string): string => readFileSync(new URL(file, import.meta.url), 'utf8');

/** Only the script and the style that stand in the page may run, by their hashes; only this server may be asked. */
function policyOf(page: string): string {
  const hashes = (tag: string): string =>
    [...page.matchAll(new RegExp(`<${tag}>([^]*?)</${tag}>`, 'g'))].map(([, text]) => `'sha256-${hash('sha256', text!, 'base64')}'`).join(' ');
  return `default-src 'none'; script-src ${hashes('script')}; style-src ${hashes('style')}; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
}
