// Every page by its address, one line each: the tests look at all of them (fits, readable,
// light, still, no inline script or style), `make screenshots` takes their pictures.
// [name, path below /admin/]
export const rooms = [
	['overview', ''],
	['log', 'log'],
	['log-found', 'log?q=example.org&result=deferred'],
	['log-none', 'log?q=nobody@example.org'],
	['log-unknown', 'log?q=what+is+this'],
	['log-entry', 'log/q1'],
	['queue', 'queue'],
	['queue-none', 'queue?q=nobody'],
	['domains', 'domains'],
	['domain-new', 'domains/new'],
	['accounts', 'accounts'],
	['account-new', 'accounts/new'],
	['routes', 'routes'],
	['route-new', 'routes/new'],
	['transport-new', 'transports/new'],
	['networks', 'networks'],
	['network-new', 'networks/new'],
	['destinations', 'destinations'],
	['destination-new', 'destinations/new'],
	['lists', 'lists'],
	['list-new', 'lists/new'],
	['blocklist-new', 'blocklists/new'],
	['machine', 'machine'],
	['metrics', 'metrics'],
	['password', 'password'],
	['not-found', 'nothing-here'],
];

// Pages of what screenshots.mjs sets up first; the ids are its own.
export const states = [
	['domain', 'domains/1'],
	['domain-edit', 'domains/1/edit'],
	['domain-delete', 'domains/1/delete'],
	['domain-mailbox', 'domains/3'],
	['address-new', 'domains/3/new'],
	['account', 'accounts/2'],
	['transport', 'transports/1'],
	['destination', 'destinations/partner.example'],
];
