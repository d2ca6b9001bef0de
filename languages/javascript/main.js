// The life of a JavaScript guest: take who you are, load the handler, then one invocation after the other.
//
// After an answer the process blocks in a read for the next invocation, so that a call costs one read and one write. The event loop
// gets its turn whenever a handler waits for something, and between calls now and then, so that timers and sockets that earlier
// calls left behind are late but not forgotten: on Lambda, too, they sleep while the process is frozen.
'use strict';

const channel = require('./channel');
const { KINDS } = channel;
const logging = require('./console');
const errors = require('./errors');
const stream = require('./stream');
const trace = require('./trace');
const { load } = require('./handler');

// The first major version without callbacks, in which handlers may return plain values instead.
const CALLBACKS_END = 24;
// How many calls, and how long, the event loop may go without a turn.
const SKIPPED_MAX = 16;
const SKIPPED_MS_MAX = 2;
const EXIT_UNHANDLED_REJECTION = 128;
const EXIT_UNCAUGHT_EXCEPTION = 129;

let handler;
let hasCallbacks;
let streams;
let current = null;
let isReady = false;
let skipped = 0;
let lastTurn = 0;

// One invocation: what it is, and what was answered.
class Call {
  constructor({ text, body }) {
    const [id, deadline, arn, trace, client, identity] = text.split('\0');
    this.id = id;
    this.deadline = Number(deadline);
    this.arn = arn;
    this.trace = trace;
    this.client = client;
    this.identity = identity;
    this.body = body;
    this.context = null;
    // Set when a callback answered but the event loop is to empty first.
    this.held = null;
  }
}

// What every context says, read once: each look into the environment is a search through all of it.
let constants;

function readConstants() {
  const { env } = process;
  constants = {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
  };
}

function contextOf(call) {
  const { deadline } = call;
  const context = {
    ...constants,
    clientContext: call.client ? JSON.parse(call.client) : undefined,
    identity: call.identity ? JSON.parse(call.identity) : undefined,
    invokedFunctionArn: call.arn,
    awsRequestId: call.id,
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
  if (hasCallbacks) {
    context.done = (error, result) => finish(call, error, result);
    context.succeed = (result) => succeed(call, result);
    context.fail = (error) => fail(call, error);
  }
  return context;
}

// Takes the next invocation. Blocks.
function take() {
  const call = new Call(channel.read());
  current = call;
  logging.setRequestId(call.id);
  if (call.trace) trace.set(call.trace);
  let result;
  try {
    const event = JSON.parse(call.body);
    call.context = contextOf(call);
    if (streams) {
      answerInPieces(call, event);
      return;
    }
    result = hasCallbacks
      ? handler(event, call.context, (error, value) => finish(call, error, value))
      : handler(event, call.context);
  } catch (error) {
    fail(call, error);
    return;
  }
  if (result !== null && typeof result === 'object' && typeof result.then === 'function') {
    result.then(
      (value) => succeed(call, value),
      (error) => fail(call, error),
    );
  } else if (!hasCallbacks) {
    succeed(call, result);
  }
  // Else a callback will answer, or the end of the event loop.
}

// The answer is what the handler writes, and is over when both the handler and its stream are.
async function answerInPieces(call, event) {
  const out = new stream.ResponseStream(call.id);
  call.held = () => fail(call, new Error('Response stream is not finished.'));
  try {
    const result = handler(event, out, call.context);
    if (result === null || typeof result !== 'object' || typeof result.then !== 'function') {
      throw new Error('Streaming does not support non-async handlers.');
    }
    if ((await result) !== undefined) console.warn('Streaming handlers ignore return values.');
    await out.over;
    if (current === call) answer(KINDS.result, '');
  } catch (error) {
    fail(call, error);
  }
}

// What a callback says.
function finish(call, error, result) {
  if (current !== call || call.held !== null) return;
  const answer = error === undefined || error === null ? () => succeed(call, result) : () => fail(call, error);
  if (call.context.callbackWaitsForEmptyEventLoop) {
    call.held = answer;
  } else {
    answer();
  }
}

function succeed(call, result) {
  if (current !== call) return;
  let body;
  try {
    body = JSON.stringify(result === undefined ? null : result);
    // Functions and symbols have no JSON.
    if (body === undefined) body = 'null';
  } catch {
    fail(call, new Error('Unable to stringify response body'));
    return;
  }
  answer(KINDS.result, body);
}

function fail(call, error) {
  if (current !== call) return;
  logging.failure('Invoke Error', error);
  answer(KINDS.error, errors.document(error));
}

function answer(kind, body) {
  const { id } = current;
  current = null;
  channel.write(kind, id, body);
  skipped += 1;
  if (skipped < SKIPPED_MAX && Date.now() - lastTurn < SKIPPED_MS_MAX) {
    queueMicrotask(take);
  } else {
    setImmediate(takeAfterTurn);
  }
}

function takeAfterTurn() {
  skipped = 0;
  take();
  lastTurn = Date.now();
}

// Nothing is left to wait for: whatever was to come has come.
process.on('beforeExit', () => {
  const call = current;
  if (call === null) return;
  // The process ends unless the next call comes by way of the event loop.
  skipped = SKIPPED_MAX;
  if (call.held !== null) call.held();
  else succeed(call, null);
});

// Errors that nobody caught end the process, and are the answer to the call that was running.
function die(error, words, code) {
  logging.failure(words, error);
  if (!isReady) {
    channel.write(KINDS.initError, '', errors.document(error));
  } else if (current !== null) {
    channel.write(KINDS.fatal, current.id, errors.document(error));
  }
  process.exit(code);
}

process.on('uncaughtException', (error) => die(error, 'Uncaught Exception', EXIT_UNCAUGHT_EXCEPTION));
process.on('unhandledRejection', (reason, promise) =>
  die(new errors.UnhandledPromiseRejection(reason, promise), 'Unhandled Promise Rejection', EXIT_UNHANDLED_REJECTION),
);

function versionOf(execution) {
  const found = /nodejs(\d+)/.exec(execution || '');
  return found ? Number(found[1]) : CALLBACKS_END;
}

async function main() {
  // The first ES module takes some milliseconds that the second does not. Here nobody waits for them.
  await import('./warm.mjs');
  const { text: name, body } = channel.read();
  Object.assign(process.env, JSON.parse(body));
  // The code was put there after this process had begun.
  process.chdir(process.env.LAMBDA_TASK_ROOT);
  readConstants();
  trace.patch();
  logging.patch();
  hasCallbacks = versionOf(process.env.AWS_EXECUTION_ENV) < CALLBACKS_END;
  stream.install();
  try {
    handler = await load(process.env.LAMBDA_TASK_ROOT, name);
    streams = stream.wantsStream(handler);
    if (!streams && !hasCallbacks && handler.length >= 3) {
      throw new errors.CallbackHandlerDeprecated(
        'ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. ' +
          'You need to modify this function to use a supported handler signature to use Node.js 24 or later. ' +
          'For more information see https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.',
      );
    }
  } catch (error) {
    die(error, 'Uncaught Exception', EXIT_UNCAUGHT_EXCEPTION);
  }
  isReady = true;
  channel.write(KINDS.ready, '', '');
  setImmediate(takeAfterTurn);
}

main();
