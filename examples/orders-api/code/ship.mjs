// Works off the queue: each order is shipped once, however often its message comes, and one that was cancelled is left alone.

import { move } from './orders.mjs';

export async function handler({ Records }) {
  const results = await Promise.allSettled(Records.map(ship));
  const failed = Records.filter((_, index) => results[index].status === 'rejected');
  results.filter(({ reason }) => reason).forEach(({ reason }) => console.error(reason));
  return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) };
}

async function ship({ messageId, body }) {
  const { id, lines } = JSON.parse(body);
  const moved = await move(id, 'shipped', { shipment: messageId });
  if (!moved) return console.log(`${id} is no order of ours`);
  if (!moved.moved) return console.log(`${id} is ${moved.order.state} already`);
  console.log(`${id} is shipped: ${lines.map(({ sku, count }) => `${count} × ${sku}`).join(', ')}`);
}
