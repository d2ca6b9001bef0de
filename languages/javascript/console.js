// console.log and its kin, in Lambda's format: one call is one event of the log, whatever line ends are in it.
'use strict';

const fs = require('fs');
const util = require('util');
const { persist } = require('./channel');

const MARK = 0xf5;
const MARK_BYTES = 4;
// The longest event; what is longer becomes several.
const EVENT_BYTES_MAX = 256 * 1024;
const OUTPUT = 1;

const LEVELS = { log: 'INFO', trace: 'TRACE', debug: 'DEBUG', info: 'INFO', warn: 'WARN', error: 'ERROR' };

let requestId;

function setRequestId(id) {
  requestId = id;
}

// Writes one event.
function event(text) {
  const bytes = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(MARK_BYTES + bytes);
  frame.utf8Write(text, MARK_BYTES);
  for (let from = 0; from < bytes; from += EVENT_BYTES_MAX) {
    const length = Math.min(EVENT_BYTES_MAX, bytes - from);
    // Written over the end of the piece before, which is out already.
    frame.writeUInt32BE(((MARK << 24) | length) >>> 0, from);
    let written = 0;
    while (written < MARK_BYTES + length) {
      const at = from + written;
      written += persist(() => fs.writeSync(OUTPUT, frame, at, from + MARK_BYTES + length - at));
    }
  }
}

function line(level, message) {
  event(`${new Date().toISOString()}\t${requestId}\t${level}\t${message}\n`);
}

function patch() {
  for (const [method, level] of Object.entries(LEVELS)) {
    console[method] = (...values) => line(level, util.format(...values));
  }
  for (const name of ['stdout', 'stderr']) block(name);
  console.fatal = (...values) => line('FATAL', util.format(...values));
}

// Makes writes to a standard stream wait for room. Else Node.js keeps what the pipe does not take in its own memory, and it would
// come out after the answer, or never. The stream itself is made when it is first used.
function block(name) {
  const { get, ...property } = Object.getOwnPropertyDescriptor(process, name);
  const make = () => {
    const stream = get.call(process);
    if (stream._handle && stream._handle.setBlocking) stream._handle.setBlocking(true);
    Object.defineProperty(process, name, { ...property, get: () => stream });
    return stream;
  };
  Object.defineProperty(process, name, { ...property, get: make });
}

module.exports = { line, patch, setRequestId };
