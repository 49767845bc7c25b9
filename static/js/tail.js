// The log's newest page follows what happens: rows come by server-sent events.
const ROWS_MAX = 200;

export function tail(after) {
	const line = document.querySelector('[data-tail]');
	const table = document.querySelector('table.log');
	if (!line || !table || !window.EventSource) return;
	const body = table.tBodies[0];
	const chip = line.querySelector('.chip');
	const button = line.querySelector('button');
	let source = null;
	let broken = false;

	function show(state, kind) {
		chip.textContent = state;
		chip.className = `chip ${kind}`;
	}

	// Ids count up: a longer one is newer, and so is one that sorts later.
	const older = (a, b) => a.dataset.id.length - b.dataset.id.length || (a.dataset.id < b.dataset.id ? -1 : 1);

	// Newest first, as the server lists them. Old mail that changes belongs to a later page.
	function insert(row) {
		const next = [...body.rows].find((other) => older(other, row) < 0);
		if (!next && document.querySelector('[data-older]')) return false;
		body.insertBefore(row, next ?? null);
		return true;
	}

	// The server made the row and escaped what is in it.
	function put(html) {
		const box = document.createElement('template');
		box.innerHTML = html;
		const row = box.content.querySelector('tr');
		if (!row) return;
		const old = body.querySelector(`tr[data-id="${CSS.escape(row.dataset.id)}"]`);
		after(row);
		if (old) {
			if (!old.contains(document.activeElement)) old.replaceWith(row);
			return;
		}
		if (!insert(row)) return;
		row.classList.add('fresh');
		while (body.rows.length > ROWS_MAX) body.lastElementChild.remove();
		table.hidden = false;
		document.querySelector('.nothing')?.remove();
	}

	// What was missed while the line was down is fetched as the page itself.
	async function catchUp() {
		try {
			const answer = await fetch(location.href, { redirect: 'error' });
			if (!answer.ok) return;
			const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
			const rows = fresh.querySelector('table.log tbody');
			if (!rows) return;
			body.replaceChildren(...rows.children);
			after(body);
			table.hidden = body.rows.length === 0;
		} catch {
			// The next event will tell.
		}
	}

	function start() {
		source = new EventSource(line.dataset.tail);
		source.addEventListener('open', () => {
			show('Live', 'good');
			if (broken) catchUp();
			broken = false;
		});
		source.addEventListener('error', () => {
			broken = true;
			show('Connecting again', 'warn');
		});
		source.addEventListener('row', (event) => put(event.data));
		source.addEventListener('missed', catchUp);
		button.textContent = 'Pause';
	}

	function stop() {
		source.close();
		source = null;
		broken = true;
		show('Paused', 'calm');
		button.textContent = 'Go on';
	}

	line.classList.remove('off'); // its room is kept, so that nothing moves
	button.addEventListener('click', () => (source ? stop() : start()));
	addEventListener('pagehide', () => source?.close());
	start();
}
