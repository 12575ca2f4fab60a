/**
 * Is package-lock.json fit to be installed from anywhere? `npm run lock:check`
 *
 * `npm install` succeeds with a lock that `npm ci` then refuses (npm/cli#9846: "Missing: … from lock file") when a registry lacks the
 * binaries of another platform. So each optional dependency of each package must be in the lock. Besides: every package carries its
 * hash, none its registry's address (`.npmrc` leaves it out), and none runs a script of its own while being installed.
 */
import { readFileSync } from 'node:fs';

interface LockedPackage {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly hasInstallScript?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}
type Packages = Readonly<Record<string, LockedPackage>>;

/** What is wrong with a lock, one sentence each. */
export function complaintsAbout(packages: Packages): string[] {
  const complaints: string[] = [];
  for (const [path, locked] of Object.entries(packages)) {
    const name = path === '' ? 'the root package' : path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    for (const dependency of Object.keys(locked.optionalDependencies ?? {})) {
      if (!isReachable(packages, path, dependency))
        complaints.push(`${name} wants ${dependency}, which the lock does not contain: npm ci will refuse it`);
    }
    if (path === '') continue;
    if (locked.integrity === undefined) complaints.push(`${name} has no integrity hash`);
    if (locked.resolved !== undefined) complaints.push(`${name} names the registry it came from: install with the .npmrc of this repository`);
    if (locked.hasInstallScript === true) complaints.push(`${name} runs a script when installed: choose a version or a package that does not`);
  }
  return complaints;
}

/** Node's way to find a package: next to the one that asks, then ever further up. */
function isReachable(packages: Packages, from: string, dependency: string): boolean {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    if (packages[`${folder === '' ? '' : `${folder}/`}node_modules/${dependency}`] !== undefined) return true;
    if (folder === '') return false;
  }
}

if (import.meta.main) {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Packages };
  const complaints = complaintsAbout(packages);
  for (const complaint of complaints) console.error(`package-lock.json: ${complaint}`);
  console.log(`package-lock.json: ${Object.keys(packages).length} packages, ${complaints.length} complaints`);
  process.exitCode = complaints.length > 0 ? 1 : 0;
}
