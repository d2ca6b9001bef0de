// What the table's stream tells of new orders becomes work in a queue.

import { call } from './aws.mjs';
import { read } from './orders.mjs';

export async function handler({ Records }) {
  const messages = Records.map(({ dynamodb }, index) => {
    const { id, lines } = read(dynamodb.NewImage);
    return { Id: String(index), MessageBody: JSON.stringify({ id, lines }) };
  });
  const { Failed = [] } = await call('sqs', 'SendMessageBatch', { QueueUrl: process.env.SHIPMENTS, Entries: messages });
  // A stream is handed over again from the first record that failed.
  const first = Math.min(...Failed.map(({ Id }) => Number(Id)));
  const itemIdentifier = Records[first]?.dynamodb.SequenceNumber;
  return { batchItemFailures: itemIdentifier ? [{ itemIdentifier }] : [] };
}
