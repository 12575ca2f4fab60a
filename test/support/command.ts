/** The command line as a process of its own: what it prints, and how it ends. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { ROOT } from './server.ts';

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a command against the server at `url`. */
export async function waybill(url: string, ...given: string[]): Promise<Ended> {
  const child = spawn('node', ['bin/waybill.mjs', ...given], {
    cwd: ROOT,
    env: { ...process.env, WAYBILL_URL: url, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const [code]: (number | null)[] = await once(child, 'close');
  return { code: code ?? null, out, err };
}
