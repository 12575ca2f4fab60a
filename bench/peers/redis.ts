/** A redis-server of the bench's own: own port and folder, every write in its append-only file, ended by its process id. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, until } from '../support.ts';

export interface Redis {
  readonly port: number;
  readonly pid: number;
  drop(): Promise<void>;
}

/** `always` flushes before it answers, as PostgreSQL does; `everysec` may lose a second. */
export async function startRedis(fsync: 'always' | 'everysec'): Promise<Redis> {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-redis-'));
  const port = await freePort();
  const settings = { port, bind: '127.0.0.1', dir: folder, appendonly: 'yes', appendfsync: fsync, save: '', 'maxmemory-policy': 'noeviction' };
  const child = spawn(
    'redis-server',
    Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  await Promise.race([until(() => answers(port), child), once(child, 'error').then(([error]) => Promise.reject(error as Error))]);
  return {
    port,
    pid: child.pid!,
    async drop() {
      await end(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.setTimeout(1_000, () => socket.destroy());
    socket.on('data', (data) => socket.end(() => resolve(data.includes('PONG')))).on('error', () => resolve(false));
    socket.on('close', () => resolve(false));
  });
}
