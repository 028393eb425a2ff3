// node bundle.mjs MODULES OUTPUT: one script of main.mjs and of what it needs from MODULES (a node_modules folder), below the licences of
// those packages. Only esbuild's own program runs; nothing is fetched.
import {readFileSync, readdirSync, realpathSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {dirname, join, relative} from 'node:path';
import {fileURLToPath} from 'node:url';

const [modules, output] = [realpathSync(process.argv[2]), process.argv[3]];
const esbuild = createRequire(join(modules, 'from-here.js'))('esbuild');
const built = await esbuild.build({
  entryPoints: [join(dirname(fileURLToPath(import.meta.url)), 'main.mjs')], nodePaths: [modules], bundle: true, minify: true, format: 'iife',
  target: 'es2020', charset: 'ascii', legalComments: 'none', metafile: true, write: false, logLevel: 'warning',
});

const packages = new Set();
for (const input of Object.keys(built.metafile.outputs[Object.keys(built.metafile.outputs)[0]].inputs)) {
  const inside = relative(modules, realpathSync(input));
  if (!inside.startsWith('..')) packages.add(inside.split('/').slice(0, inside.startsWith('@') ? 2 : 1).join('/'));
}
const licences = [...packages].sort().map((name) => {
  const {version, license} = JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8'));
  const file = readdirSync(join(modules, name)).find((entry) => /^licen[cs]e/i.test(entry));
  if (!file) throw new Error(`${name} has no licence file`);
  return `${name} ${version} (${license})\n\n${readFileSync(join(modules, name, file), 'utf8').trim()}`;
});
const comment = `Charts drawn with these packages.\n\n${licences.join('\n\n----\n\n')}`.replaceAll('*/', '* /');
writeFileSync(output, `/*!\n${comment}\n*/\n${built.outputFiles[0].text}`);
