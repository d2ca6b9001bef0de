// console.log and its kin, in Lambda's format: one call is one event of the log, whatever line ends are in it. What is printed goes
// by way of the channel, so that it keeps its place among the answers.
'use strict';

const util = require('util');
const { KINDS, write, writeBytes } = require('./channel');

// The longest piece that is sent at a time; the host makes lines of text, and cuts events that are longer.
const PIECE_BYTES_MAX = 256 * 1024;

const LEVELS = { log: 'INFO', trace: 'TRACE', debug: 'DEBUG', info: 'INFO', warn: 'WARN', error: 'ERROR' };

let requestId;

function setRequestId(id) {
  requestId = id;
}

// Writes one event.
function event(text) {
  // A character takes three bytes at most.
  if (text.length * 3 <= PIECE_BYTES_MAX) write(KINDS.log, '', text);
  else pieces(KINDS.log, Buffer.from(text));
}

function pieces(kind, bytes) {
  for (let from = 0; from < bytes.length; from += PIECE_BYTES_MAX) {
    writeBytes(kind, bytes.subarray(from, from + PIECE_BYTES_MAX));
  }
}

function line(level, message) {
  event(`${new Date().toISOString()}\t${requestId}\t${level}\t${message}\n`);
}

function patch() {
  for (const [method, level] of Object.entries(LEVELS)) {
    console[method] = (...values) => line(level, util.format(...values));
  }
  for (const name of ['stdout', 'stderr']) redirect(name);
  console.fatal = (...values) => line('FATAL', util.format(...values));
}

// Makes writes to a standard stream go by way of the channel. They also wait for room there: else Node.js would keep what a pipe
// does not take in its own memory, and it would come out after the answer, or never. The stream itself is made when it is first used.
function redirect(name) {
  const { get, ...property } = Object.getOwnPropertyDescriptor(process, name);
  const make = () => {
    const stream = get.call(process);
    stream._writev = null;
    stream._write = (chunk, encoding, done) => {
      pieces(KINDS.text, typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk);
      done();
    };
    Object.defineProperty(process, name, { ...property, get: () => stream });
    return stream;
  };
  Object.defineProperty(process, name, { ...property, get: make });
}

module.exports = { line, patch, setRequestId };
