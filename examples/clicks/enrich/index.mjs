// Says what is in a click's address: the page, the campaign that led there, and whatever else was asked.

export const handler = async (messages) => messages.map(({ messageId, body }) => enrich(messageId, JSON.parse(body)));

function enrich(id, { user, action, url }) {
  const address = new URL(url);
  const { utm_campaign: campaign = null, ...query } = Object.fromEntries(address.searchParams);
  return { id, user, action, site: address.hostname, page: address.pathname, campaign, query };
}
