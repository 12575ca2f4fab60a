import { describe } from 'vitest';
import { databases } from '../support/databases.ts';
import { databaseSuite } from './database.ts';

describe.each(databases())('a database: $name', databaseSuite);
