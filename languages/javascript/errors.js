// Errors in the forms that Lambda gives them: for the caller, and for the log.
'use strict';

// Errors of the runtime's own making carry its names.
function named(name) {
  class RuntimeError extends Error {}
  Object.defineProperty(RuntimeError.prototype, 'name', { value: name, enumerable: false, configurable: true, writable: true });
  return RuntimeError;
}

const ImportModuleError = named('Runtime.ImportModuleError');
const HandlerNotFound = named('Runtime.HandlerNotFound');
const MalformedHandlerName = named('Runtime.MalformedHandlerName');
const UserCodeSyntaxError = named('Runtime.UserCodeSyntaxError');
const CallbackHandlerDeprecated = named('Runtime.CallbackHandlerDeprecated');
const UnhandledPromiseRejectionBase = named('Runtime.UnhandledPromiseRejection');

class UnhandledPromiseRejection extends UnhandledPromiseRejectionBase {
  constructor(reason, promise) {
    super(String(reason));
    this.reason = reason;
    this.promise = promise;
  }
}

function isError(value) {
  return value instanceof Error || require('util').types.isNativeError(value);
}

// DEL must not be in what AWS calls an error.
function clean(text) {
  return typeof text === 'string' ? text.replaceAll('\x7F', '%7F') : text;
}

// What a record of the log says of an error.
function parts(error) {
  const { name, stack } = error;
  // The runtime's own are known by their names, all others by what they are.
  const isOwn = typeof name === 'string' && name.startsWith('Runtime.');
  return {
    errorType: isOwn ? name : (error.constructor && error.constructor.name) || 'UnknownError',
    errorMessage: error.message,
    stackTrace: typeof stack === 'string' ? stack.split('\n') : [],
  };
}

function asError(value) {
  return isError(value) ? value : new Error(String(value));
}

// The document that the caller gets.
function document(error) {
  try {
    if (isError(error)) {
      return JSON.stringify({
        errorType: clean(error.name),
        errorMessage: clean(error.message),
        trace: (clean(error.stack) || '').split('\n'),
      });
    }
    return JSON.stringify({ errorType: typeof error, errorMessage: String(error), trace: [] });
  } catch {
    return JSON.stringify({
      errorType: 'handled',
      errorMessage:
        'callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack',
      trace: [],
    });
  }
}

// Errors have nothing that JSON would show; in the log they show what matters and what was added to them.
function visible(value) {
  if (!isError(value)) return value;
  const shown = { errorType: value.name, errorMessage: value.message, code: value.code, ...value };
  if (typeof value.stack === 'string') shown.stack = value.stack.split('\n');
  return shown;
}

// The text that the log gets after its first words.
function logText(error) {
  const value = asError(error);
  try {
    return '\t' + JSON.stringify(value, (_key, inner) => visible(inner));
  } catch {
    return '\t' + document(value);
  }
}

module.exports = {
  CallbackHandlerDeprecated,
  HandlerNotFound,
  ImportModuleError,
  MalformedHandlerName,
  UnhandledPromiseRejection,
  UserCodeSyntaxError,
  asError,
  document,
  isError,
  logText,
  parts,
};
