// Where a syntax error is: of ES modules the engine tells others only what is wrong, and keeps file and line to itself.
// Node.js tells them when it checks a file by itself, so it is asked, once the error is there anyway.
'use strict';

const { spawnSync } = require('child_process');
const fs = require('fs');
const path = require('path');

// An error in a module further away than this is told without its place.
const FILES_MAX = 16;
const CHECK_MS_MAX = 2000;
const IMPORT = /\b(?:from|import)\s*\(?\s*(['"])(\.{1,2}\/[^'"]+)\1/g;

// The lines before the error's own: the file with the line, the code, and a mark. Empty if no file is found guilty.
function place(file) {
  const known = new Set([file]);
  for (const at of known) {
    const found = check(at);
    if (found) return found;
    for (const next of imports(at)) {
      if (known.size < FILES_MAX) known.add(next);
    }
  }
  return '';
}

function check(file) {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const { stderr } = spawnSync(process.execPath, ['--check', file], { encoding: 'utf8', env, timeout: CHECK_MS_MAX });
  const end = stderr ? stderr.indexOf('\nSyntaxError:') : -1;
  return end < 0 ? '' : stderr.slice(0, end).trimEnd();
}

function imports(file) {
  try {
    const found = fs.readFileSync(file, 'utf8').matchAll(IMPORT);
    return [...found].map(([, , name]) => path.resolve(path.dirname(file), name)).filter((next) => fs.existsSync(next));
  } catch {
    return [];
  }
}

module.exports = { place };
