// The trace of the running call in `process.env._X_AMZN_TRACE_ID`, where tracing libraries look for it.
//
// The real environment is not written for every call: the C library never frees a value that was set, so a busy function would leak
// its memory away, a hundred bytes a call. What reads `process.env` sees the value all the same.
'use strict';

const NAME = '_X_AMZN_TRACE_ID';

let current = '';

function set(value) {
  current = value;
}

function patch() {
  // A first value, so that the name is listed.
  process.env[NAME] = current;
  process.env = new Proxy(process.env, {
    get: (env, name) => (name === NAME && NAME in env ? current : env[name]),
    set: (env, name, value) => {
      if (name === NAME && NAME in env) current = String(value);
      else env[name] = value;
      return true;
    },
    getOwnPropertyDescriptor: (env, name) => {
      const found = Object.getOwnPropertyDescriptor(env, name);
      return found && name === NAME ? { ...found, value: current } : found;
    },
  });
}

module.exports = { patch, set };
