// From a handler's name to the function: `folder/module.name.nested`, in CommonJS or an ES module.
'use strict';

const fs = require('fs');
const path = require('path');
const { pathToFileURL } = require('url');
const errors = require('./errors');

async function load(root, name) {
  if (name.includes('..')) {
    throw new errors.MalformedHandlerName(
      `'${name}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
    );
  }
  const base = path.basename(name);
  const folder = name.slice(0, name.length - base.length);
  const dot = base.indexOf('.');
  if (dot < 0) throw new errors.MalformedHandlerName('Bad handler');
  const module = await loadModule(root, folder, base.slice(0, dot));
  return find(module, base.slice(dot + 1), name);
}

async function loadModule(root, folder, module) {
  const file = path.resolve(root, folder, module);
  let imported;
  try {
    if (isFile(file + '.js')) {
      if (!isModule(file + '.js')) return require(file + '.js');
      imported = file + '.js';
    } else if (isFile(file + '.mjs')) {
      imported = file + '.mjs';
    }
    if (imported) return await import(pathToFileURL(imported).href);
    if (isFile(file + '.cjs')) return require(file + '.cjs');
    if (isFile(file)) return require(file);
    // A folder with an index, a package, or an error that says what was looked for.
    return require(require.resolve(folder ? './' + path.join(folder, module) : module, { paths: [root, path.join(root, folder)] }));
  } catch (error) {
    if (error instanceof SyntaxError) {
      if (imported) locate(error, root, imported);
      throw renamed(new errors.UserCodeSyntaxError(String(error)), error);
    }
    const code = error && error.code;
    if (code === 'MODULE_NOT_FOUND' || code === 'ERR_MODULE_NOT_FOUND') {
      throw renamed(new errors.ImportModuleError(String(error)), error);
    }
    throw error;
  }
}

// In front of the stack, as with a script's syntax errors; if it names a file of the user's already, all is told.
function locate(error, root, file) {
  if (typeof error.stack !== 'string' || error.stack.includes(root)) return;
  const place = require('./syntax').place(file);
  if (place) error.stack = `${place}\n\n${error.stack}`;
}

// The place in the user's file is worth more than ours.
function renamed(error, cause) {
  if (typeof cause.stack === 'string') error.stack = `${error.name}: ${cause.stack}`;
  return error;
}

function isFile(file) {
  try {
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

// A `.js` file is what the nearest package.json says.
function isModule(file) {
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    try {
      return JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8')).type === 'module';
    } catch (error) {
      if (error.code !== 'ENOENT') return false;
    }
    if (folder === path.dirname(folder)) return false;
  }
}

function find(module, names, full) {
  const walk = (from) => names.split('.').reduce((at, key) => (at === undefined || at === null ? undefined : at[key]), from);
  const found = walk(module) || (module && walk(module.default));
  if (!found) throw new errors.HandlerNotFound(`${full} is undefined or not exported`);
  if (typeof found !== 'function') throw new errors.HandlerNotFound(`${full} is not a function`);
  return found;
}

module.exports = { load };
