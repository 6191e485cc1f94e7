// Checks JSON lines {schema, data} against the schemas of @jambonz/schema; prints what is wrong with each.
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import Ajv from 'ajv';

const folder = dirname(createRequire(import.meta.url).resolve('@jambonz/schema'));
const ajv = new Ajv({ strict: false, validateSchema: false, logger: false, allErrors: true });
for (const part of ['components', 'callbacks', 'verbs']) {
  for (const name of readdirSync(join(folder, part))) {
    ajv.addSchema(JSON.parse(readFileSync(join(folder, part, name), 'utf-8')));
  }
}
const lines = readFileSync(0, 'utf-8').split('\n').filter(Boolean);
const results = lines.map((line) => {
  const { schema, data } = JSON.parse(line);
  const check = ajv.getSchema(`https://jambonz.org/schema/${schema}`);
  if (!check) return [`no schema ${schema}`];
  return check(data) ? [] : check.errors.map((error) => `${error.instancePath} ${error.message}`);
});
console.log(JSON.stringify(results));
