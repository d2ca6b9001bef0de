// Calls of DynamoDB, signed as AWS's SDKs do it, with nothing but what Node.js has. With a package.json, the SDKs themselves work
// just as well.

import { createHash, createHmac } from 'node:crypto';

const SERVICES = {
  dynamodb: { target: 'DynamoDB_20120810', type: 'application/x-amz-json-1.0' },
};

/** A refusal; `name` is AWS's code. */
export class Refused extends Error {
  constructor(code, message, item) {
    super(message);
    this.name = code;
    this.item = item;
  }
}

/** Calls an operation; gives its answer, or throws a `Refused`. */
export async function call(service, operation, input) {
  const { target, type } = SERVICES[service];
  const { AWS_ENDPOINT_URL, AWS_REGION } = process.env;
  const endpoint = new URL(AWS_ENDPOINT_URL ?? `https://${service}.${AWS_REGION}.amazonaws.com`);
  const body = JSON.stringify(input);
  const headers = {
    'content-type': type,
    host: endpoint.host,
    'x-amz-date': new Date().toISOString().replace(/[-:]|\.\d+/g, ''),
    'x-amz-target': `${target}.${operation}`,
  };
  if (process.env.AWS_SESSION_TOKEN) headers['x-amz-security-token'] = process.env.AWS_SESSION_TOKEN;
  headers.authorization = signature(service, headers, body);
  // It says what led to this call, so that a chain which goes in a circle is seen.
  if (process.env._X_AMZN_TRACE_ID) headers['x-amzn-trace-id'] = process.env._X_AMZN_TRACE_ID;
  const response = await fetch(endpoint, { method: 'POST', headers, body });
  const answer = JSON.parse((await response.text()) || '{}');
  if (response.ok) return answer;
  throw new Refused(String(answer.__type ?? response.status).split('#').pop(), answer.message ?? answer.Message, answer.Item);
}

/** The Authorization header of Signature Version 4. */
function signature(service, headers, body) {
  const names = Object.keys(headers).sort();
  const lines = names.map((name) => `${name}:${headers[name]}\n`).join('');
  const canonical = ['POST', '/', '', lines, names.join(';'), digest(body)].join('\n');
  const day = headers['x-amz-date'].slice(0, 8);
  const scope = `${day}/${process.env.AWS_REGION}/${service}/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, digest(canonical)].join('\n');
  const parts = [day, process.env.AWS_REGION, service, 'aws4_request'];
  const key = parts.reduce((key, part) => hmac(key, part), `AWS4${process.env.AWS_SECRET_ACCESS_KEY}`);
  const credential = `Credential=${process.env.AWS_ACCESS_KEY_ID}/${scope}`;
  return `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${names.join(';')}, Signature=${hmac(key, text).toString('hex')}`;
}

const digest = (text) => createHash('sha256').update(text).digest('hex');
const hmac = (key, text) => createHmac('sha256', key).update(text).digest();
