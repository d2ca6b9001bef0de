// console.log and its kin, in Lambda's formats, lines of text or JSON: one call is one event of the log, whatever line ends are in it.
// What is printed goes by way of the channel, so that it keeps its place among the answers.
'use strict';

const util = require('util');
const { KINDS, PIECE_BYTES_MAX, write, writePieces } = require('./channel');
const errors = require('./errors');

const LEVELS = { log: 'INFO', trace: 'TRACE', debug: 'DEBUG', info: 'INFO', warn: 'WARN', error: 'ERROR', fatal: 'FATAL' };
// The least first.
const ORDER = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];

let requestId;
let isJson = false;

function setRequestId(id) {
  requestId = id;
}

// Writes one event.
function event(text) {
  // A character takes three bytes at most.
  if (text.length * 3 <= PIECE_BYTES_MAX) write(KINDS.log, '', text);
  else writePieces(KINDS.log, '', Buffer.from(text));
}

function line(level, message) {
  event(`${new Date().toISOString()}\t${requestId}\t${level}\t${message}\n`);
}

// Errors have nothing that JSON would show.
function visible(_key, value) {
  return errors.isError(value) ? { ...errors.parts(value), ...value } : value;
}

// One value is told as it is, several as text; the first error among them is told apart, too.
function record(level, values) {
  const told = { timestamp: new Date().toISOString(), level, requestId };
  if (values.length < 2) {
    const [first] = values;
    try {
      return JSON.stringify({ ...told, message: first }, visible);
    } catch {
      // It names itself, or holds a number that JSON has no word for.
      return JSON.stringify({ ...told, message: util.format(first) });
    }
  }
  const error = values.find(errors.isError);
  return JSON.stringify({ ...told, message: util.format(...values), ...(error && errors.parts(error)) });
}

// Tells an error that nobody handled. `words` say where it was noticed; JSON has no place for them.
function failure(words, error) {
  if (isJson) event(record('ERROR', [errors.asError(error)]) + '\n');
  else line('ERROR', words + ' ' + errors.logText(error));
}

function patch() {
  isJson = (process.env.AWS_LAMBDA_LOG_FORMAT || '').toUpperCase() === 'JSON';
  const least = ORDER.indexOf((process.env.AWS_LAMBDA_LOG_LEVEL || '').toUpperCase());
  const tell = isJson
    ? (level, values) => event(record(level, values) + '\n')
    : (level, values) => line(level, util.format(...values));
  for (const [method, level] of Object.entries(LEVELS)) {
    console[method] = ORDER.indexOf(level) < least ? () => {} : (...values) => tell(level, values);
  }
  for (const name of ['stdout', 'stderr']) redirect(name);
}

// Makes writes to a standard stream go by way of the channel. They also wait for room there: else Node.js would keep what a pipe
// does not take in its own memory, and it would come out after the answer, or never. The stream itself is made when it is first used.
function redirect(name) {
  const { get, ...property } = Object.getOwnPropertyDescriptor(process, name);
  const make = () => {
    const stream = get.call(process);
    stream._writev = null;
    stream._write = (chunk, encoding, done) => {
      writePieces(KINDS.text, '', typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk);
      done();
    };
    Object.defineProperty(process, name, { ...property, get: () => stream });
    return stream;
  };
  Object.defineProperty(process, name, { ...property, get: make });
}

module.exports = { failure, patch, setRequestId };
