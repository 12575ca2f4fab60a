/**
 * A folder that outlives nobody: when whoever opened it is done, or dies in whatever way, all processes that have the folder's name in
 * their environment or their command are killed, and the folder is removed.
 *
 * A shell waits at the other end of a pipe. The pipe closes when it is let go, and when this process dies. (Finding processes by their
 * environment takes Linux; elsewhere the folder is removed, and processes have been stopped before by those who started them.)
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const CLEAN = `
cat > /dev/null
for process in /proc/[0-9]*; do
  id=\${process#/proc/}
  [ "$id" = "$$" ] && continue
  if grep -qsF "$0" "$process/environ" "$process/cmdline"; then kill -9 "$id"; fi
done
rm -rf "$0" 2> /dev/null || { sleep 1; rm -rf "$0"; } # what was killed may have been writing still
`;

export interface Leash {
  readonly folder: string;
  /** Kills what is left and removes the folder. */
  letGo(): Promise<void>;
}

export async function leash(name: string): Promise<Leash> {
  const folder = await mkdtemp(join(tmpdir(), `waybill-${name}-`));
  await chmod(folder, 0o755); // PostgreSQL runs as somebody else
  const shell = spawn('sh', ['-c', CLEAN, folder], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  const gone = once(shell, 'close');
  return {
    folder,
    async letGo() {
      shell.stdin.end();
      await gone;
    },
  };
}
