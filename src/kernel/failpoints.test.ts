import { afterEach, describe, expect, it } from 'vitest';
import { armFailpoints, failpoint } from './failpoints.ts';

afterEach(() => armFailpoints(''));

describe('failpoints', () => {
  it('are nothing unless armed', () => expect(failpoint('unit.before_commit')).toBeUndefined());

  it('throw at the hit named, and only there', () => {
    armFailpoints('unit.before_commit=throw@2');
    expect(failpoint('unit.before_commit')).toBeUndefined();
    expect(() => failpoint('unit.before_commit')).toThrow('failpoint unit.before_commit');
    expect(failpoint('unit.before_commit')).toBeUndefined();
    expect(failpoint('unit.after_commit')).toBeUndefined();
  });

  it.each(['nowhere=kill', 'unit.before_commit=explode', 'unit.before_commit'])('refuse "%s", naming it', (text) => {
    expect(() => armFailpoints(text)).toThrow(`cannot read "${text}"`);
  });
});
