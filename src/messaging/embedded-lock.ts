/**
 * Keeps a second process away: an exclusive SQLite lock on a file of its own. The operating system lets go of it when the process
 * dies, however it dies, so nothing is left behind that somebody would have to remove.
 */
import { DatabaseSync } from 'node:sqlite';
import { Fault } from '../kernel/errors.ts';

/** Takes the lock; answers how to let go of it. Throws a Fault when another process has it. */
export function lockFile(file: string): () => void {
  const lock = new DatabaseSync(file, { timeout: 0 });
  try {
    lock.exec('begin exclusive');
  } catch (error) {
    lock.close();
    throw new Fault(
      'unavailable',
      `another process is using ${file.replace(/\.lock$/, '')}: stop it first, or give this one a data folder of its own`,
      { cause: error },
    );
  }
  return () => lock.close();
}
